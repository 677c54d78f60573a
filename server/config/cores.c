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

/* The path of this process in the hierarchy that `controller` names ("" is version 2's only one); "" when unknown. */
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
        bool found = *controller ? strstr(names + 1, controller) != NULL : names[1] == '\0';
        if (found && strcmp(place + 1, "/") != 0)
            snprintf(path, size, "%s", place + 1);
    }
}

/* The strictest quota from this group up to the root. */
static uint32_t quota_v2(const char *root)
{
    char group[512];
    uint32_t limit = UINT32_MAX;
    find_cgroup(root, "", group, sizeof group);
    for (;;) {
        char path[640];
        char text[64];
        double quota = 0;
        double period = 0;
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", group);
        if (read_text(root, path, text, sizeof text) && sscanf(text, "%lf %lf", &quota, &period) == 2) {
            uint32_t cores = cores_of_quota(quota, period);
            limit = cores < limit ? cores : limit;
        }
        char *slash = strrchr(group, '/');
        if (!slash)
            return limit;
        *slash = '\0';
    }
}

static uint32_t quota_v1(const char *root)
{
    char path[640];
    char text[64];
    char group[512];
    find_cgroup(root, "cpu", group, sizeof group);
    const char *places[] = {group, ""}; /* a container sees its own group at the root */
    for (int i = 0; i < 2; i++) {
        double quota = 0;
        double period = 0;
        snprintf(path, sizeof path, "/sys/fs/cgroup/cpu%s/cpu.cfs_quota_us", places[i]);
        if (!read_text(root, path, text, sizeof text) || sscanf(text, "%lf", &quota) != 1)
            continue;
        snprintf(path, sizeof path, "/sys/fs/cgroup/cpu%s/cpu.cfs_period_us", places[i]);
        if (read_text(root, path, text, sizeof text) && sscanf(text, "%lf", &period) == 1)
            return cores_of_quota(quota, period);
    }
    return UINT32_MAX;
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
    uint32_t quota = quota_v2(root);
    uint32_t older = quota_v1(root);
    quota = older < quota ? older : quota;
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
