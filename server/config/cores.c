#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "server/config/config.h"

enum { MAX_CPUS = 4096 };

static bool read_text(const char *root, const char *path, char *text, int size)
{
    char full[PATH_MAX];
    if (snprintf(full, sizeof full, "%s%s", root, path) >= (int)sizeof full)
        return false;
    FILE *file = fopen(full, "re");
    if (!file)
        return false;
    size_t n = fread(text, 1, (size_t)size - 1, file);
    text[n] = '\0';
    fclose(file);
    return n > 0;
}

/* Hardware threads of one core have the same package and core id. Without the files each counts as a core. */
static uint64_t core_of(const char *root, int cpu)
{
    char path[128];
    char text[64];
    int package = 0;
    int core = 0;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/core_id", cpu);
    if (!read_text(root, path, text, sizeof text) || sscanf(text, "%d", &core) != 1)
        return UINT64_MAX - (uint64_t)cpu;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/physical_package_id", cpu);
    if (!read_text(root, path, text, sizeof text) || sscanf(text, "%d", &package) != 1)
        package = 0;
    return (uint64_t)(uint32_t)package << 32 | (uint32_t)core;
}

static uint32_t cores_of_quota(double quota, double period)
{
    if (quota <= 0 || period <= 0)
        return UINT32_MAX;
    double cores = quota / period;
    return cores < 1 ? 1 : cores > MAX_CPUS ? MAX_CPUS : (uint32_t)cores;
}

/* Whether `names`, controllers joined by commas, has this one. */
static bool has_controller(const char *names, const char *controller)
{
    size_t len = strlen(controller);
    while (*names) {
        size_t n = strcspn(names, ",");
        if (n == len && memcmp(names, controller, n) == 0)
            return true;
        names += n + (names[n] == ',');
    }
    return false;
}

/* The path of this process in the hierarchy that has `controller` ("" is version 2's only one); "" when unknown. */
static void find_cgroup(const char *root, const char *controller, char *path, size_t size)
{
    char text[4096];
    path[0] = '\0';
    if (!read_text(root, "/proc/self/cgroup", text, sizeof text))
        return;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *names = strchr(line, ':');
        char *place = names ? strchr(names + 1, ':') : NULL;
        if (!place)
            continue;
        *place = '\0';
        bool found = *controller ? has_controller(names + 1, controller) : names[1] == '\0';
        if (found && strcmp(place + 1, "/") != 0)
            snprintf(path, size, "%s", place + 1);
    }
}

static bool read_number(const char *root, const char *folder, const char *name, double *ret)
{
    char path[PATH_MAX];
    char text[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return read_text(root, path, text, sizeof text) && sscanf(text, "%lf", ret) == 1;
}

static uint32_t quota_v2(const char *root, const char *folder)
{
    char path[PATH_MAX];
    char text[64];
    double quota = 0;
    double period = 0;
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (!read_text(root, path, text, sizeof text) || sscanf(text, "%lf %lf", &quota, &period) != 2)
        return UINT32_MAX;
    return cores_of_quota(quota, period);
}

static uint32_t quota_v1(const char *root, const char *folder)
{
    double quota = 0;
    double period = 0;
    if (!read_number(root, folder, "cpu.cfs_quota_us", &quota) ||
        !read_number(root, folder, "cpu.cfs_period_us", &period))
        return UINT32_MAX;
    return cores_of_quota(quota, period);
}

/* The strictest quota from this process's group up to the root, where a container sees its own group. */
static uint32_t strictest(const char *root, const char *mount, const char *controller,
                          uint32_t (*quota)(const char *root, const char *folder))
{
    char group[2048];
    uint32_t limit = UINT32_MAX;
    find_cgroup(root, controller, group, sizeof group);
    for (;;) {
        char folder[sizeof group + 64];
        snprintf(folder, sizeof folder, "%s%s", mount, group);
        uint32_t cores = quota(root, folder);
        limit = cores < limit ? cores : limit;
        char *slash = strrchr(group, '/');
        if (!slash)
            return limit;
        *slash = '\0';
    }
}

/* Version 1 may mount the controller by its own name or by all of those it shares a hierarchy with. */
static uint32_t count_quota(const char *root)
{
    static const char *const mounts[] = {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct",
                                         "/sys/fs/cgroup/cpuacct,cpu"};
    uint32_t limit = strictest(root, "/sys/fs/cgroup", "", quota_v2);
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        uint32_t cores = strictest(root, mounts[i], "cpu", quota_v1);
        limit = cores < limit ? cores : limit;
    }
    return limit;
}

uint32_t config_count_cores_in(const char *root, const int *cpus, uint32_t n)
{
    uint64_t seen[MAX_CPUS];
    uint32_t cores = 0;
    for (uint32_t i = 0; i < n && cores < MAX_CPUS; i++) {
        uint64_t core = core_of(root, cpus[i]);
        uint32_t j = 0;
        while (j < cores && seen[j] != core)
            j++;
        if (j == cores)
            seen[cores++] = core;
    }
    uint32_t quota = count_quota(root);
    cores = quota < cores ? quota : cores;
    return cores ? cores : 1;
}

uint32_t config_count_cores(void)
{
    int cpus[MAX_CPUS];
    cpu_set_t *set = CPU_ALLOC(MAX_CPUS);
    size_t size = CPU_ALLOC_SIZE(MAX_CPUS);
    uint32_t n = 0;
    if (set && sched_getaffinity(0, size, set) == 0) {
        for (int cpu = 0; cpu < MAX_CPUS; cpu++) {
            if (CPU_ISSET_S((size_t)cpu, size, set))
                cpus[n++] = cpu;
        }
    }
    CPU_FREE(set);
    return config_count_cores_in("", cpus, n);
}
