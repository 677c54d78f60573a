/* Between those who log and stderr: whole lines, queued so that nobody waits, written by a thread. Private to base. */
#ifndef BERTD_BASE_LOG_QUEUE_H
#define BERTD_BASE_LOG_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { LOG_LINE_SIZE = 4096 /* of a line at most: what a pipe takes as a whole */ };

/** Makes the line that says how many were dropped, in `line` [size]; returns its length. */
typedef int log_queue_notice(char *line, int size, uint64_t dropped);

/** As log_start. */
enum status log_queue_start(log_queue_notice *notice, struct error *err);
/** As log_stop. */
void log_queue_stop(uint32_t timeout_ms);
/** As log_dropped. */
uint64_t log_queue_dropped(void);
/** Queue a line of at most LOG_LINE_SIZE bytes, with its end and no other '\n', or write it where there is no thread.
 *  Never waits for stderr once there is one. Thread: any */
void log_queue_put(const char *line, size_t len);

#endif
