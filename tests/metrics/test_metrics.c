#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/metrics/metrics.h"

static const double bounds[] = {0.1, 1, 10};

static char *text_of(struct metrics_registry *registry)
{
    struct buf buf = {0};
    metrics_registry_write(registry, &buf);
    buf_append(&buf, "", 1);
    size_t len = 0;
    return buf_take(&buf, &len);
}

static double seven(void *cookie)
{
    return *(int *)cookie;
}

Test(metrics, text_for_prometheus)
{
    struct metrics_registry *registry = metrics_registry_create();
    struct metrics_counter *single =
        metrics_counter_create(registry, (struct metrics_name){"te_request_count", "method=\"single\"", "Requests"});
    metrics_counter_create(registry, (struct metrics_name){"te_request_count", "method=\"batch\"", "Requests"});
    struct metrics_histogram *histogram =
        metrics_histogram_create(registry, (struct metrics_name){"te_duration", NULL, "Seconds"}, bounds, 3);
    int value = 7;
    metrics_gauge_create(registry, (struct metrics_name){"te_queue_size", NULL, "Waiting"}, seven, &value, 0);
    metrics_counter_add(single, 3);
    metrics_histogram_observe(histogram, 0.05);
    metrics_histogram_observe(histogram, 0.1);
    metrics_histogram_observe(histogram, 2.5);
    metrics_histogram_observe(histogram, 1e9);
    char *text = text_of(registry);
    static const char want[] = "# HELP te_request_count Requests\n# TYPE te_request_count counter\n"
                               "te_request_count{method=\"single\"} 3\nte_request_count{method=\"batch\"} 0\n"
                               "# HELP te_duration Seconds\n# TYPE te_duration histogram\n"
                               "te_duration_bucket{le=\"0.1\"} 2\nte_duration_bucket{le=\"1\"} 2\n"
                               "te_duration_bucket{le=\"10\"} 3\nte_duration_bucket{le=\"+Inf\"} 4\n"
                               "te_duration_sum 1000000002.65\nte_duration_count 4\n"
                               "# HELP te_queue_size Waiting\n# TYPE te_queue_size gauge\nte_queue_size 7\n";
    /* The sum has thirteen digits: moments since 1970 differ by milliseconds. */
    char *sum = strstr(text, "te_duration_sum ");
    cr_assert(sum && strncmp(sum, "te_duration_sum 1000000002.65\n", 30) == 0, "%s", text);
    size_t head = (size_t)(sum - text);
    cr_expect_eq(strncmp(text, want, head), 0, "%s", text);
    cr_expect_str_eq(strstr(text, "te_duration_count"), strstr(want, "te_duration_count"));
    mem_free(text);
    metrics_registry_destroy(&registry);
    cr_expect_null(registry);
}

static struct metrics_counter *shared_counter;
static struct metrics_histogram *shared_histogram;

static void *count_many(void *unused)
{
    (void)unused;
    for (int i = 0; i < 10000; i++) {
        metrics_counter_add(shared_counter, 1);
        metrics_histogram_observe(shared_histogram, 0.5);
    }
    return NULL;
}

Test(metrics, threads_lose_nothing)
{
    struct metrics_registry *registry = metrics_registry_create();
    shared_counter = metrics_counter_create(registry, (struct metrics_name){"c", NULL, "c"});
    shared_histogram = metrics_histogram_create(registry, (struct metrics_name){"h", NULL, "h"}, bounds, 3);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, count_many, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    cr_expect_eq(metrics_counter_value(shared_counter), 40000u);
    char *text = text_of(registry);
    cr_expect(strstr(text, "h_sum 20000\nh_count 40000\n"), "%s", text);
    mem_free(text);
    metrics_registry_destroy(&registry);
}

Test(metrics, memory_runs_out)
{
    for (long n = 0; n < 5; n++) {
        mem_fail_after(n);
        struct metrics_registry *registry = metrics_registry_create();
        if (registry) {
            metrics_counter_add(metrics_counter_create(registry, (struct metrics_name){"c", NULL, "c"}), 1);
            metrics_histogram_observe(
                metrics_histogram_create(registry, (struct metrics_name){"h", NULL, "h"}, bounds, 3), 1);
            int value = 1;
            metrics_gauge_create(registry, (struct metrics_name){"g", NULL, "g"}, seven, &value, 0);
            mem_free(text_of(registry));
        }
        mem_fail_after(-1);
        metrics_registry_destroy(&registry);
    }
}

