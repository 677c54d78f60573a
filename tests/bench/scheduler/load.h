/* A load on an HTTP server that embeds texts: groups of connections that behave alike, in one thread.
 *
 * A request is measured from the moment it is due, so that a late generator or a full server is not left out.
 */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum load_mode {
    LOAD_CLOSED, /* each connection sends its next request when the last is answered */
    LOAD_OPEN,   /* requests at a rate, on whichever connection is free */
    LOAD_CANCEL, /* closed, but each leaves after a while without waiting for the answer */
    LOAD_IDLE,   /* connected, silent */
    LOAD_SLOW,   /* reads its answers a few bytes at a time */
};

enum { LOAD_MAX_GROUPS = 16, LOAD_MAX_VARIANTS = 256, LOAD_MAX_STATUS = 600, LOAD_MAX_WORDS = 64 };

/* What texts are made of: words that the model's tokenizer makes one token each of. */
struct load_words {
    char *list[LOAD_MAX_WORDS];
    int n;
};

/* One of the requests that a group sends in turn. */
struct load_request {
    char *bytes;
    size_t len;
    uint32_t tokens; /* of its texts */
    uint64_t hash;   /* of the right answer's body; 0: not known */
};

struct load_sample {
    uint16_t status;
    uint32_t us;
};

struct load_group {
    char name[32];
    enum load_mode mode;
    int clients, texts, tokens, most_tokens, variants, timeout_ms;
    double rate, leave_from_ms, leave_to_ms;
    char priority[16], path[32];
    struct load_request requests[LOAD_MAX_VARIANTS];
    uint32_t next_request;
    uint64_t due_ns;                     /* OPEN: the next request */
    struct load_connection *connections; /* [clients] */
    /* What came of it: */
    double work; /* answers with 200, each by the part of its time that lies in the measured window */
    uint64_t begun, left, broken, unsent, wrong;
    uint64_t answers, tokens_answered; /* all with 200, and the tokens that the server counted in them */
    uint64_t miscounted;               /* of them, those whose count is not what the request was meant to have */
    uint32_t statuses[LOAD_MAX_STATUS];
    struct load_sample *samples; /* requests begun in the window */
    size_t n_samples, max_samples;
};

struct load {
    int port;
    double warmup, seconds, drain_seconds;
    struct load_words words;
    const char *learn, *check; /* files of hashes */
    uint64_t max_cancels;      /* stop when so many have left; 0: by time */
    struct load_group groups[LOAD_MAX_GROUPS];
    int n_groups;
    uint64_t begin_ns, end_ns; /* the window */
    int epoll;
    uint64_t random;
};

/** "river,quick,.." into words. Exits where there are none or too many. */
void load_words_parse(struct load_words *words, const char *text);
/** "name=bulk,mode=closed,clients=4,texts=32,tokens=64-128,..." into a group, with its requests. Exits on nonsense. */
void load_group_parse(struct load_group *group, const struct load_words *words, const char *text);
int load_connect(int port);
void load_run(struct load *load);
/** Ask for each request once and write the hashes of the answers to the file. */
void load_learn(struct load *load);
/** Read such a file. */
void load_read_hashes(struct load *load);
void load_report(const struct load *load);
uint64_t load_hash(uint64_t hash, const char *bytes, size_t len);
double load_random(struct load *load);
void load_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#define LOAD_HASH_BEGIN 0xcbf29ce484222325ull

#endif
