/* The files that browsers get, inside the program: pages, their styles and scripts, the description of the API. */
#ifndef BERTD_WEB_WEB_H
#define BERTD_WEB_WEB_H

#include <stdbool.h>
#include <stddef.h>

enum web_name {
    WEB_OPENAPI,
    WEB_DOCS,
    WEB_DOCS_JS,
    WEB_SWAGGER_CSS,
    WEB_SWAGGER_JS,
    WEB_DASHBOARD,
    WEB_DASHBOARD_CSS,
    WEB_DASHBOARD_JS,
    WEB_FILES
};

struct web_file {
    const char *bytes; /* [len] */
    size_t len;        /* 0: the program was built without it */
    const char *content_type;
    char etag[24]; /* another one for other bytes: W/"0123456789abcdef" */
};

/** Static. Thread: any. */
const struct web_file *web_file(enum web_name name);
/** Whether the value of an If-None-Match header, or NULL, names this file as it is. Thread: any. */
bool web_file_is_known(const struct web_file *file, const char *if_none_match);

#endif
