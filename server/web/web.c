#include "server/web/web.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

/* The assembler puts a file between two labels. */
#define EMBED(name, path)                                                                                              \
    __asm__(".section .rodata\n"                                                                                       \
            "embedded_" #name ":\n"                                                                                    \
            ".incbin \"" path "\"\n"                                                                                   \
            "embedded_" #name "_end:\n"                                                                                \
            ".byte 0\n"                                                                                                \
            ".previous\n");                                                                                            \
    extern const char embedded_##name[], embedded_##name##_end[]

EMBED(openapi, SOURCE_DIR "/schemas/openapi.json");
EMBED(dashboard, SOURCE_DIR "/server/web/dashboard.html");
EMBED(dashboard_css, SOURCE_DIR "/server/web/dashboard.css");
EMBED(dashboard_js, SOURCE_DIR "/server/web/dashboard.js");
#ifdef SWAGGER_UI_DIR
EMBED(docs, SOURCE_DIR "/server/web/docs.html");
EMBED(docs_js, SOURCE_DIR "/server/web/docs.js");
EMBED(swagger_css, SWAGGER_UI_DIR "/swagger-ui.css");
EMBED(swagger_js, SWAGGER_UI_DIR "/swagger-ui-bundle.js");
#else
EMBED(docs, SOURCE_DIR "/server/web/docs_absent.html");
#endif

static struct web_file files[WEB_FILES];

static void put(enum web_name name, const char *bytes, const char *end, const char *content_type)
{
    struct web_file *file = &files[name];
    file->bytes = bytes;
    file->len = (size_t)(end - bytes);
    file->content_type = content_type;
    snprintf(file->etag, sizeof file->etag, "W/\"%016llx\"", (unsigned long long)XXH3_64bits(bytes, file->len));
}

#define PUT(name, embedded, content_type) put(name, embedded_##embedded, embedded_##embedded##_end, content_type)

static void fill(void)
{
    static const char html[] = "text/html; charset=utf-8", css[] = "text/css; charset=utf-8",
                      js[] = "text/javascript; charset=utf-8";
    PUT(WEB_OPENAPI, openapi, "application/json");
    PUT(WEB_DOCS, docs, html);
    PUT(WEB_DASHBOARD, dashboard, html);
    PUT(WEB_DASHBOARD_CSS, dashboard_css, css);
    PUT(WEB_DASHBOARD_JS, dashboard_js, js);
#ifdef SWAGGER_UI_DIR
    PUT(WEB_DOCS_JS, docs_js, js);
    PUT(WEB_SWAGGER_CSS, swagger_css, css);
    PUT(WEB_SWAGGER_JS, swagger_js, js);
#endif
}

const struct web_file *web_file(enum web_name name)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill);
    return &files[name];
}

/* W/ does not count here (RFC 9110, 13.1.2). */
static const char *opaque(const char *tag)
{
    return strncmp(tag, "W/", 2) == 0 ? tag + 2 : tag;
}

bool web_file_is_known(const struct web_file *file, const char *if_none_match)
{
    const char *ours = opaque(file->etag);
    size_t len = strlen(ours);
    const char *at = if_none_match ? if_none_match : "";
    for (at += strspn(at, ", \t"); *at; at += strspn(at, ", \t")) {
        const char *theirs = opaque(at);
        if (*at == '*' || strncmp(theirs, ours, len) == 0)
            return true;
        const char *end = *theirs == '"' ? strchr(theirs + 1, '"') : NULL;
        if (!end)
            return false;
        at = end + 1;
    }
    return false;
}
