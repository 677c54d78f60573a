#include "server/batch/flight.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/round_up.h"
#include "server/batch/pooling.h"

enum { ALIGN = 64 };
/* No board of a split has fewer rows. */
enum { FEW_ROWS = 4 };
_Static_assert((int)PLANNER_MAX_SPLIT <= (int)BOARD_TEAM_MAX, "whoever may share a batch may be a team");
/* Kernels may take as long for a row as for so many, so times of shards that differ tell paces only where that is
 * little of them. */
enum { STEP = 16 };

static size_t padded(size_t size)
{
    return round_up(size, ALIGN);
}

/* Hand out the next part of one allocation. */
static void *carve(unsigned char **at, size_t size)
{
    void *part = *at;
    *at += padded(size);
    return part;
}

static bool any_types(const struct queue_entry *entries, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (entries[i].item->type_ids)
            return true;
    return false;
}

static void fill_rows(struct flight *flight, uint32_t *cu_seqlens, uint32_t *ids, uint8_t *types)
{
    uint32_t row = 0;
    for (uint32_t i = 0; i < flight->n_entries; i++) {
        const struct batch_item *item = flight->entries[i].item;
        cu_seqlens[i] = row;
        memcpy(ids + row, item->ids, item->n_tokens * sizeof *ids);
        if (types && item->type_ids)
            memcpy(types + row, item->type_ids, item->n_tokens);
        else if (types)
            memset(types + row, 0, item->n_tokens);
        row += item->n_tokens;
        flight->load = cost_add(flight->load, item->n_tokens);
    }
    cu_seqlens[flight->n_entries] = row;
}

struct flight *flight_create(const struct image *image, const struct queue_entry *entries, uint32_t n)
{
    size_t rows = 0;
    for (uint32_t i = 0; i < n; i++)
        rows += entries[i].item->n_tokens;
    size_t hidden_size = rows * image->shape.hidden * sizeof(float);
    bool types = any_types(entries, n);
    size_t size = padded(sizeof(struct flight)) + padded(n * sizeof *entries) + padded((n + 1) * sizeof(uint32_t)) +
                  padded(rows * sizeof(uint32_t)) + (types ? padded(rows) : 0) + padded(hidden_size) +
                  padded(rows * sizeof(uint32_t));
    unsigned char *at = mem_alloc_aligned(ALIGN, size);
    if (!at)
        return NULL;
    struct flight *flight = carve(&at, sizeof *flight);
    memset(flight, 0, sizeof *flight);
    flight->class = entries[0].work->class;
    flight->n_entries = n;
    flight->n_left = n;
    flight->entries = carve(&at, n * sizeof *entries);
    memcpy(flight->entries, entries, n * sizeof *entries);
    uint32_t *cu_seqlens = carve(&at, (n + 1) * sizeof *cu_seqlens);
    uint32_t *ids = carve(&at, rows * sizeof *ids);
    uint8_t *type_ids = types ? carve(&at, rows) : NULL;
    fill_rows(flight, cu_seqlens, ids, type_ids);
    flight->job.image = image;
    flight->job.n_seqs = n;
    flight->job.n_rows = (uint32_t)rows;
    flight->job.cu_seqlens = cu_seqlens;
    flight->job.ids = ids;
    flight->job.type_ids = type_ids;
    flight->job.hidden = carve(&at, hidden_size);
    flight->shards = &flight->whole;
    flight->job.hidden_sums = carve(&at, rows * sizeof(uint32_t));
    return flight;
}

void flight_destroy(struct flight **flight)
{
    if (!*flight)
        return;
    mem_free((*flight)->split_memory);
    mem_free((*flight)->team_memory);
    mem_free(*flight);
    *flight = NULL;
}

/* What the boards of any team exchange, and its shards, once, when it is first run as one. */
static enum status reserve_team(struct flight *flight, const struct flight_plan *plan)
{
    if (flight->team)
        return STATUS_OK;
    const struct board_job *job = &flight->job;
    size_t exchange_size = board_exchange_size(plan->pool[plan->boards[0]], job->image, job->n_rows, PLANNER_MAX_SPLIT);
    size_t shards_size = PLANNER_MAX_SPLIT * sizeof(struct flight_shard);
    unsigned char *memory =
        mem_alloc_aligned(ALIGN, padded(sizeof(struct board_team)) + padded(shards_size) + exchange_size);
    if (!memory)
        return STATUS_NO_MEMORY;
    flight->team_memory = memory;
    flight->team = carve(&memory, sizeof *flight->team);
    flight->members = carve(&memory, shards_size);
    memset(flight->members, 0, shards_size);
    flight->team->exchange = memory;
    return STATUS_OK;
}

