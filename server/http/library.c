#include <microhttpd.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "server/http/http.h"
#include "server/serve/refusals.h"
#include "server/serve/request_id.h"
#include "server/wire/response.h"

const char *http_library_version(void)
{
    return MHD_get_version();
}

/* The character that an entity such as &quot; stands for; `*ret_len`: of the entity. 0: there is none at `text`. */
static char entity_at(const char *text, size_t left, size_t *ret_len)
{
    static const struct {
        const char *name;
        char character;
    } known[] = {{"&quot;", '"'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&apos;", '\''}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        *ret_len = strlen(known[i].name);
        if (left >= *ret_len && memcmp(text, known[i].name, *ret_len) == 0)
            return known[i].character;
    }
    return '\0';
}

/* What stands in the body of a page of HTML, without tags. */
static void plain_words(char *ret, size_t size, const char *page, size_t len)
{
    const char *body = memmem(page, len, "<body>", 6);
    const char *end = page + len;
    bool in_tag = false;
    size_t n = 0, len_of_entity = 0;
    for (const char *c = body ? body : page; c < end && n + 1 < size; c++) {
        char meant = entity_at(c, (size_t)(end - c), &len_of_entity);
        if (meant)
            c += len_of_entity - 1;
        if (*c == '<' || *c == '>')
            in_tag = *c == '<';
        else if (!in_tag)
            ret[n++] = meant ? meant : *c;
    }
    ret[n] = '\0';
}

/* Its head is not parsed to the end: nothing else is known of the request. */
static void add_headers(struct MHD_Response *response, const char *reason)
{
    char id[SERVE_ID_SIZE];
    serve_request_id(id, NULL);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    MHD_add_response_header(response, "x-request-id", id);
    serve_log_refusal(&(struct serve_refusal){.id = id, .status = STATUS_MALFORMED, .reason = reason});
}

/* In place of mem_free, for words that are static. */
static void keep(void *text)
{
    (void)text;
}

/* The library refuses by itself what it cannot parse, in HTML, and has no option for another form. It makes these
 * answers with a public function of its own. The program's function of that name takes its place, and writes what a
 * route would. The room itself makes its responses otherwise. */
static struct MHD_Response *refusal(const char *page, size_t len)
{
    static char without_memory[] = "{\"error\":\"the request is malformed\",\"error_type\":\"Validation\"}";
    char words[256];
    struct buf buf = {0};
    plain_words(words, sizeof words, page, len);
    wire_write_error(&buf, STATUS_MALFORMED, words);
    size_t size = 0;
    char *text = buf_take(&buf, &size);
    struct MHD_Response *response =
        text ? MHD_create_response_from_buffer_with_free_callback(size, text, mem_free)
             : MHD_create_response_from_buffer_with_free_callback(sizeof without_memory - 1, without_memory, keep);
    if (!response)
        mem_free(text);
    else
        add_headers(response, words);
    return response;
}

/* What 0.9.75 calls. */
__attribute__((visibility("default"))) struct MHD_Response *
MHD_create_response_from_buffer(size_t size, void *buffer, enum MHD_ResponseMemoryMode mode)
{
    (void)mode;
    return refusal(buffer, size);
}

/* What 1.0 calls; older headers do not declare it. */
struct MHD_Response *MHD_create_response_from_buffer_static(size_t size, const void *buffer);

__attribute__((visibility("default"))) struct MHD_Response *MHD_create_response_from_buffer_static(size_t size,
                                                                                                   const void *buffer)
{
    return refusal(buffer, size);
}
