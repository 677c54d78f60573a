/* Groups from words, and the requests they send. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "tests/bench/scheduler/load.h"

enum { SPECIAL_TOKENS = 2 };

void load_words_parse(struct load_words *words, const char *text)
{
    char *rest = strdup(text);
    for (char *word; (word = strsep(&rest, ","));) {
        if (!*word || words->n == LOAD_MAX_WORDS)
            load_fail("--words: \"%s\" is not 1 to %d words with commas between them", text, LOAD_MAX_WORDS);
        words->list[words->n++] = word;
    }
}

static uint32_t mix(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static void write_text(struct buf *body, const struct load_words *words, int tokens, uint64_t *state)
{
    buf_puts(body, "\"");
    for (int w = SPECIAL_TOKENS; w < tokens; w++)
        buf_printf(body, "%s%s", w > SPECIAL_TOKENS ? " " : "", words->list[mix(state) % (uint32_t)words->n]);
    buf_puts(body, "\"");
}

static void make_request(struct load_group *group, const struct load_words *words, int variant)
{
    struct load_request *made = &group->requests[variant];
    uint64_t state = (uint64_t)variant + 1;
    struct buf body = {0}, request = {0};
    buf_puts(&body, "{\"truncate\":true,\"inputs\":[");
    for (int t = 0; t < group->texts; t++) {
        int range = group->most_tokens - group->tokens + 1;
        buf_puts(&body, t ? "," : "");
        int tokens = group->tokens + (int)(mix(&state) % (uint32_t)range);
        write_text(&body, words, tokens, &state);
        made->tokens += (uint32_t)tokens;
    }
    buf_puts(&body, "]}");
    buf_printf(&request,
               "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n",
               group->path, body.len);
    if (*group->priority)
        buf_printf(&request, "x-bertd-priority: %s\r\n", group->priority);
    if (group->timeout_ms)
        buf_printf(&request, "x-request-timeout-ms: %d\r\n", group->timeout_ms);
    buf_puts(&request, "\r\n");
    buf_append(&request, body.data, body.len);
    buf_finish(&body);
    made->bytes = buf_take(&request, &made->len);
}

static enum load_mode mode_of(const char *word)
{
    static const char *const modes[] = {"closed", "open", "cancel", "idle", "slow"};
    for (int m = 0; m < 5; m++)
        if (strcmp(word, modes[m]) == 0)
            return (enum load_mode)m;
    load_fail("unknown mode \"%s\": closed, open, cancel, idle or slow", word);
}

static void range(const char *word, double *ret_from, double *ret_to)
{
    char *end;
    *ret_from = *ret_to = strtod(word, &end);
    if (*end == '-')
        *ret_to = strtod(end + 1, &end);
    if (*end || *ret_to < *ret_from)
        load_fail("\"%s\" is neither a number nor a range", word);
}

static void set(struct load_group *group, const char *key, const char *value)
{
    double from, to;
    if (strcmp(key, "name") == 0) {
        snprintf(group->name, sizeof group->name, "%s", value);
    } else if (strcmp(key, "priority") == 0) {
        snprintf(group->priority, sizeof group->priority, "%s", value);
    } else if (strcmp(key, "path") == 0) {
        snprintf(group->path, sizeof group->path, "%s", value);
    } else if (strcmp(key, "mode") == 0) {
        group->mode = mode_of(value);
    } else if (strcmp(key, "tokens") == 0) {
        range(value, &from, &to);
        group->tokens = (int)from;
        group->most_tokens = (int)to;
    } else if (strcmp(key, "leave-ms") == 0) {
        range(value, &group->leave_from_ms, &group->leave_to_ms);
    } else if (strcmp(key, "rate") == 0) {
        group->rate = atof(value);
    } else {
        int *number = strcmp(key, "clients") == 0      ? &group->clients
                      : strcmp(key, "texts") == 0      ? &group->texts
                      : strcmp(key, "variants") == 0   ? &group->variants
                      : strcmp(key, "timeout-ms") == 0 ? &group->timeout_ms
                                                       : NULL;
        if (!number)
            load_fail("unknown word \"%s\" in a group", key);
        *number = atoi(value);
    }
}

void load_group_parse(struct load_group *group, const struct load_words *words, const char *text)
{
    *group = (struct load_group){
        .name = "load", .path = "/embed", .clients = 1, .texts = 1, .tokens = 16, .most_tokens = 16, .variants = 8};
    char *copy = strdup(text), *rest = copy;
    for (char *part; (part = strsep(&rest, ","));) {
        char *value = strchr(part, '=');
        if (!value)
            load_fail("\"%s\" is not word=value", part);
        *value = '\0';
        set(group, part, value + 1);
    }
    free(copy);
    if (group->clients < 1 || group->texts < 1 || group->tokens <= SPECIAL_TOKENS || group->variants < 1 ||
        group->variants > LOAD_MAX_VARIANTS || (group->mode == LOAD_OPEN && !(group->rate > 0)))
        load_fail("group \"%s\": needs clients, texts and variants >= 1, tokens >= 3, in mode open a rate", text);
    for (int v = 0; v < group->variants; v++)
        make_request(group, words, v);
}