/* Keys and values of the whole job, and shards for any split, once, when it is first split. */
static enum status reserve_split(struct flight *flight)
{
    if (flight->job.kv)
        return STATUS_OK;
    const struct board_job *job = &flight->job;
    size_t kv_size = board_kv_size(job->image, job->cu_seqlens, job->n_seqs);
    size_t blocks_size = padded((job->n_seqs + 1) * sizeof(uint32_t));
    size_t shards_size = PLANNER_MAX_SPLIT * sizeof(struct flight_shard);
    unsigned char *memory =
        mem_alloc_aligned(ALIGN, padded(kv_size) + blocks_size + padded(sizeof(struct board_kv)) + shards_size);
    if (!memory)
        return STATUS_NO_MEMORY;
    memset(memory, 0, kv_size);
    flight->split_memory = memory;
    void *keys_and_values = carve(&memory, kv_size);
    uint32_t *blocks = carve(&memory, blocks_size);
    struct board_kv *kv = carve(&memory, sizeof *kv);
    flight->split = carve(&memory, shards_size);
    memset(flight->split, 0, shards_size);
    board_kv_init(kv, job->image, job->cu_seqlens, job->n_seqs, keys_and_values, blocks);
    flight->job.kv = kv;
    return STATUS_OK;
}

enum status flight_reserve(struct flight *flight, const struct flight_plan *plan)
{
    if (plan->n == 1)
        return STATUS_OK;
    return plan->placement == BATCH_TENSOR ? reserve_team(flight, plan) : reserve_split(flight);
}

static void submit(struct flight_shard *shard, struct board_task *task, enum board_task_kind kind, uint32_t layer_begin,
                   uint32_t layer_end)
{
    task->kind = kind;
    task->layer_begin = layer_begin;
    task->layer_end = layer_end;
    board_submit(shard->flight->pool[shard->board], task);
}

static void note_failure(struct flight_shard *shard, enum status status, const struct error *err)
{
    struct flight *flight = shard->flight;
    if (status == STATUS_OK || atomic_exchange(&flight->failing, true))
        return;
    flight->status = status;
    flight->failed_board = shard->board;
    if (err)
        flight->err = *err;
    flight->err.status = status;
}

/* Round 0 projects `layer`; every later round finishes `layer` and projects the one behind it. */
static void start_round(struct flight *flight)
{
    uint32_t layer = flight->layer, n = flight->n_shards;
    bool finish = flight->projected, project = !finish || layer + 1 < flight->until;
    flight->round_ns = clock_now_ns();
    atomic_store(&flight->pending, n);
    for (uint32_t p = 0; p < n; p++)
        atomic_store(&flight->shards[p].busy, true);
    for (uint32_t p = 0; p < n; p++) {
        struct flight_shard *shard = &flight->shards[p];
        if (finish)
            submit(shard, &shard->finish, BOARD_FINISH, layer, layer + 1);
        if (project)
            submit(shard, &shard->project, BOARD_PROJECT, layer + finish, layer + finish + 1);
    }
}

/* How long each board took for its part of the round. */
static void compare_paces(struct flight *flight)
{
    uint32_t n = flight->n_shards;
    double took[PLANNER_MAX_SPLIT], mean = 0;
    for (uint32_t p = 0; p < n; p++) {
        const struct flight_shard *shard = &flight->shards[p];
        took[p] = (double)(shard->ended_ns - flight->round_ns) / shard->work;
        mean += took[p] / n;
    }
    for (uint32_t p = 0; p < n && mean > 0; p++)
        flight->shards[p].pace = pace_after(flight->shards[p].pace, took[p] / mean);
}

/* The shard's last task of a round is done. The first round has only projections, and boards that had to wake up. */
static void report(struct flight_shard *shard)
{
    struct flight *flight = shard->flight;
    shard->ended_ns = clock_now_ns();
    atomic_store(&shard->busy, false);
    if (atomic_fetch_sub(&flight->pending, 1) != 1)
        return;
    if (flight->projected && flight->comparable)
        compare_paces(flight);
    if (flight->projected)
        flight->layer++;
    flight->projected = true;
    bool stop = atomic_load(&flight->failing) || atomic_load(&flight->job.cancelled);
    if (flight->layer < flight->until && !stop)
        start_round(flight);
    else
        flight->on_returned(flight, flight->cookie);
}

static void on_project_done(struct board_task *task, enum status status, const struct error *err)
{
    struct flight_shard *shard = task->cookie;
    note_failure(shard, status, err);
    report(shard);
}

static void on_finish_done(struct board_task *task, enum status status, const struct error *err)
{
    struct flight_shard *shard = task->cookie;
    note_failure(shard, status, err);
    if (task->layer_end == shard->flight->until)
        report(shard);
}

