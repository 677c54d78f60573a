/* The file of API keys, and the headers of traces, on arbitrary bytes: no crash, no leak, no key in an error. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/serve/keys.h"
#include "server/trace/trace.h"
#include "tests/fuzz/require.h"

static void read_keys(const char *data, size_t size)
{
    struct error err = {0};
    struct serve_keys keys = {0};
    enum status status = serve_keys_read(&keys, data, size, &err);
    REQUIRE(status == STATUS_OK || (status == err.status && strncmp(err.message, "line ", 5) == 0) ||
            strcmp(err.message, "there is no key in it") == 0);
    REQUIRE(status != STATUS_OK || keys.n > 0);
    for (uint32_t i = 0; i < keys.n; i++) {
        const struct serve_key *key = &keys.items[i];
        REQUIRE(key->name[0] && memchr(key->name, '\0', sizeof key->name));
        REQUIRE(key->requests_per_second >= 0 && key->tokens_per_minute >= 0);
    }
    mem_free(keys.items);
}

static void read_trace(const char *text)
{
    uint64_t trace[2] = {0}, parent = 0;
    bool sampled;
    if (trace_parse_parent(text, trace, &parent, &sampled))
        REQUIRE((trace[0] | trace[1]) && parent && strlen(text) >= 55);
    if (trace_is_state(text))
        REQUIRE(strlen(text) <= 512 && strchr(text, '='));
    struct trace_context context;
    trace_begin(&context, NULL, text, text);
    REQUIRE((context.trace_id[0] | context.trace_id[1]) && context.span_id);
    trace_finish(&context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    read_keys(text, size);
    read_trace(text);
    free(text);
    return 0;
}
