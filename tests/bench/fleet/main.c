/* A simulated fleet, from the command line. One line of JSON says what came of it. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/fleet/fleet.h"

static const char usage[] =
    "usage: bench-fleet [--servers N] [--boards N] [--layers N] [--width N] [--times TOKENS:MS,..]\n"
    "                   [--placement NAME] [--requests N] [--rate PER_SECOND | --clients N] [--texts N] [--tokens N] "
    "[--limit-ms N]\n"
    "                   [--front-cores N] [--front-us X] [--balancers N] [--balancer-cores N] [--balancer-us X]\n"
    "                   [--policy roundrobin|leastconn|random2] [--lock counted|free] [--seed N]\n"
    "\n"
    "The real scheduler on a virtual clock, under boards that only take time. --times: milliseconds of a whole text "
    "on\n"
    "a board, by its length. --tokens 0: of many lengths. --lock counted: the scheduler's lock is held as long as it\n"
    "takes in truth; free: no time. Servers read and write by --front-us of --front-cores for a request.\n";

static struct fleet_options options = {.n_servers = 1,
                                       .n_balancers = 1,
                                       .policy = BALANCER_LEASTCONN,
                                       .balancer_cores = 1,
                                       .server = {.n_boards = 2, .max_queued = 1000000, .front_cores = 1},
                                       .layers = 6,
                                       .width = 384,
                                       .requests = 20000,
                                       .clients = 64,
                                       .texts = 1,
                                       .tokens = 128,
                                       .time_limit_ns = 60000000000u,
                                       .seed = 1};
static struct board_time board_time;

static void refuse(const char *what, const char *value)
{
    fprintf(stderr, "bench-fleet: %s cannot be '%s'\n%s", what, value, usage);
    exit(2);
}

static int one_of(const char *what, const char *value, const char *const *names, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(value, names[i]) == 0)
            return i;
    refuse(what, value);
    return 0;
}

/* Numbers by their option; all options of words are in `read_word`. */
static const struct number {
    const char *name;
    double least, most;
    uint32_t *count;
    double *real;
    double factor;
} numbers[] = {
    {"servers", 1, 10000, &options.n_servers, NULL, 1},
    {"boards", 1, 4096, &options.server.n_boards, NULL, 1},
    {"layers", 1, 1024, &options.layers, NULL, 1},
    {"width", 4, 4096, &options.width, NULL, 1},
    {"requests", 10, 1e8, &options.requests, NULL, 1},
    {"rate", 0, 1e9, NULL, &options.rate, 1},
    {"clients", 1, 1e6, &options.clients, NULL, 1},
    {"texts", 1, 1024, &options.texts, NULL, 1},
    {"tokens", 0, 512, &options.tokens, NULL, 1},
    {"front-cores", 1, STATION_MAX_CORES, &options.server.front_cores, NULL, 1},
    {"front-us", 0, 1e6, NULL, &options.server.front_ns, 1e3},
    {"balancers", 1, 10000, &options.n_balancers, NULL, 1},
    {"balancer-cores", 1, STATION_MAX_CORES, &options.balancer_cores, NULL, 1},
    {"balancer-us", 0, 1e6, NULL, &options.balancer_ns, 1e3},
};
enum { N_NUMBERS = sizeof numbers / sizeof *numbers };

static void read_number(const struct number *number, const char *value)
{
    char *end;
    double read = strtod(value, &end);
    if (end == value || *end || !(read >= number->least && read <= number->most))
        refuse(number->name, value);
    if (number->count)
        *number->count = (uint32_t)read;
    else
        *number->real = read * number->factor;
}

static const char *const words[] = {"times", "placement", "policy", "lock", "limit-ms", "seed"};
enum { N_WORDS = sizeof words / sizeof *words };

static void read_word(int word, const char *value)
{
    static const char *const placements[] = {"auto", "replicate", "pipeline", "split"};
    static const enum batch_placement kinds[] = {BATCH_AUTO, BATCH_REPLICATE, BATCH_PIPELINE, BATCH_SPLIT};
    static const char *const locks[] = {"free", "counted"};
    switch (word) {
    case 0:
        if (!board_time_read(value, &board_time))
            refuse("times", value);
        break;
    case 1:
        options.server.placement = kinds[one_of("placement", value, placements, 4)];
        break;
    case 2:
        options.policy = (enum balancer_policy)one_of("policy", value, balancer_names, BALANCER_POLICIES);
        break;
    case 3:
        options.server.count_lock = one_of("lock", value, locks, 2) == 1;
        break;
    case 4:
        options.time_limit_ns = strtoull(value, NULL, 10) * 1000000u;
        break;
    default:
        options.seed = strtoull(value, NULL, 10);
    }
}

static void read_options(int argc, char **argv)
{
    struct option longs[N_NUMBERS + N_WORDS + 2] = {{0}};
    for (int i = 0; i < N_NUMBERS + N_WORDS; i++)
        longs[i] =
            (struct option){i < N_NUMBERS ? numbers[i].name : words[i - N_NUMBERS], required_argument, NULL, 1000 + i};
    longs[N_NUMBERS + N_WORDS] = (struct option){"help", no_argument, NULL, 'h'};
    for (int c; (c = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        if (c == 'h') {
            fputs(usage, stdout);
            exit(0);
        }
        if (c < 1000) {
            fputs(usage, stderr);
            exit(2);
        }
        if (c - 1000 < N_NUMBERS)
            read_number(&numbers[c - 1000], optarg);
        else
            read_word(c - 1000 - N_NUMBERS, optarg);
    }
    options.server.time = &board_time;
}

static void print_calls(const char *name, const struct server_calls *calls)
{
    double n = calls->n ? (double)calls->n : 1;
    printf(", \"%s\": {\"calls\": %llu, \"locked_us\": %.3f, \"planned_us\": %.3f, \"forecast_us\": %.3f, "
           "\"longest_us\": %.1f, \"stalls\": %llu}",
           name, (unsigned long long)calls->n, calls->spent.locked_ns / n / 1e3, calls->spent.planned_ns / n / 1e3,
           calls->spent.forecast_ns / n / 1e3, calls->longest_ns / 1e3, (unsigned long long)calls->stalls);
}

int main(int argc, char **argv)
{
    struct fleet_results results;
    board_time_read("8:0.5,512:45", &board_time);
    read_options(argc, argv);
    if (!fleet_run(&options, &results))
        return 1;
    printf("{\"servers\": %u, \"boards\": %u, \"policy\": \"%s\", \"answered\": %llu, \"refused\": %llu, "
           "\"late\": %llu, \"seconds\": %.4f, \"texts_per_s\": %.1f, \"tokens_per_s\": %.0f, \"sequences\": %.2f, "
           "\"p50_ms\": %.4f, "
           "\"p90_ms\": %.4f, \"p99_ms\": %.4f, \"mean_ms\": %.4f, \"boards_busy\": %.4f, \"front_busy\": %.4f, "
           "\"balancer_busy\": %.4f, \"lock_busy\": %.4f",
           options.n_servers, options.server.n_boards, balancer_names[options.policy],
           (unsigned long long)results.answered, (unsigned long long)results.refused, (unsigned long long)results.late,
           results.seconds, results.texts_per_s, results.tokens_per_s, results.sequences, results.p50_ms,
           results.p90_ms, results.p99_ms, results.mean_ms, results.boards_busy, results.front_busy,
           results.balancer_busy, results.lock_busy);
    print_calls("submits", &results.submits);
    print_calls("returns", &results.returns);
    printf("}\n");
    return 0;
}