/* Who is cancelled here was so because another failed, who says so itself; or because nobody wants the results. */
static void on_share_done(struct board_task *task, enum status status, const struct error *err)
{
    struct flight_shard *shard = task->cookie;
    struct flight *flight = shard->flight;
    if (status == STATUS_CANCELLED)
        atomic_store(&flight->parted, true);
    else
        note_failure(shard, status, err);
    atomic_store(&shard->busy, false);
    if (atomic_fetch_sub(&flight->pending, 1) != 1)
        return;
    if (!atomic_load(&flight->parted) && !atomic_load(&flight->failing))
        flight->layer = flight->until;
    else if (!atomic_load(&flight->failing))
        flight->status = flight->err.status = STATUS_CANCELLED;
    flight->on_returned(flight, flight->cookie);
}

static void on_run_done(struct board_task *task, enum status status, const struct error *err)
{
    struct flight_shard *shard = task->cookie;
    struct flight *flight = shard->flight;
    note_failure(shard, status, err);
    if (status == STATUS_OK)
        flight->layer = task->layer_end;
    atomic_store(&shard->busy, false);
    flight->on_returned(flight, flight->cookie);
}

static double row_work(const struct flight *flight, uint32_t sequence)
{
    const uint32_t *cu_seqlens = flight->job.cu_seqlens;
    return 1 + flight->pair_weight * (cu_seqlens[sequence + 1] - cu_seqlens[sequence]);
}

/* The row before which there is so much work, where a row costs 1 + pair_weight * S. */
static uint32_t row_at(const struct flight *flight, double work)
{
    const struct board_job *job = &flight->job;
    for (uint32_t s = 0; s < job->n_seqs; s++) {
        uint32_t first = job->cu_seqlens[s], length = job->cu_seqlens[s + 1] - first;
        double row = row_work(flight, s);
        if (work < row * length) {
            uint32_t at = first + (uint32_t)(work / row + 0.5);
            return job->n_rows / flight->n_shards >= 8 ? (at + 2) / 4 * 4 : at; /* kernels like rows by fours */
        }
        work -= row * length;
    }
    return job->n_rows;
}

static double work_before(const struct flight *flight, uint32_t row)
{
    const uint32_t *cu_seqlens = flight->job.cu_seqlens;
    double work = 0;
    for (uint32_t s = 0; s < flight->job.n_seqs && cu_seqlens[s] < row; s++)
        work += row_work(flight, s) * ((cu_seqlens[s + 1] < row ? cu_seqlens[s + 1] : row) - cu_seqlens[s]);
    return work;
}

/* Where shards begin so that all boards are done together. True: they are alike, and so are the shards. */
static bool find_begins(struct flight *flight, uint32_t *ret)
{
    uint32_t n = flight->n_shards, boards[PLANNER_MAX_SPLIT] = {0}, few = flight->job.n_rows / n;
    double total = flight->load.rows + flight->pair_weight * flight->load.pairs, works[PLANNER_MAX_SPLIT];
    double speeds[PLANNER_MAX_SPLIT];
    few = few < FEW_ROWS ? few : FEW_ROWS;
    for (uint32_t p = 0; p < n; p++)
        boards[p] = flight->shards[p].board;
    bool differ = flight->paces && pace_speeds(flight->paces, boards, n, flight->launched_ns, speeds);
    if (differ)
        pace_divide(total, flight->layer_weight, total * few / flight->job.n_rows, speeds, n, works);
    for (uint32_t p = 0; p < n; p++)
        ret[p] = row_at(flight, differ ? works[p] : total * p / n);
    for (uint32_t p = 1; p < n && differ; p++) { /* rows of long sequences cost more than the average */
        uint32_t least = ret[p - 1] + few, most = flight->job.n_rows - (n - p) * few;
        ret[p] = ret[p] < least ? least : ret[p] > most ? most : ret[p];
    }
    return !differ;
}

static void divide(struct flight *flight)
{
    uint32_t n = flight->n_shards, begins[PLANNER_MAX_SPLIT + 1], least = flight->job.n_rows, most = 0;
    bool alike = find_begins(flight, begins);
    begins[n] = flight->job.n_rows;
    for (uint32_t p = 0; p < n; p++) {
        struct flight_shard *shard = &flight->shards[p];
        struct board_task *tasks[] = {&shard->project, &shard->finish};
        for (int t = 0; t < 2; t++) {
            tasks[t]->row_begin = begins[p];
            tasks[t]->row_end = begins[p + 1];
        }
        uint32_t rows = begins[p + 1] - begins[p];
        least = rows < least ? rows : least;
        most = rows > most ? rows : most;
        shard->work = flight->layer_weight + work_before(flight, begins[p + 1]) - work_before(flight, begins[p]);
        shard->pace =
            flight->paces && flight->paces[shard->board].of_late > 0 ? flight->paces[shard->board].of_late : 1;
    }
    flight->comparable = alike ? most - least <= most / STEP : least >= STEP;
}

