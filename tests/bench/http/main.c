/* bench-surfaces: what a call costs on each surface of a running server, as its clients see it and as it says itself.
 *
 *   bench-surfaces --port P --words a,b,.. --surface embed|embed-h2|connect|grpc|grpc-web|batch|batch-connect
 *                  [--pid PID] [--lengths 8,16,..] [--texts 1] [--connections 1] [--seconds 2] [--warmup 0.2] [--read]
 *                  [--pause US]
 *   bench-surfaces --port P --words a,b,.. --streams 10000 --pid PID
 *
 * Words are ones that the model's tokenizer makes a token each of; lengths are those of the texts in turn, in tokens,
 * and --texts of them go in a request. --read has the client read every value; --pause has one connection's sleep so
 * long before each call. Prints JSON: requests a second; microseconds of a call, of it the server's own (its total less
 * what waiting for boards and they took) and what the client sees beyond the server's total; processor time of both
 * sides a request.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/http/surfaces.h"

static int usage(FILE *file, int status)
{
    fprintf(file,
            "usage: bench-surfaces --port PORT --words A,B,.. (--surface NAME | --streams N) [--pid PID] [--lengths "
            "N,..] [--texts N] [--connections N] [--seconds S] [--warmup S] [--read] "
            "[--pause US]\n");
    return status;
}

static void parse_words(struct texts *texts, char *list)
{
    enum { MOST = sizeof texts->words / sizeof *texts->words };
    texts->n_words = 0;
    for (char *word; texts->n_words < MOST && (word = strsep(&list, ","));)
        texts->words[texts->n_words++] = word;
}

static void parse_lengths(struct texts *texts, char *list)
{
    enum { MOST = sizeof texts->lengths / sizeof *texts->lengths };
    texts->n_lengths = 0;
    for (char *number; texts->n_lengths < MOST && (number = strsep(&list, ","));)
        texts->lengths[texts->n_lengths++] = atoi(number);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"port", 1, 0, 'p'},    {"words", 1, 0, 'w'},
                                            {"surface", 1, 0, 's'}, {"streams", 1, 0, 'n'},
                                            {"pid", 1, 0, 'i'},     {"lengths", 1, 0, 'l'},
                                            {"texts", 1, 0, 't'},   {"connections", 1, 0, 'c'},
                                            {"read", 0, 0, 'r'},    {"seconds", 1, 0, 'd'},
                                            {"warmup", 1, 0, 'u'},  {"help", 0, 0, 'h'},
                                            {"pause", 1, 0, 'z'},   {0, 0, 0, 0}};
    static struct texts texts = {.lengths = {8}, .n_lengths = 1};
    struct calls calls = {.texts = &texts, .connections = 1, .n_texts = 1, .warmup = 0.2, .seconds = 2};
    int option, streams = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        if (option == 'h')
            return usage(stdout, 0);
        if (option == 'p')
            calls.port = atoi(optarg);
        else if (option == 'w')
            parse_words(&texts, optarg);
        else if (option == 's' && (calls.surface = surface_find(optarg)))
            continue;
        else if (option == 'n')
            streams = atoi(optarg);
        else if (option == 'i')
            calls.pid = atoi(optarg);
        else if (option == 'l')
            parse_lengths(&texts, optarg);
        else if (option == 't')
            calls.n_texts = atoi(optarg);
        else if (option == 'c')
            calls.connections = atoi(optarg);
        else if (option == 'r')
            calls.reads = true;
        else if (option == 'd')
            calls.seconds = atof(optarg);
        else if (option == 'z')
            calls.pause_us = atoi(optarg);
        else if (option == 'u')
            calls.warmup = atof(optarg);
        else
            return usage(stderr, 2);
    }
    if (!calls.port || texts.n_words < 1 || calls.n_texts < 1 || calls.connections < 1 ||
        (calls.pause_us > 0 && calls.connections > 1) || (!calls.surface && streams < 1))
        return usage(stderr, 2);
    if (streams > 0)
        streams_run(calls.port, calls.pid, streams, &texts);
    else
        calls_run(&calls);
    return 0;
}
