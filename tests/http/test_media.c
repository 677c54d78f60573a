#include <criterion/criterion.h>

#include "server/http/media.h"

Test(media, quality)
{
    static const struct {
        const char *accept;
        const char *type;
        double quality;
    } rows[] = {
        {NULL, "text/plain", 1},
        {"", "text/plain", 0},
        {"text/plain", "text/plain", 1},
        {"TEXT/Plain;q=0.5", "text/plain", 0.5},
        {"text/plain; version=0.0.4 ; Q=0.25", "text/plain", 0.25},
        {"text/*;q=0.5", "text/plain", 0.5},
        {"*/*;q=0.1", "text/plain", 0.1},
        {"text/*;q=0.5, text/plain;q=0, */*", "text/plain", 0},
        {"*/*, text/*;q=0.5", "text/plain", 0.5},
        {"a/b;q=0.75,a/b;v=2,a/b;q=0.5", "a/b", 1},
        {"text/plainer", "text/plain", 0},
        {"text", "text/plain", 0},
        {"text/", "text/plain", 0},
        {"*", "text/plain", 0},
        {"text/plain;q=2", "text/plain", 0},
        {"text/plain;q=-1", "text/plain", 0},
        {"text/plain;q=nan", "text/plain", 0},
        {"text/plain;q=", "text/plain", 0},
        {"text/plain;q", "text/plain", 1},
        {"text/plain;", "text/plain", 1},
        {",,;q=1,text/plain", "text/plain", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_eq(http_media_quality(rows[i].accept, rows[i].type), rows[i].quality, "%s: %g", rows[i].accept,
                     http_media_quality(rows[i].accept, rows[i].type));
}