static void launch_team(struct flight *flight)
{
    const uint32_t n = flight->n_shards;
    atomic_store(&flight->parted, false);
    atomic_store(&flight->pending, n);
    board_team_init(flight->team, n, flight->team->exchange);
    for (uint32_t m = 0; m < n; m++) {
        struct board_task *task = &flight->shards[m].finish;
        task->on_done = on_share_done;
        task->row_end = flight->job.n_rows;
        task->team = flight->team;
        task->member = m;
        atomic_store(&flight->shards[m].busy, true);
    }
    for (uint32_t m = 0; m < n; m++)
        submit(&flight->shards[m], &flight->shards[m].finish, BOARD_TENSOR, flight->layer, flight->until);
}

bool flight_waits(const struct flight *flight, const struct flight_shard *shard)
{
    const struct board_team *team = shard->finish.team;
    if (!team || board_team_is_late(team, shard->finish.member))
        return false;
    for (uint32_t m = 0; m < flight->n_shards; m++)
        if (board_team_is_late(team, m))
            return true;
    return false;
}

void flight_cancel(struct flight *flight)
{
    for (uint32_t s = 0; s < flight->n_shards; s++)
        board_cancel(flight->pool[flight->shards[s].board], &flight->job);
    const struct error err = {.status = STATUS_CANCELLED, .message = "nobody waits for it"};
    if (flight->n_shards > 1 && flight->shards == flight->members)
        board_team_break(flight->team, BOARD_TEAM_NOBODY, &err);
}

static void prepare_shard(struct flight *flight, uint32_t p, uint32_t board)
{
    struct flight_shard *shard = &flight->shards[p];
    shard->flight = flight;
    shard->board = board;
    shard->project = (struct board_task){.job = &flight->job, .on_done = on_project_done, .cookie = shard};
    shard->finish = (struct board_task){
        .job = &flight->job, .on_done = flight->n_shards > 1 ? on_finish_done : on_run_done, .cookie = shard};
}

void flight_launch(struct flight *flight, const struct flight_plan *plan, uint32_t until,
                   void (*on_returned)(struct flight *flight, void *cookie), void *cookie)
{
    const uint32_t n = plan->n;
    flight->pool = plan->pool;
    flight->until = until;
    flight->on_returned = on_returned;
    flight->cookie = cookie;
    flight->n_shards = n;
    const bool is_team = n > 1 && plan->placement == BATCH_TENSOR;
    flight->shards = n == 1 ? &flight->whole : is_team ? flight->members : flight->split;
    flight->projected = false;
    flight->last_board = plan->boards[0];
    flight->status = STATUS_OK;
    atomic_store(&flight->failing, false);
    for (uint32_t p = 0; p < n; p++)
        prepare_shard(flight, p, plan->boards[p]);
    if (is_team) {
        launch_team(flight);
        return;
    }
    divide(flight);
    if (n > 1) {
        start_round(flight);
    } else {
        atomic_store(&flight->shards[0].busy, true);
        submit(&flight->shards[0], &flight->shards[0].finish, BOARD_RUN, flight->layer, until);
    }
}

/* Keys and values go too: whoever failed may have written where zeros must stay. */
void flight_restart(struct flight *flight)
{
    mem_free(flight->split_memory);
    flight->split_memory = NULL;
    mem_free(flight->team_memory);
    flight->team_memory = NULL;
    flight->team = NULL;
    flight->job.kv = NULL;
    flight->shards = &flight->whole;
    flight->n_shards = 0;
    flight->layer = 0;
}

void flight_deliver(struct flight *flight, uint64_t now_ns)
{
    const struct board_job *job = &flight->job;
    uint32_t width = job->image->shape.hidden;
    for (uint32_t i = 0; i < flight->n_entries; i++) {
        struct batch_item *item = flight->entries[i].item;
        if (!item)
            continue;
        const float *rows = job->hidden + ((size_t)job->cu_seqlens[i] + item->first_row) * width;
        batch_pool_rows(item->pooling, rows, item->n_rows ? item->n_rows : item->n_tokens, width, item->out);
        item->queue_ns = flight->begun_ns - flight->entries[i].work->submitted_ns;
        item->inference_ns = now_ns - flight->begun_ns;
    }
}
