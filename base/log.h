/* Log lines on stderr: JSON for machines, a short form for a terminal. Only the program logs; the rooms report errors.
 *
 * A line is one write(2), so lines of several threads never mix. Texts of requests and keys are never fields.
 *
 * Once log_start has been called, no caller waits for stderr: lines go into a queue of LOG_QUEUE_SIZE bytes, which a
 * thread writes. Lines that find it full are dropped, and a line says how many were. (stderr itself is not made
 * non-blocking: it may be shared with other processes.)
 */
#ifndef BERTD_BASE_LOG_H
#define BERTD_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_AUTO, LOG_JSON, LOG_HUMAN }; /* AUTO: human where stderr is a terminal */
enum { LOG_QUEUE_SIZE = 1 << 18 };
enum log_kind { LOG_END, LOG_STRING, LOG_INTEGER, LOG_REAL, LOG_BOOLEAN };

/** One named value of a line; `key` and a string are borrowed for the call. */
struct log_field {
    const char *key;
    enum log_kind kind;
    union {
        const char *string; /* bytes that are not UTF-8 are written as U+FFFD; NULL as null */
        int64_t integer;
        double real;
        bool boolean;
    } value;
};

static inline struct log_field log_str(const char *key, const char *value)
{
    return (struct log_field){key, LOG_STRING, {.string = value}};
}

static inline struct log_field log_int(const char *key, int64_t value)
{
    return (struct log_field){key, LOG_INTEGER, {.integer = value}};
}

static inline struct log_field log_real(const char *key, double value)
{
    return (struct log_field){key, LOG_REAL, {.real = value}};
}

static inline struct log_field log_bool(const char *key, bool value)
{
    return (struct log_field){key, LOG_BOOLEAN, {.boolean = value}};
}

/** What to write from now on. Call before other threads exist; without it INFO and AUTO hold. */
void log_init(enum log_level level, enum log_format format);
/** Queue lines from now on. Call before other threads exist, once. Errors: NO_MEMORY; lines are then still written, by
 *  whoever logs. */
enum status log_start(struct error *err);
/** Write what is queued, but give up `timeout_ms` later; lines that come after are written by whoever logs, or, where
 * it gave up, dropped. Without log_start: nothing. */
void log_stop(uint32_t timeout_ms);
/** True when lines of this level are written: to save the work of making fields. Thread: any. */
bool log_enabled(enum log_level level);
/** Lines dropped since log_start. Thread: any. */
uint64_t log_dropped(void);
/** One line; `fields` ends with kind LOG_END, NULL: none. Lines longer than 4 KB lose their last fields. Thread: any.
 */
void log_write(enum log_level level, const char *message, const struct log_field *fields);
/** The line that log_write would write, for tests: into `line` [size], its length is returned. */
int log_render(char *line, int size, enum log_level level, enum log_format format, const char *message,
               const struct log_field *fields);

/* log_info("listening", log_str("address", a), log_int("port", p)); */
#define LOG_FIELDS(...)     ((const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){NULL, LOG_END, {0}}})
#define log_error(msg, ...) log_write(LOG_ERROR, msg, LOG_FIELDS(__VA_ARGS__))
#define log_warn(msg, ...)  log_write(LOG_WARN, msg, LOG_FIELDS(__VA_ARGS__))
#define log_info(msg, ...)  log_write(LOG_INFO, msg, LOG_FIELDS(__VA_ARGS__))
#define log_debug(msg, ...) log_write(LOG_DEBUG, msg, LOG_FIELDS(__VA_ARGS__))

#endif
