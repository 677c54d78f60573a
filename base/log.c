#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log_queue.h"
#include "base/utf8.h"

static enum log_level max_level = LOG_INFO;
static enum log_format chosen_format = LOG_AUTO;

static const char *const level_names[] = {"ERROR", "WARN", "INFO", "DEBUG"};

/* A line being made. What does not fit is left out, but the line stays well-formed: `size` keeps room for its end. */
struct line {
    char *text;
    int len;
    int size;
    bool full;
};

static void put(struct line *line, const char *bytes, int len)
{
    if (line->full || len > line->size - line->len) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->len, bytes, (size_t)len);
    line->len += len;
}

static void put_string(struct line *line, const char *text)
{
    put(line, text, (int)strlen(text));
}

__attribute__((format(printf, 2, 3))) static void put_format(struct line *line, const char *format, ...)
{
    char text[64];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put(line, text, n < (int)sizeof text ? n : (int)sizeof text - 1);
}

static void put_quoted(struct line *line, const char *text)
{
    put(line, "\"", 1);
    size_t len = strlen(text), valid = utf8_valid(text, len);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (i == valid) {
            put_string(line, "\\ufffd");
            valid = i + 1 + utf8_valid(text + i + 1, len - i - 1);
        } else if (c == '"' || c == '\\') {
            put_format(line, "\\%c", c);
        } else if (c < 0x20 || c == 0x7F) {
            put_format(line, "\\u%04x", c);
        } else {
            put(line, text + i, 1);
        }
    }
    put(line, "\"", 1);
}

static void put_value(struct line *line, const struct log_field *field)
{
    switch (field->kind) {
    case LOG_STRING:
        if (field->value.string)
            put_quoted(line, field->value.string);
        else
            put_string(line, "null");
        break;
    case LOG_INTEGER:
        put_format(line, "%lld", (long long)field->value.integer);
        break;
    case LOG_REAL:
        put_format(line, "%.6g", field->value.real);
        break;
    case LOG_BOOLEAN:
        put_string(line, field->value.boolean ? "true" : "false");
        break;
    case LOG_END:
        break;
    }
}

static void put_time(struct line *line, bool date)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm utc;
    gmtime_r(&now.tv_sec, &utc);
    if (date)
        put_format(line, "%04d-%02d-%02dT", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday);
    put_format(line, "%02d:%02d:%02d.%06ldZ", utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000);
}

static void put_field(struct line *line, enum log_format format, const struct log_field *field)
{
    int before = line->len;
    if (format == LOG_JSON) {
        put(line, ",", 1);
        put_quoted(line, field->key);
        put(line, ":", 1);
    } else {
        put(line, " ", 1);
        put_string(line, field->key);
        put(line, "=", 1);
    }
    put_value(line, field);
    if (line->full)
        line->len = before; /* a field is there whole or not at all */
}

int log_render(char *text, int size, enum log_level level, enum log_format format, const char *message,
               const struct log_field *fields)
{
    struct line line = {.text = text, .size = size - 2};
    if (format == LOG_JSON) {
        put_string(&line, "{\"time\":\"");
        put_time(&line, true);
        put_format(&line, "\",\"level\":\"%s\",\"message\":", level_names[level]);
        put_quoted(&line, message);
    } else {
        put_time(&line, false);
        put_format(&line, " %-5s ", level_names[level]);
        put_string(&line, message);
    }
    for (; fields && fields->kind != LOG_END; fields++)
        put_field(&line, format, fields);
    if (format == LOG_JSON)
        text[line.len++] = '}';
    text[line.len++] = '\n';
    return line.len;
}

/* What stands in the place of lines that were dropped. */
static int render_dropped(char *line, int size, uint64_t dropped)
{
    enum log_format format = chosen_format == LOG_HUMAN ? LOG_HUMAN : LOG_JSON;
    return log_render(line, size, LOG_WARN, format, "log lines dropped: stderr did not take them fast enough",
                      LOG_FIELDS(log_int("lines", (int64_t)dropped)));
}

uint64_t log_dropped(void)
{
    return log_queue_dropped();
}

enum status log_start(struct error *err)
{
    return log_queue_start(render_dropped, err);
}

void log_stop(uint32_t timeout_ms)
{
    log_queue_stop(timeout_ms);
}

void log_init(enum log_level level, enum log_format format)
{
    max_level = level;
    chosen_format = format == LOG_AUTO ? (isatty(STDERR_FILENO) ? LOG_HUMAN : LOG_JSON) : format;
}

bool log_enabled(enum log_level level)
{
    return level <= max_level;
}

void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
    if (!log_enabled(level))
        return;
    char line[LOG_LINE_SIZE];
    enum log_format format = chosen_format == LOG_HUMAN ? LOG_HUMAN : LOG_JSON;
    int len = log_render(line, sizeof line, level, format, message, fields);
    log_queue_put(line, (size_t)len);
}
