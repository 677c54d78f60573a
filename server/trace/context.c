#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "server/trace/exporter.h"

enum { PARENT_LEN = 55, STATE_LEN = 512, STATE_MEMBERS = 32, STATE_KEY = 256, STATE_VALUE = 256 };

/* Ids are numbers that do not come again, and that nobody can guess from outside; they protect nothing. */
static struct {
    pthread_once_t once;
    uint64_t seeds[2];
    atomic_uint_fast64_t count;
} ids = {.once = PTHREAD_ONCE_INIT};

static void seed(void)
{
    if (getrandom(ids.seeds, sizeof ids.seeds, 0) != sizeof ids.seeds)
        ids.seeds[0] = clock_now_ns(), ids.seeds[1] = ~clock_now_ns() * 0x9E3779B97F4A7C15u;
}

/* splitmix64. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static uint64_t next_id(int stream)
{
    pthread_once(&ids.once, seed);
    uint64_t n = atomic_fetch_add_explicit(&ids.count, 1, memory_order_relaxed);
    uint64_t id = mix(ids.seeds[stream] + n * 0x9E3779B97F4A7C15u);
    return id ? id : 1;
}

uint64_t trace_span_id(void)
{
    return next_id(0);
}

/* `n` digits, all in lower case. */
static bool parse_hex(const char *text, int n, uint64_t *ret)
{
    uint64_t value = 0;
    for (int i = 0; i < n; i++) {
        int digit = base_hex_digit(text[i]);
        if (digit < 0 || (text[i] >= 'A' && text[i] <= 'F'))
            return false;
        value = value << 4 | (uint64_t)digit;
    }
    *ret = value;
    return true;
}

bool trace_parse_parent(const char *text, uint64_t *ret_trace, uint64_t *ret_parent, bool *ret_sampled)
{
    uint64_t version, trace[2], parent, flags;
    size_t len = strnlen(text, PARENT_LEN + 1);
    if (len < PARENT_LEN || text[2] != '-' || text[35] != '-' || text[52] != '-')
        return false;
    if (!parse_hex(text, 2, &version) || !parse_hex(text + 3, 16, &trace[0]) || !parse_hex(text + 19, 16, &trace[1]) ||
        !parse_hex(text + 36, 16, &parent) || !parse_hex(text + 53, 2, &flags))
        return false;
    bool longer = len > PARENT_LEN;
    if (version == 0xFF || (longer && (version == 0 || text[PARENT_LEN] != '-')))
        return false;
    if ((trace[0] | trace[1]) == 0 || parent == 0)
        return false;
    memcpy(ret_trace, trace, sizeof trace);
    *ret_parent = parent;
    *ret_sampled = flags & 1;
    return true;
}

static bool is_key_character(char c, bool first)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    return letter || (!first && c && strchr("_-*/@", c));
}

/* One member, "key=value" [len]. The length of its key; 0: it is not well formed. */
static size_t member_key(const char *text, size_t len)
{
    size_t key = 0;
    while (key < len && is_key_character(text[key], key == 0))
        key++;
    size_t value = len - key - 1;
    if (key == 0 || key > STATE_KEY || key >= len || text[key] != '=' || value == 0 || value > STATE_VALUE)
        return 0;
    for (size_t i = key + 1; i < len; i++) {
        if (text[i] < ' ' || text[i] > '~' || text[i] == '=')
            return 0;
    }
    return text[len - 1] == ' ' ? 0 : key;
}

bool trace_is_state(const char *text)
{
    struct {
        const char *text;
        size_t len;
    } keys[STATE_MEMBERS];
    size_t n = 0;
    if (strnlen(text, STATE_LEN + 1) > STATE_LEN)
        return false;
    while (*text) {
        text += strspn(text, " \t");
        size_t len = strcspn(text, ",");
        const char *next = text[len] ? text + len + 1 : text + len;
        while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
            len--;
        size_t key = len > 0 ? member_key(text, len) : 0;
        if (len > 0 && (key == 0 || n == STATE_MEMBERS))
            return false;
        for (size_t i = 0; len > 0 && i < n; i++) {
            if (keys[i].len == key && memcmp(keys[i].text, text, key) == 0)
                return false;
        }
        if (len > 0) {
            keys[n].text = text;
            keys[n++].len = key;
        }
        text = next;
    }
    return n > 0;
}

void trace_begin(struct trace_context *ret, const struct trace_exporter *exporter, const char *traceparent,
                 const char *tracestate)
{
    struct trace_context context = {.span_id = next_id(0)};
    bool continued =
        traceparent && trace_parse_parent(traceparent, context.trace_id, &context.parent_id, &context.sampled);
    if (!continued) {
        context.trace_id[0] = next_id(0);
        context.trace_id[1] = next_id(1);
    }
    context.sampled = exporter && trace_exporter_samples(exporter, &context);
    if (context.sampled && continued && tracestate && trace_is_state(tracestate))
        context.state = mem_strdup(tracestate); /* without memory it is left out */
    *ret = context;
}

void trace_finish(struct trace_context *context)
{
    mem_free(context->state);
    context->state = NULL;
}

void trace_write_ids(const struct trace_context *context, char ret_trace[TRACE_ID_SIZE],
                     char ret_span[TRACE_SPAN_ID_SIZE])
{
    snprintf(ret_trace, TRACE_ID_SIZE, "%016llx%016llx", (unsigned long long)context->trace_id[0],
             (unsigned long long)context->trace_id[1]);
    snprintf(ret_span, TRACE_SPAN_ID_SIZE, "%016llx", (unsigned long long)context->span_id);
}
