/* bench-load: a load on an HTTP server that embeds texts; the figures as JSON on stdout.
 *
 *   bench-load --port P --words W,.. [--seconds S] [--warmup S] [--drain S] [--cancels N]
 *              [--learn FILE | --check FILE] GROUP...
 *
 * A GROUP is word=value,..: name, path (/embed), mode (closed, open, cancel, idle, slow), clients, texts (a request),
 * tokens (a text; N or N-M), variants (different requests), rate (open: requests a second), leave-ms (cancel: N-M),
 * timeout-ms, priority (interactive, bulk). Texts are of WORDS, each of which must be one token of the model; the
 * server's counts are compared. --learn writes what the right answers are, --check counts those that differ by a bit.
 */
#include "tests/bench/scheduler/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

void load_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("bench-load: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(2);
}

uint64_t load_hash(uint64_t hash, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3ull;
    return hash;
}

double load_random(struct load *load)
{
    load->random = load->random * 6364136223846793005u + 1442695040888963407u;
    return (double)(load->random >> 11) * 0x1p-53;
}

int load_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        load_fail("socket: %s", strerror(errno));
    for (int tries = 0; connect(fd, (struct sockaddr *)&address, sizeof address) != 0; tries++) {
        if (tries == 50)
            load_fail("no connection to port %d: %s", port, strerror(errno));
        usleep(20000);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* Learning, one request after another ------------------------------------------------------------------------------*/

static uint64_t ask(int fd, const struct load_request *request)
{
    static char answer[1 << 24];
    size_t have = 0, sent = 0;
    while (sent < request->len) {
        ssize_t n = send(fd, request->bytes + sent, request->len - sent, MSG_NOSIGNAL);
        if (n <= 0)
            load_fail("the connection ended");
        sent += (size_t)n;
    }
    for (;;) {
        ssize_t n = recv(fd, answer + have, sizeof answer - 1 - have, 0);
        if (n <= 0)
            load_fail("the connection ended");
        have += (size_t)n;
        answer[have] = '\0';
        const char *body = strstr(answer, "\r\n\r\n"), *length = strcasestr(answer, "content-length:");
        if (!body || !length)
            continue;
        size_t len = strtoull(length + 15, NULL, 10);
        if (have < (size_t)(body + 4 - answer) + len)
            continue;
        if (strncmp(answer, "HTTP/1.1 200", 12) != 0)
            load_fail("an answer to learn from failed: %.200s", answer);
        return load_hash(LOAD_HASH_BEGIN, body + 4, len);
    }
}

void load_learn(struct load *load)
{
    FILE *file = fopen(load->learn, "w");
    if (!file)
        load_fail("%s: %s", load->learn, strerror(errno));
    int fd = load_connect(load->port);
    for (int g = 0; g < load->n_groups; g++)
        for (int v = 0; v < load->groups[g].variants; v++)
            fprintf(file, "%s %d %016llx\n", load->groups[g].name, v,
                    (unsigned long long)ask(fd, &load->groups[g].requests[v]));
    close(fd);
    if (fclose(file) != 0)
        load_fail("%s: %s", load->learn, strerror(errno));
}

void load_read_hashes(struct load *load)
{
    FILE *file = fopen(load->check, "r");
    if (!file)
        load_fail("%s: %s", load->check, strerror(errno));
    char name[32];
    int variant;
    unsigned long long hash;
    while (fscanf(file, "%31s %d %llx", name, &variant, &hash) == 3)
        for (int g = 0; g < load->n_groups; g++)
            if (strcmp(load->groups[g].name, name) == 0 && variant < load->groups[g].variants)
                load->groups[g].requests[variant].hash = hash;
    fclose(file);
    for (int g = 0; g < load->n_groups; g++)
        for (int v = 0; v < load->groups[g].variants; v++)
            if (!load->groups[g].requests[v].hash)
                load_fail("%s does not know request %d of group %s", load->check, v, load->groups[g].name);
}

/* ------------------------------------------------------------------------------------------------------------------*/

static void print_samples(const struct load_group *group, int status)
{
    const char *comma = "";
    printf("\"%d\":[", status);
    for (size_t i = 0; i < group->n_samples; i++) {
        if (group->samples[i].status != status)
            continue;
        printf("%s%u", comma, group->samples[i].us);
        comma = ",";
    }
    printf("]");
}

void load_report(const struct load *load)
{
    printf("{\"seconds\":%.6f,\"groups\":{", load->seconds);
    for (int g = 0; g < load->n_groups; g++) {
        const struct load_group *group = &load->groups[g];
        printf("%s\n\"%s\":{\"begun\":%llu,\"work\":%.4f,\"left\":%llu,\"broken\":%llu,\"unsent\":%llu,\"wrong\":%llu,"
               "\"answers\":%llu,\"tokens_answered\":%llu,\"miscounted\":%llu,\"statuses\":{",
               g ? "," : "", group->name, (unsigned long long)group->begun, group->work,
               (unsigned long long)group->left, (unsigned long long)group->broken, (unsigned long long)group->unsent,
               (unsigned long long)group->wrong, (unsigned long long)group->answers,
               (unsigned long long)group->tokens_answered, (unsigned long long)group->miscounted);
        const char *comma = "";
        for (int s = 0; s < LOAD_MAX_STATUS; s++) {
            if (!group->statuses[s])
                continue;
            printf("%s\"%d\":%u", comma, s, group->statuses[s]);
            comma = ",";
        }
        printf("},\"us\":{");
        comma = "";
        for (int s = 0; s < LOAD_MAX_STATUS; s++) {
            if (!group->statuses[s])
                continue;
            fputs(comma, stdout);
            print_samples(group, s);
            comma = ",";
        }
        printf("}}");
    }
    printf("}}\n");
}

static void usage(FILE *file, int status)
{
    fprintf(file,
            "usage: bench-load --port P --words W,.. [--seconds S] [--warmup S] [--drain S] [--cancels N] "
            "[--learn FILE | --check FILE] GROUP... (at most %d)\n",
            LOAD_MAX_GROUPS);
    exit(status);
}

static void parse(struct load *load, int argc, char **argv)
{
    static const struct option options[] = {
        {"port", 1, 0, 'p'},  {"seconds", 1, 0, 's'}, {"warmup", 1, 0, 'w'}, {"drain", 1, 0, 'd'}, {"learn", 1, 0, 'l'},
        {"check", 1, 0, 'c'}, {"cancels", 1, 0, 'n'}, {"words", 1, 0, 't'},  {"help", 0, 0, 'h'},  {0, 0, 0, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        if (option == 'p')
            load->port = atoi(optarg);
        else if (option == 's')
            load->seconds = atof(optarg);
        else if (option == 'w')
            load->warmup = atof(optarg);
        else if (option == 'd')
            load->drain_seconds = atof(optarg);
        else if (option == 'l')
            load->learn = optarg;
        else if (option == 'c')
            load->check = optarg;
        else if (option == 'n')
            load->max_cancels = strtoull(optarg, NULL, 10);
        else if (option == 't')
            load_words_parse(&load->words, optarg);
        else
            usage(option == 'h' ? stdout : stderr, option == 'h' ? 0 : 2);
    }
    if (!load->port || !load->words.n || optind == argc || argc - optind > LOAD_MAX_GROUPS)
        usage(stderr, 2);
    for (; optind < argc; optind++)
        load_group_parse(&load->groups[load->n_groups++], &load->words, argv[optind]);
}

int main(int argc, char **argv)
{
    static struct load load = {.seconds = 5, .drain_seconds = 120, .random = 1};
    parse(&load, argc, argv);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
    if (load.learn) {
        load_learn(&load);
        return 0;
    }
    if (load.check)
        load_read_hashes(&load);
    load_run(&load);
    load_report(&load);
    return 0;
}