static double value_of(struct metrics_registry *registry, const char *name)
{
    char *text = text_of(registry);
    char line[64];
    snprintf(line, sizeof line, "\n%s ", name);
    const char *at = strstr(text, line);
    cr_assert(at, "%s in %s", name, text);
    double value = strtod(at + strlen(line), NULL);
    mem_free(text);
    return value;
}

static void *wait_for(void *lock)
{
    pthread_mutex_lock(lock);
    pthread_mutex_unlock(lock);
    return NULL;
}

Test(metrics, of_the_process)
{
    struct metrics_registry *registry = metrics_registry_create();
    struct rlimit limit;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t thread;
    cr_assert_eq(metrics_process_create(registry), 0);
    double files = value_of(registry, "process_open_fds");
    double threads = value_of(registry, "process_threads");
    int fd = open("/dev/null", O_RDONLY);
    pthread_mutex_lock(&lock);
    pthread_create(&thread, NULL, wait_for, &lock);
    cr_expect_eq(value_of(registry, "process_open_fds"), files + 1);
    cr_expect_eq(value_of(registry, "process_threads"), threads + 1);
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    close(fd);
    getrlimit(RLIMIT_NOFILE, &limit);
    cr_expect_eq(value_of(registry, "process_max_fds"), (double)limit.rlim_cur);
    double resident = value_of(registry, "process_resident_memory_bytes");
    cr_expect(resident > 100000 && resident < value_of(registry, "process_virtual_memory_bytes"), "%g", resident);
    cr_expect(value_of(registry, "process_cpu_seconds_total") > 0);
    double started = value_of(registry, "process_start_time_seconds");
    cr_expect(started > 1.6e9 && started <= (double)time(NULL) + 1, "%g", started);
    cr_expect_eq(started, value_of(registry, "process_start_time_seconds"));
    metrics_registry_destroy(&registry);
}

static void write_two(void *cookie, struct buf *out)
{
    metrics_write_head(out, "two", "gauge", "Two");
    buf_printf(out, "two %d\n", *(int *)cookie);
}

static double unknown(void *cookie)
{
    (void)cookie;
    return NAN;
}

Test(metrics, writers_and_values_that_are_not_known)
{
    struct metrics_registry *registry = metrics_registry_create();
    int two = 2;
    metrics_gauge_create(registry, (struct metrics_name){"one", NULL, "One"}, unknown, NULL, 0);
    metrics_writer_create(registry, write_two, &two);
    metrics_counter_create(registry, (struct metrics_name){"three", NULL, "Three"});
    char *text = text_of(registry);
    cr_expect_str_eq(text, "# HELP one One\n# TYPE one gauge\none NaN\n# HELP two Two\n# TYPE two gauge\ntwo 2\n"
                           "# HELP three Three\n# TYPE three counter\nthree 0\n");
    mem_free(text);
    metrics_registry_destroy(&registry);
}

Test(metrics, openmetrics)
{
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        {"", "# EOF\n"},
        {"# HELP a_total Words of a_total\n# TYPE a_total counter\na_total 3\n",
         "# HELP a Words of a_total\n# TYPE a counter\na_total 3\n# EOF\n"},
        {"# HELP te_request_count Requests\n# TYPE te_request_count counter\nte_request_count{method=\"single\"} 3\n",
         "# HELP te_request_count Requests\n# TYPE te_request_count unknown\n"
         "te_request_count{method=\"single\"} 3\n# EOF\n"},
        {"# TYPE a gauge\na 1\n", "# TYPE a gauge\na 1\n# EOF\n"},
        {"# TYPE a histogram\na_bucket{c=\"d\",le=\"1\"} 1\na_bucket{le=\"0.5\"} 1\na_bucket{le=\"+Inf\"} 1\n",
         "# TYPE a histogram\na_bucket{c=\"d\",le=\"1.0\"} 1\na_bucket{le=\"0.5\"} 1\na_bucket{le=\"+Inf\"} 1\n# "
         "EOF\n"},
        {"# TYPE", "# TYPE\n# EOF\n"},
        {"# TYPE _total", "# TYPE _total\n# EOF\n"},
        {"# HELP a_total", "# HELP a\n# EOF\n"},
        {"a{le=\"12", "a{le=\"12\n# EOF\n"},
        {"a{le=\"", "a{le=\"\n# EOF\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = strlen(rows[i].text);
        char *text = malloc(len + 1); /* not one byte more: AddressSanitizer watches its end */
        memcpy(text, rows[i].text, len);
        text = realloc(text, len ? len : 1);
        struct buf buf = {0};
        metrics_write_openmetrics(&buf, text, len);
        buf_append(&buf, "", 1);
        char *found = buf_take(&buf, &len);
        cr_expect_str_eq(found, rows[i].want);
        mem_free(found);
        free(text);
    }
}
