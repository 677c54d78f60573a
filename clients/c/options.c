#include "clients/c/options.h"

#include <string.h>

#include "clients/c/error.h"

enum { LARGEST_STRUCT = 4096, LONGEST_HEADER = 512 };

static const char *const default_endpoints[] = {"http://127.0.0.1:3000"};

enum bertd_status bertd_options_copy(void *to, size_t to_size, const void *from, size_t from_size, const char *which,
                                     struct bertd_error *err)
{
    const unsigned char *bytes = from;
    if (from_size < sizeof(size_t) || from_size > LARGEST_STRUCT)
        return bertd_fail(err, BERTD_INVALID, "%s options: `size` is %zu: begin with the function that gives defaults",
                          which, from_size);
    for (size_t i = to_size; i < from_size; i++)
        if (bytes[i])
            return bertd_fail(err, BERTD_INVALID,
                              "%s options have one that libbertd %s does not know: install the "
                              "version that the program was built with",
                              which, bertd_version());
    memcpy(to, from, from_size < to_size ? from_size : to_size);
    return BERTD_OK;
}

enum bertd_status bertd_options_check_header(const char *name, const char *value, struct bertd_error *err)
{
    size_t len = 0;
    for (; value && value[len]; len++)
        if (value[len] < ' ' || value[len] > '~')
            return bertd_fail(err, BERTD_INVALID, "%s has a character that no header may have", name);
    return len <= LONGEST_HEADER ? BERTD_OK
                                 : bertd_fail(err, BERTD_INVALID, "%s is longer than %d bytes", name, LONGEST_HEADER);
}

static void set_default(uint32_t *option, uint32_t value)
{
    if (*option == 0)
        *option = value;
}

static void set_defaults(struct bertd_options *options)
{
    if (options->n_endpoints == 0) {
        options->endpoints = default_endpoints;
        options->n_endpoints = 1;
    }
    set_default(&options->timeout_ms, 60000);
    set_default(&options->connect_timeout_ms, 5000);
    set_default(&options->retries, 4);
    if (options->retries == BERTD_NO_RETRIES)
        options->retries = 0;
    set_default(&options->backoff_ms, 100);
    set_default(&options->breaker_failures, 5);
    set_default(&options->breaker_rest_ms, 1000);
    set_default(&options->connections, 4);
    if (options->max_request_bytes == 0)
        options->max_request_bytes = 1000000;
    if (options->max_answer_bytes == 0)
        options->max_answer_bytes = UINT64_C(1) << 30;
}

enum bertd_status bertd_options_read(struct bertd_options *ret, const struct bertd_options *options,
                                     struct bertd_error *err)
{
    struct bertd_options read = {.size = sizeof read};
    enum bertd_status status =
        options ? bertd_options_copy(&read, sizeof read, options, options->size, "client", err) : BERTD_OK;
    if (status != BERTD_OK)
        return status;
    set_defaults(&read);
    if (!read.endpoints || read.n_endpoints > BERTD_MAX_ENDPOINTS)
        return bertd_fail(err, BERTD_INVALID, "endpoints: give 1 to %d addresses", BERTD_MAX_ENDPOINTS);
    if (read.connections > BERTD_MAX_CONNECTIONS)
        return bertd_fail(err, BERTD_INVALID, "connections: at most %d", BERTD_MAX_CONNECTIONS);
    if (read.max_answer_bytes > SIZE_MAX / 4)
        return bertd_fail(err, BERTD_INVALID, "max_answer_bytes: at most %zu", SIZE_MAX / 4);
    if (!read.allocate != !read.reallocate || !read.allocate != !read.release)
        return bertd_fail(err, BERTD_INVALID, "allocate, reallocate and release: give all three, or none");
    status = bertd_options_check_header("api_key", read.api_key, err);
    if (status == BERTD_OK)
        *ret = read;
    return status;
}
