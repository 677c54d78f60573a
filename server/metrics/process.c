/* What the system knows of this process. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "server/metrics/metrics.h"

/* Fields of /proc/self/stat by their numbers in proc(5). */
enum {
    STAT_FIRST = 3 /* behind the name */,
    STAT_THREADS = 20,
    STAT_START = 22,
    STAT_VIRTUAL = 23,
    STAT_RESIDENT = 24
};

static double stat_field(int number)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    size_t len = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[len] = '\0';
    char *at = strrchr(text, ')'); /* the name may have spaces */
    at = at ? strchr(at, ' ') : NULL;
    for (int i = STAT_FIRST; at && i < number; i++)
        at = strchr(at + 1, ' ');
    return at ? strtod(at + 1, NULL) : NAN;
}

static double now(clockid_t clock)
{
    struct timespec time;
    return clock_gettime(clock, &time) == 0 ? (double)time.tv_sec + (double)time.tv_nsec * 1e-9 : NAN;
}

static double cpu_seconds(void *cookie)
{
    (void)cookie;
    return now(CLOCK_PROCESS_CPUTIME_ID);
}

static double resident_bytes(void *cookie)
{
    (void)cookie;
    return stat_field(STAT_RESIDENT) * (double)sysconf(_SC_PAGESIZE);
}

static double virtual_bytes(void *cookie)
{
    (void)cookie;
    return stat_field(STAT_VIRTUAL);
}

static double start_time(void *cookie)
{
    return *(const double *)cookie;
}

static double threads(void *cookie)
{
    (void)cookie;
    return stat_field(STAT_THREADS);
}

static double open_files(void *cookie)
{
    (void)cookie;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return NAN;
    int n = -3; /* "." and "..", and what it is read by */
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static double most_files(void *cookie)
{
    (void)cookie;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return NAN;
    return limit.rlim_cur == RLIM_INFINITY ? INFINITY : (double)limit.rlim_cur;
}

int metrics_process_create(struct metrics_registry *registry)
{
    static const struct {
        struct metrics_name name;
        metrics_read *read;
        int counter;
    } all[] = {
        {{"process_cpu_seconds_total", NULL, "User and system time of all threads"}, cpu_seconds, 1},
        {{"process_resident_memory_bytes", NULL, "Memory of the process that is in RAM"}, resident_bytes, 0},
        {{"process_virtual_memory_bytes", NULL, "Address space of the process"}, virtual_bytes, 0},
        {{"process_start_time_seconds", NULL, "When the process began, since 1970"}, start_time, 0},
        {{"process_open_fds", NULL, "Open file descriptors"}, open_files, 0},
        {{"process_max_fds", NULL, "File descriptors that may be open"}, most_files, 0},
        {{"process_threads", NULL, "Threads of the process"}, threads, 0},
    };
    /* Worked out once: it must not move when the clock is set. */
    static double started;
    started = now(CLOCK_REALTIME) - now(CLOCK_BOOTTIME) + stat_field(STAT_START) / (double)sysconf(_SC_CLK_TCK);
    int failed = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        failed |= metrics_gauge_create(registry, all[i].name, all[i].read, &started, all[i].counter);
    return failed;
}
