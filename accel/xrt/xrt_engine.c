#include "accel/xrt/xrt_engine.h"

#include "accel/float_mode.h"
#include "accel/xrt/xrt_card.h"
#include "base/mem.h"

struct xrt {
    struct engine base;
    struct xrt_unit *unit;
    struct xrt_resident *resident;
    struct card cards[XRT_SLOTS]; /* the resident's, with the shift of each slot */
};

static enum status xrt_create(struct engine **ret, void *device, const struct image *image, bool verify,
                              struct error *err)
{
    struct xrt *xrt = mem_calloc(1, sizeof *xrt);
    if (!xrt)
        return error_set(err, STATUS_NO_MEMORY, "no memory for an engine");
    *xrt = (struct xrt){.base = {&xrt_engine, image, verify}, .unit = device};
    enum status status = xrt_card_attach(&xrt->resident, xrt->unit, (struct image *)image, err);
    if (status) {
        mem_free(xrt);
        return status;
    }
    for (uint32_t slot = 0; slot < XRT_SLOTS; slot++) {
        xrt->cards[slot] = xrt->resident->card;
        xrt->cards[slot].work_shift = xrt->resident->shifts[xrt->unit->unit * XRT_SLOTS + slot];
    }
    *ret = &xrt->base;
    return STATUS_OK;
}

static void xrt_destroy(struct engine *engine)
{
    struct xrt *xrt = (struct xrt *)engine;
    xrt_card_detach(xrt->unit, xrt->resident);
    mem_free(xrt);
}

/* Lists ------------------------------------------------------------------------------------------------------------ */

/* A task on its way through the slots: some spans are with the card, others are still to be sent. */
struct passage {
    struct xrt *xrt;
    const struct board_task *task;
    const atomic_bool *stop;
    struct card_span next; /* to be sent */
    struct card_span sent[XRT_SLOTS];
    uint32_t begun, ended; /* spans sent, and answered */
    bool promised;         /* the host process waits for another */
};

static struct xrt_range range(const struct card *card, uint64_t begin, uint64_t size)
{
    return (struct xrt_range){begin - card->work, size};
}

/* Keys and values of the span's sequence, from its first token on. */
static uint32_t put_kv_ranges(struct xrt_range *ranges, const struct card *card, uint32_t tokens)
{
    uint64_t heads = card->image->shape.heads, rows = (tokens + IMAGE_PANEL - 1) / IMAGE_PANEL * IMAGE_PANEL * heads;
    ranges[0] = range(card, card->keys, rows * card->image->head_dim_padded);
    ranges[1] = range(card, card->values, rows * card->image->head_dim_padded);
    ranges[2] = range(card, card->key_scales, rows * sizeof(float));
    ranges[3] = range(card, card->value_scales, rows * sizeof(float));
    return 4;
}

/* The list, the record and the rows lie one behind the other. */
static void put_ranges(struct xrt_run *run, const struct card *card, const struct card_span *span)
{
    uint64_t rows_end = card->rows + (uint64_t)span->end * card->image->shape.hidden * sizeof(float);
    bool gives_kv = span->command.kind == BOARD_PROJECT, takes_kv = span->command.kind == BOARD_FINISH;
    run->to[run->n_to++] = range(card, card->list, rows_end - card->list);
    if (takes_kv)
        run->n_to +=
            put_kv_ranges(run->to + run->n_to, card, span->command.cu_seqlens[1] - span->command.cu_seqlens[0]);
    uint64_t back_end = gives_kv ? card->record + ACCEL_RECORD_BYTES : rows_end;
    run->from[run->n_from++] = range(card, card->record, back_end - card->record);
    if (gives_kv)
        run->n_from += put_kv_ranges(run->from + run->n_from, card, span->end);
}

static bool is_unwanted(const struct passage *passage)
{
    return (passage->stop && atomic_load(passage->stop)) || atomic_load(&passage->task->job->cancelled);
}

static enum status send_span(struct passage *passage, struct error *err)
{
    struct xrt *xrt = passage->xrt;
    uint32_t slot = passage->begun % XRT_SLOTS, unit = xrt->unit->unit;
    struct card_span *span = &passage->sent[slot];
    *span = passage->next;
    if (is_unwanted(passage))
        return error_set(err, STATUS_CANCELLED, "the job was cancelled");
    enum status status = card_put_span(&xrt->cards[slot], xrt_resident_slot(xrt->resident, unit, slot),
                                       passage->task->job, span, xrt->base.verify, err);
    if (!status)
        status = card_next_span(&passage->next, passage->task, err);
    if (status)
        return status;
    struct xrt_request request = {.kind = XRT_RUN, .place = xrt->resident->place};
    request.run = (struct xrt_run){.slot = slot, .more = passage->next.end > 0, .verify = xrt->base.verify};
    put_ranges(&request.run, &xrt->cards[slot], span);
    status = xrt_host_tell(xrt->resident->host, unit, &request, err);
    passage->promised = request.run.more;
    passage->begun += !status;
    return status;
}

static enum status receive_span(struct passage *passage, struct error *err)
{
    struct xrt *xrt = passage->xrt;
    uint32_t slot = passage->ended++ % XRT_SLOTS, unit = xrt->unit->unit;
    struct xrt_answer answer;
    enum status status = xrt_host_await(xrt->resident->host, unit, passage->stop, &answer, err);
    if (!status)
        status = card_get_span(&xrt->cards[slot], xrt_resident_slot(xrt->resident, unit, slot), passage->task->job,
                               &passage->sent[slot], err);
    return status;
}

/* What is with the card uses the slots: wait for it, whatever else went wrong. */
static void settle(struct passage *passage)
{
    struct xrt *xrt = passage->xrt;
    struct xrt_request request = {.kind = XRT_NO_MORE};
    struct xrt_answer answer;
    if (passage->promised)
        xrt_host_tell(xrt->resident->host, xrt->unit->unit, &request, NULL);
    for (; passage->ended < passage->begun; passage->ended++)
        xrt_host_await(xrt->resident->host, xrt->unit->unit, passage->stop, &answer, NULL);
}

static enum status xrt_run_layers(struct engine *engine, const struct board_task *task, const atomic_bool *stop,
                                  struct error *err)
{
    struct passage passage = {.xrt = (struct xrt *)engine, .task = task, .stop = stop};
    float_mode_set(); /* for the embedding */
    enum status status = card_next_span(&passage.next, task, err);
    while (!status && (passage.next.end || passage.ended < passage.begun))
        status = passage.next.end && passage.begun - passage.ended < XRT_SLOTS ? send_span(&passage, err)
                                                                               : receive_span(&passage, err);
    if (status) {
        settle(&passage);
        if (status != STATUS_CANCELLED)
            passage.xrt->resident->suspect = true;
    }
    return status;
}

static enum status xrt_scrub(struct engine *engine, struct error *err)
{
    return xrt_resident_verify(((struct xrt *)engine)->resident, err);
}

const struct engine_ops xrt_engine = {.name = "xrt",
                                      .precision = IMAGE_INT8,
                                      .create_on = xrt_create,
                                      .destroy = xrt_destroy,
                                      .run_layers = xrt_run_layers,
                                      .scrub = xrt_scrub,
                                      .selftest_ns = 5000000000ull,
                                      .is_card = true};
