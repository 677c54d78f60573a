/* What is read from files: how many cores there are, where a model is, the key. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/config/config.h"
#include "tests/config/environment.h"

static void write_file(const char *root, const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *slash = strchr(full + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    cr_assert(file, "%s", full);
    fputs(text, file);
    fclose(file);
}

static void remove_tree(const char *root)
{
    char command[256];
    snprintf(command, sizeof command, "rm -r %s", root);
    cr_expect_eq(system(command), 0);
}

Test(cores, hardware_threads_share_a_core)
{
    char root[] = "/tmp/bertd-cores-XXXXXX";
    cr_assert(mkdtemp(root));
    static const int cpus[] = {0, 1, 2, 3, 4, 5, 6, 7};
    cr_expect_eq(config_count_cores_in(root, cpus, 8), 8u, "without the files every cpu is a core");
    for (int cpu = 0; cpu < 8; cpu++) {
        char path[96];
        char text[16];
        snprintf(path, sizeof path, "sys/devices/system/cpu/cpu%d/topology/core_id", cpu);
        snprintf(text, sizeof text, "%d\n", cpu % 2);
        write_file(root, path, text);
        snprintf(path, sizeof path, "sys/devices/system/cpu/cpu%d/topology/physical_package_id", cpu);
        snprintf(text, sizeof text, "%d\n", cpu / 4);
        write_file(root, path, text);
    }
    cr_expect_eq(config_count_cores_in(root, cpus, 8), 4u, "two packages of two cores of two threads");
    cr_expect_eq(config_count_cores_in(root, cpus, 1), 1u);
    cr_expect_eq(config_count_cores_in(root, cpus, 0), 1u);
    write_file(root, "sys/fs/cgroup/cpu.max", "max 100000\n");
    cr_expect_eq(config_count_cores_in(root, cpus, 8), 4u);
    write_file(root, "sys/fs/cgroup/cpu.max", "250000 100000\n");
    cr_expect_eq(config_count_cores_in(root, cpus, 8), 2u);
    write_file(root, "proc/self/cgroup", "0::/a/b\n");
    write_file(root, "sys/fs/cgroup/a/cpu.max", "50000 100000\n");
    cr_expect_eq(config_count_cores_in(root, cpus, 8), 1u, "the strictest group on the way up");
    remove_tree(root);
}

Test(cores, cgroup_version_1)
{
    char root[] = "/tmp/bertd-cores-XXXXXX";
    cr_assert(mkdtemp(root));
    static const int cpus[] = {0, 1, 2, 3, 4, 5, 6, 7};
    write_file(root, "proc/self/cgroup", "4:cpu,cpuacct:/box\n3:memory:/\n");
    write_file(root, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    write_file(root, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    cr_expect_eq(config_count_cores_in(root, cpus, 8), 8u);
    write_file(root, "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "300000\n");
    write_file(root, "sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n");
    cr_expect_eq(config_count_cores_in(root, cpus, 8), 3u);
    remove_tree(root);
}

/* Its name is a whole one of those between the colons, and every group on the way up counts. */
Test(cores, cgroup_version_1_by_whole_names_and_up_to_the_root)
{
    static const int cpus[] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const struct {
        const char *groups, *mount, *folder;
        uint32_t cores;
    } cases[] = {
        {"5:cpu,cpuacct:/pod/ctr\n", "cpu", "pod", 2},
        {"5:cpu,cpuacct:/pod/ctr\n", "cpu", "pod/ctr", 2},
        {"5:cpu,cpuacct:/pod/ctr\n", "cpu", "", 2},
        {"5:cpuacct,cpu:/pod/ctr\n", "cpu,cpuacct", "pod", 2},
        {"4:cpuset:/elsewhere\n5:cpu:/pod\n", "cpu", "pod", 2},
        {"5:cpu:/pod\n4:cpuset:/elsewhere\n3:cpuacct:/other\n", "cpu", "pod", 2},
        {"4:cpuset:/elsewhere\n", "cpu", "elsewhere", 8},
        {"1:name=systemd,cpu:/pod\n", "cpu", "pod", 2},
        {"5:cpu:/pod\n0::/\n", "cpu", "pod", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char root[] = "/tmp/bertd-cores-XXXXXX", path[128];
        cr_assert(mkdtemp(root));
        write_file(root, "proc/self/cgroup", cases[i].groups);
        write_file(root, "sys/fs/cgroup/cpu/pod/ctr/cpu.cfs_quota_us", "-1\n");
        write_file(root, "sys/fs/cgroup/cpu/pod/ctr/cpu.cfs_period_us", "100000\n");
        snprintf(path, sizeof path, "sys/fs/cgroup/%s/%s/cpu.cfs_quota_us", cases[i].mount, cases[i].folder);
        write_file(root, path, "200000\n");
        snprintf(path, sizeof path, "sys/fs/cgroup/%s/%s/cpu.cfs_period_us", cases[i].mount, cases[i].folder);
        write_file(root, path, "100000\n");
        cr_expect_eq(config_count_cores_in(root, cpus, 8), cases[i].cores, "case %zu", i);
        remove_tree(root);
    }
}

Test(cores, here)
{
    cr_expect_geq(config_count_cores(), 1u);
}

Test(model, is_found)
{
    char root[] = "/tmp/bertd-model-XXXXXX";
    cr_assert(mkdtemp(root));
    write_file(root, ".cache/bertd/models/mini/config.json", "{}");
    write_file(root, "xdg/bertd/models/other/config.json", "{}");
    char path[256];
    char want[256];
    char xdg[64];
    struct error err = {0};
    const char *const home[] = {"HOME", root, NULL};
    const char *const cache[] = {"XDG_CACHE_HOME", xdg, "HOME", root, NULL};
    snprintf(xdg, sizeof xdg, "%s/xdg", root);
    snprintf(want, sizeof want, "%s/.cache/bertd/models/mini", root);
    environment = home;
    cr_assert_eq(config_find_model(path, sizeof path, "mini", get_env, &err), STATUS_OK, "%s", err.message);
    cr_expect_str_eq(path, want);
    cr_assert_eq(config_find_model(path, sizeof path, "someone/mini", get_env, &err), STATUS_OK, "%s", err.message);
    cr_expect_str_eq(path, want);
    cr_assert_eq(config_find_model(path, sizeof path, root, get_env, &err), STATUS_OK);
    cr_expect_str_eq(path, root);
    cr_expect_eq(config_find_model(path, sizeof path, "other", get_env, &err), STATUS_USAGE);
    cr_expect(strstr(err.message, "/.cache/bertd/models/other"), "%s", err.message);
    cr_expect_eq(config_find_model(path, sizeof path, "../mini", get_env, &err), STATUS_USAGE);
    cr_expect_eq(config_find_model(path, sizeof path, "/nowhere", get_env, &err), STATUS_USAGE);
    environment = cache;
    cr_expect_eq(config_find_model(path, sizeof path, "other", get_env, &err), STATUS_OK);
    cr_expect_eq(config_find_model(path, sizeof path, "mini", get_env, &err), STATUS_USAGE);
    environment = NULL;
    cr_expect_eq(config_find_model(path, sizeof path, "mini", get_env, &err), STATUS_USAGE);
    remove_tree(root);
}

Test(key, is_the_first_line)
{
    char root[] = "/tmp/bertd-key-XXXXXX";
    cr_assert(mkdtemp(root));
    write_file(root, "key", "s3cret\nsecond\n");
    write_file(root, "empty", "\n");
    char path[64];
    char *key = NULL;
    struct error err = {0};
    snprintf(path, sizeof path, "%s/key", root);
    cr_assert_eq(config_read_key(&key, path, &err), STATUS_OK, "%s", err.message);
    cr_expect_str_eq(key, "s3cret");
    mem_free(key);
    key = NULL;
    mem_fail_after(0);
    cr_expect_eq(config_read_key(&key, path, &err), STATUS_NO_MEMORY);
    mem_fail_after(-1);
    snprintf(path, sizeof path, "%s/empty", root);
    cr_expect_eq(config_read_key(&key, path, &err), STATUS_USAGE);
    snprintf(path, sizeof path, "%s/none", root);
    cr_expect_eq(config_read_key(&key, path, &err), STATUS_IO);
    cr_expect(strstr(err.message, "--api-key-file (a file whose first line is the key"), "%s", err.message);
    cr_expect_eq(config_read_key(&key, root, &err), STATUS_IO);
    cr_expect(strstr(err.message, "not a regular file"), "%s", err.message);
    static const char *const wrong[][2] = {{" key\n", "begins or ends with a space"},
                                           {"key \n", "begins or ends with a space"},
                                           {"\xEF\xBB\xBFkey\n", "byte order mark"},
                                           {"a\tb", "control character (byte 2)"},
                                           {"", "is empty"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        write_file(root, "wrong", wrong[i][0]);
        snprintf(path, sizeof path, "%s/wrong", root);
        cr_expect_eq(config_read_key(&key, path, &err), STATUS_USAGE, "%zu", i);
        cr_expect(strstr(err.message, wrong[i][1]) && strstr(err.message, "--api-key-file: "), "%s", err.message);
    }
    cr_expect_null(key);
    remove_tree(root);
}
