/* The medic resets and tests boards in quarantine, one at a time, and lets them serve again; when nobody is ill it
 * scrubs. All that loads a board or repairs the image happens on this one thread.
 */
#include <string.h>

#include "server/base/clock.h"
#include "server/batch/room.h"

#define TICK_NS 10000000ull
/* A board that fails its test as it did before is told of no more often. */
#define ANNOUNCE_NS 60000000000ull

/* How busy a board is, is told from samples this far apart. */
#define SAMPLE_NS 5000000000ull

void room_announce(struct batch *batch, enum batch_event_kind kind, const char *board, const char *words)
{
    if (batch->options.on_event)
        batch->options.on_event(batch->options.cookie, &(struct batch_event){kind, board, words});
}

void room_sample_boards(struct batch *batch, uint64_t now_ns)
{
    if (now_ns - batch->slots[0].sampled_ns[1] < SAMPLE_NS)
        return;
    for (uint32_t b = 0; b < batch->options.n_boards; b++) {
        struct room_slot *slot = &batch->slots[b];
        struct board_stats stats;
        board_stats(batch->options.boards[b], &stats);
        slot->sampled_ns[0] = slot->sampled_ns[1];
        slot->busy_ns[0] = slot->busy_ns[1];
        slot->sampled_ns[1] = now_ns;
        slot->busy_ns[1] = stats.busy_ns;
    }
}

double room_busy_share(const struct room_slot *slot, uint64_t busy_ns, uint64_t now_ns)
{
    int from = slot->sampled_ns[0] == 0;
    if (slot->sampled_ns[from] == 0 || now_ns <= slot->sampled_ns[from])
        return 0;
    double share = (double)(busy_ns - slot->busy_ns[from]) / (double)(now_ns - slot->sampled_ns[from]);
    return share < 1 ? share : 1; /* a task counts when it ends */
}

/* The board whose test has been due for longest, or -1: each gets its turn, however often another fails. */
static int next_patient(struct batch *batch, uint64_t now)
{
    int patient = -1;
    uint64_t first_ns = now + 1;
    for (uint32_t b = 0; b < batch->options.n_boards; b++) {
        uint64_t due_ns = health_due_ns(&batch->slots[b].health, batch->usable == 0);
        if (due_ns >= first_ns)
            continue;
        first_ns = due_ns;
        patient = (int)b;
    }
    return patient;
}

static bool any_quarantined(const struct batch *batch)
{
    for (uint32_t b = 0; b < batch->options.n_boards; b++)
        if (batch->slots[b].health.state == HEALTH_QUARANTINED)
            return true;
    return false;
}

/* Reset and test; without the lock. A board that does not take its image may not be at fault: the image may be. */
static enum status examine(struct batch *batch, struct board *board, struct error *err)
{
    enum status status = board_reset(board, err);
    if (status != STATUS_OK && !image_verify(batch->options.image)) {
        status = room_heal(batch, err);
        if (status == STATUS_OK)
            status = board_reset(board, err);
    }
    return status == STATUS_OK ? board_selftest(board, err) : status;
}

/* The end of a test; with the lock. True where it is worth telling: a dead board fails in the same way for ever. */
static bool conclude(struct batch *batch, struct room_slot *slot, enum status status, const struct error *err)
{
    uint64_t now = clock_now_ns();
    if (status == STATUS_OK) {
        health_passed(&slot->health, now);
        batch->usable++;
        return true;
    }
    bool news = strncmp(slot->last_error, err->message, sizeof slot->last_error - 1) != 0 ||
                now - slot->announced_ns >= ANNOUNCE_NS;
    if (news)
        slot->announced_ns = now;
    room_note_error(slot, now, err);
    health_failed(&slot->health, now);
    return news;
}

static void treat(struct batch *batch, uint32_t b)
{
    struct board *board = batch->options.boards[b];
    struct room_slot *slot = &batch->slots[b];
    char why[sizeof slot->last_error];
    memcpy(why, slot->last_error, sizeof why);
    bool announced = slot->announced;
    slot->announced = true;
    pthread_mutex_unlock(&batch->lock);
    if (!announced)
        room_announce(batch, BATCH_BOARD_OUT, board_name(board), why);
    struct error err = {0};
    enum status status = examine(batch, board, &err);
    struct room_settled settled = {0};
    pthread_mutex_lock(&batch->lock);
    if (status == STATUS_OK && slot->flight)
        status = error_set(&err, STATUS_BACKEND, "board %s: its last task is still to come back", board_name(board));
    bool news = conclude(batch, slot, status, &err);
    room_plan(batch, &settled);
    pthread_mutex_unlock(&batch->lock);
    room_tell(&settled);
    if (news)
        room_announce(batch, status == STATUS_OK ? BATCH_BOARD_BACK : BATCH_TEST_FAILED, board_name(board),
                      status == STATUS_OK ? "" : err.message);
    pthread_mutex_lock(&batch->lock);
}

/* Until someone is ill, or `until_ns` (0: no end). */
static void rest(struct batch *batch, uint64_t until_ns)
{
    if (any_quarantined(batch) && (until_ns == 0 || until_ns > clock_now_ns() + TICK_NS))
        until_ns = clock_now_ns() + TICK_NS;
    struct timespec until = {(time_t)(until_ns / 1000000000u), (long)(until_ns % 1000000000u)};
    if (until_ns == 0)
        pthread_cond_wait(&batch->wake, &batch->lock);
    else
        pthread_cond_timedwait(&batch->wake, &batch->lock, &until);
}

void *room_medic_main(void *cookie)
{
    struct batch *batch = cookie;
    uint64_t interval = batch->options.scrub_interval_ns, scrub_ns = interval ? clock_now_ns() + interval : 0;
    pthread_mutex_lock(&batch->lock);
    while (!batch->stop_threads) {
        uint64_t now = clock_now_ns();
        int patient = next_patient(batch, now);
        if (patient >= 0) {
            health_begin_test(&batch->slots[patient].health);
            treat(batch, (uint32_t)patient);
        } else if (scrub_ns && now >= scrub_ns) {
            pthread_mutex_unlock(&batch->lock);
            room_scrub(batch);
            pthread_mutex_lock(&batch->lock);
            scrub_ns = clock_now_ns() + interval;
        } else {
            rest(batch, scrub_ns);
        }
    }
    pthread_mutex_unlock(&batch->lock);
    return NULL;
}
