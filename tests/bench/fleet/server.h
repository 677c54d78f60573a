/* One bertd of a simulated fleet: the real scheduler, boards that only take time, and the processors that read requests
 * and write answers.
 *
 * Who wants the scheduler's lock waits until the one before has had it for as long as that took in truth (or not at
 * all, where nothing is counted: then a run is the same every time).
 */
#ifndef TESTS_BENCH_FLEET_SERVER_H
#define TESTS_BENCH_FLEET_SERVER_H

#include "server/batch/batch.h"
#include "tests/bench/fleet/board_time.h"
#include "tests/bench/fleet/events.h"
#include "tests/bench/fleet/station.h"
#include "tests/bench/fleet/virtual.h"

struct server;

struct request {
    struct batch_work work;
    struct batch_item *items; /* [work.n_items], with their ids and vectors behind */
    struct server *server;
    uint32_t client, balancer;
    uint64_t asked_ns;
    uint32_t times_done; /* must be 1 in the end */
    bool late;           /* let in, and computed behind its time limit: the timer that ends such work is not here */
};

/** What the calls of one kind took. `stalls` of them took so much longer than the others that the machine must have
 * done something else meanwhile: they count as what the others took on average. */
struct server_calls {
    uint64_t n, stalls;
    struct virtual_spent spent;
    double longest_ns;
};

struct server_options {
    uint32_t index;
    uint32_t n_boards;
    enum batch_placement placement;
    uint32_t max_queued;
    const struct board_time *time;
    struct image *image;
    struct events *events;
    bool count_lock;
    uint32_t front_cores;
    double front_ns; /* half to read a request, half to write its answer */
};

struct server {
    struct server_options options;
    struct batch *batch;
    struct virtual_board *boards; /* [n_boards] */
    struct station front;
    uint64_t lock_free_ns;
    double lock_busy_ns;
    struct event *waiting; /* for the lock: a ring */
    uint32_t n_waiting, first_waiting, room;
    struct server_calls submits, returns;
    uint64_t layer_rows; /* computed: layers times rows */
    double boards_busy_ns;
};

/** False, having said why, where it cannot be made. `options` is copied. */
bool server_init(struct server *server, const struct server_options *options);
void server_finish(struct server *server);
/** SUBMIT, TASK_ENDS and LOCK_FREE. Returns the request where it was refused, NULL else. */
struct request *server_handle(struct server *server, const struct event *event);

#endif
