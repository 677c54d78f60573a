/* A collector of spans on the loopback interface: it keeps what it is sent, and answers as a test wants. */
#ifndef TESTS_TRACE_COLLECTOR_H
#define TESTS_TRACE_COLLECTOR_H

#include <jansson.h>
#include <stdbool.h>

struct collector;

/** Start it with an answer, 200; it has a thread. */
struct collector *collector_start(void);
/** End it and free. */
void collector_stop(struct collector *collector);
int collector_port(const struct collector *collector);
/** Answer this from now on. */
void collector_answer(struct collector *collector, int code);
/** Answer the next request so, and those after it as before. */
void collector_answer_once(struct collector *collector, int code);
/** With `hold`: answer nothing until it is called without. */
void collector_hold(struct collector *collector, bool hold);
/** Wait until it has been asked so often. */
void collector_await(struct collector *collector, int requests);
/** Requests so far. */
int collector_requests(struct collector *collector);
/** The head of the latest request; borrowed until the next one comes. */
const char *collector_head(struct collector *collector);
/** All spans that were ever sent, new; json_decref. Each with the "resource" of its request beside what it has. */
json_t *collector_spans(struct collector *collector);

#endif
