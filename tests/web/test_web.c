#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "server/web/web.h"

Test(web, files)
{
    for (enum web_name name = 0; name < WEB_FILES; name++) {
        const struct web_file *file = web_file(name);
        bool optional = name == WEB_DOCS_JS || name == WEB_SWAGGER_CSS || name == WEB_SWAGGER_JS;
        cr_assert(optional || file->len > 0, "%d", (int)name);
        if (file->len == 0)
            continue;
        cr_expect_eq(strlen(file->etag), 20u);
        cr_expect_not_null(file->content_type);
        for (enum web_name other = 0; other < name; other++)
            cr_expect_str_neq(web_file(other)->etag, file->etag);
    }
    cr_expect_eq(memcmp(web_file(WEB_DASHBOARD)->bytes, "<!DOCTYPE html>", 15), 0);
    cr_expect_eq(web_file(WEB_OPENAPI)->bytes[web_file(WEB_OPENAPI)->len - 1], '\n');
}

Test(web, if_none_match)
{
    static const struct {
        const char *value; /* %s is the tag without W/ */
        bool known;
    } rows[] = {
        {"%s", true},       {"W/%s", true},           {"*", true},        {"\"a\", W/%s", true},
        {"\"a\",%s", true}, {" \t\"a\"\t,  *", true}, {"\"\", %s", true}, {"", false},
        {"\"a\"", false},   {"W/\"a\"", false},       {"W/", false},      {"a, %s", false},
        {"\"a", false},     {"\"a, %s", false},       {",", false},       {"w/%s", false},
    };
    const struct web_file *file = web_file(WEB_DASHBOARD);
    cr_expect(!web_file_is_known(file, NULL));
    cr_expect(!web_file_is_known(file, web_file(WEB_DASHBOARD_JS)->etag));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *place = strstr(rows[i].value, "%s");
        char text[128];
        snprintf(text, sizeof text, "%.*s%s%s", place ? (int)(place - rows[i].value) : 100, rows[i].value,
                 place ? file->etag + 2 : "", place ? place + 2 : "");
        cr_expect_eq(web_file_is_known(file, text), rows[i].known, "%s", text);
    }
}
