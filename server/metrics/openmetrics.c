#include <stdbool.h>
#include <string.h>

#include "server/metrics/metrics.h"

static const char total[] = "_total";
enum { TOTAL_LEN = sizeof total - 1 };

static bool starts_with(const char *line, size_t len, const char *prefix)
{
    size_t prefix_len = strlen(prefix);
    return len >= prefix_len && memcmp(line, prefix, prefix_len) == 0;
}

/* "# HELP NAME WORDS" or "# TYPE NAME TYPE" [len]. There a family is called what its samples are without _total. */
static void write_head(struct buf *out, const char *line, size_t len)
{
    static const char counter[] = " counter";
    const char *name = line + sizeof "# HELP " - 1;
    const char *end = memchr(name, ' ', (size_t)(line + len - name));
    if (!end)
        end = line + len;
    bool rises = end - name > TOTAL_LEN && memcmp(end - TOTAL_LEN, total, TOTAL_LEN) == 0;
    bool type = line[2] == 'T';
    buf_append(out, line, (size_t)(end - line) - (rises ? TOTAL_LEN : 0));
    if (type && !rises && starts_with(end, (size_t)(line + len - end), counter))
        buf_puts(out, " unknown");
    else
        buf_append(out, end, (size_t)(line + len - end));
    buf_puts(out, "\n");
}

/* A bucket's end is written as a float: 1.0, not 1. */
static void write_sample(struct buf *out, const char *line, size_t len)
{
    static const char label[] = "le=\"";
    const char *end = memmem(line, len, label, sizeof label - 1);
    const char *digits = end ? end + sizeof label - 1 : NULL;
    for (end = digits; end && end < line + len && *end >= '0' && *end <= '9';)
        end++;
    if (end == digits || end == line + len || *end != '"')
        end = NULL;
    size_t before = end ? (size_t)(end - line) : len;
    buf_append(out, line, before);
    if (end)
        buf_puts(out, ".0");
    buf_append(out, line + before, len - before);
    buf_puts(out, "\n");
}

void metrics_write_openmetrics(struct buf *out, const char *text, size_t len)
{
    for (const char *line = text, *end = text + len; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t line_len = (size_t)((newline ? newline : end) - line);
        if (starts_with(line, line_len, "# HELP ") || starts_with(line, line_len, "# TYPE "))
            write_head(out, line, line_len);
        else
            write_sample(out, line, line_len);
        line += line_len + 1;
    }
    buf_puts(out, "# EOF\n");
}
