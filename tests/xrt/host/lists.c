/* A host of the genuine XRT without bertd: a small model on a card, lists of commands, and whether their bits are those
 * of an emulated board. What goes wrong is told, and is for whoever runs it to judge.
 *
 *     xrt-lists XCLBIN DEVICE UNIT SECONDS
 *
 * DEVICE is an index; UNIT a compute unit's name; SECONDS how long a list may take. Each line of the input asks for so
 * many lists; at its end the card is closed. Prints a line for each step: "ready", "state 4, status 0, same
 * bits", "closed".
 */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xrt/xrt_bo.h>
#include <xrt/xrt_device.h>
#include <xrt/xrt_kernel.h>

#include "accel/backend_selftest.h"
#include "accel/card/card.h"
#include "accel/card/kernel.h"
#include "accel/float_mode.h"
#include "accel/ref/ref.h"

enum { LAYERS = 2, HIDDEN = 64, SEQUENCES = 3, ROWS = 40 };
static const uint32_t cu_seqlens[SEQUENCES + 1] = {0, 1, 23, ROWS};

/* What an emulated board makes of the batch, and what a card begins with. */
struct expected {
    struct image *image;
    uint32_t ids[ROWS];
    float embedded[ROWS * HIDDEN], hidden[ROWS * HIDDEN];
};

struct host {
    xrtDeviceHandle device;
    xrtKernelHandle kernel;
    xrtBufferHandle memory, list, record;
    struct card card;
    char *bytes; /* of `memory`, mapped */
    int seconds;
};

static void check(bool good, const char *what)
{
    if (good)
        return;
    printf("failed: %s\n", what);
    exit(1);
}

static void must(enum status status, const struct error *err)
{
    check(status == STATUS_OK, err->message);
}

/* The emulated board ---------------------------------------------------------------------------------------------- */

static void on_done(struct board_task *task, enum status status, const struct error *err)
{
    must(status, err);
    sem_post(task->cookie);
}

static void expect(struct expected *e)
{
    static const struct image_shape shape = {.hidden = HIDDEN,
                                             .layers = LAYERS,
                                             .heads = 2,
                                             .intermediate = 128,
                                             .vocab = 50,
                                             .positions = 32,
                                             .types = 1,
                                             .activation = IMAGE_GELU,
                                             .layer_norm_eps = 1e-12f};
    struct error err;
    struct board *board = NULL;
    sem_t done;
    must(backend_selftest_image(&e->image, &shape, IMAGE_INT8, board_sections(NULL), &err), &err);
    uint32_t mode = float_mode_set();
    for (uint32_t s = 0; s < SEQUENCES; s++)
        for (uint32_t row = cu_seqlens[s]; row < cu_seqlens[s + 1]; row++) {
            e->ids[row] = (row * 7 + 3) % shape.vocab;
            check(ref_embed(e->embedded + (size_t)row * HIDDEN, e->image, e->ids[row], row - cu_seqlens[s], 0),
                  "the embedding");
        }
    float_mode_restore(mode);
    struct board_job job = {.image = e->image,
                            .n_seqs = SEQUENCES,
                            .n_rows = ROWS,
                            .cu_seqlens = cu_seqlens,
                            .ids = e->ids,
                            .hidden = e->hidden};
    struct board_task task = {
        .job = &job, .kind = BOARD_RUN, .layer_end = LAYERS, .row_end = ROWS, .on_done = on_done, .cookie = &done};
    sem_init(&done, 0, 0);
    must(board_open(&board, &(struct board_options){0}, &err), &err);
    must(board_load(board, e->image, 0, LAYERS, &err), &err);
    board_submit(board, &task);
    while (sem_wait(&done) != 0)
        ;
    board_close(&board);
    sem_destroy(&done);
}

/* The card -------------------------------------------------------------------------------------------------------- */

static void open_card(struct host *host, const char *xclbin, unsigned device, const char *unit,
                      const struct image *image)
{
    char name[64];
    xuid_t uuid;
    struct error err;
    host->device = xrtDeviceOpen(device);
    check(host->device, "xrtDeviceOpen");
    check(xrtDeviceLoadXclbinFile(host->device, xclbin) == 0, "xrtDeviceLoadXclbinFile");
    check(xrtDeviceGetXclbinUUID(host->device, uuid) == 0, "xrtDeviceGetXclbinUUID");
    snprintf(name, sizeof name, CARD_KERNEL_NAME ":{%s}", unit);
    host->kernel = xrtPLKernelOpen(host->device, uuid, name);
    check(host->kernel, "xrtPLKernelOpen");
    must(card_init(&host->card, image, 0, LAYERS, &err), &err);
    host->memory = xrtBOAlloc(host->device, host->card.size, XRT_BO_FLAGS_NONE,
                              (xrtMemoryGroup)xrtKernelArgGroupId(host->kernel, CARD_ARG_WEIGHTS));
    check(host->memory, "xrtBOAlloc");
    host->bytes = xrtBOMap(host->memory);
    check(host->bytes, "xrtBOMap");
    host->card.base = xrtBOAddress(host->memory);
    host->list = xrtBOSubAlloc(host->memory, (size_t)CARD_MAX_COMMANDS * ACCEL_COMMAND_BYTES, host->card.list);
    host->record = xrtBOSubAlloc(host->memory, ACCEL_RECORD_BYTES, host->card.record);
    check(host->list && host->record, "xrtBOSubAlloc");
    card_fill(&host->card, host->bytes);
    check(xrtBOSync(host->memory, XCL_BO_SYNC_BO_TO_DEVICE, host->card.size, 0) == 0, "xrtBOSync");
}

static void close_card(struct host *host)
{
    xrtBOFree(host->list);
    xrtBOFree(host->record);
    xrtBOFree(host->memory);
    xrtKernelClose(host->kernel);
    xrtDeviceClose(host->device);
    printf("closed\n");
}

static void put(const struct host *host, uint64_t at, size_t size)
{
    check(xrtBOSync(host->memory, XCL_BO_SYNC_BO_TO_DEVICE, size, at) == 0, "xrtBOSync to the card");
}

static void get(const struct host *host, uint64_t at, size_t size)
{
    check(xrtBOSync(host->memory, XCL_BO_SYNC_BO_FROM_DEVICE, size, at) == 0, "xrtBOSync from the card");
}

static int start_and_wait(const struct host *host)
{
    xrtRunHandle run = xrtRunOpen(host->kernel);
    check(run, "xrtRunOpen");
    check(xrtRunSetArg(run, CARD_ARG_LIST, host->list) == 0 && xrtRunSetArg(run, CARD_ARG_COUNT, 1) == 0 &&
              xrtRunSetArg(run, CARD_ARG_RECORD, host->record) == 0 &&
              xrtRunSetArg(run, CARD_ARG_WEIGHTS, host->memory) == 0,
          "xrtRunSetArg");
    check(xrtRunStart(run) == 0, "xrtRunStart");
    int state = (int)xrtRunState(run);
    for (int ms = 0; state < ERT_CMD_STATE_COMPLETED && ms < 1000 * host->seconds;
         ms++) { /* xrtRunWaitFor of 2.13 waits for ever */
        usleep(1000);
        state = (int)xrtRunState(run);
    }
    if (state == ERT_CMD_STATE_COMPLETED)
        xrtRunClose(run);
    return state;
}

/* One list. */
static void play(const struct host *host, const struct expected *e)
{
    const struct card *card = &host->card;
    const struct card_command command = {
        .kind = BOARD_RUN, .layer_end = LAYERS, .cu_seqlens = cu_seqlens, .n_seqs = SEQUENCES};
    struct card_record record = {.status = UINT32_MAX};
    static float hidden[ROWS * HIDDEN];
    card_put_command(card, host->bytes, 0, &command);
    card_put_rows(card, host->bytes, e->embedded, 0, ROWS);
    card_clear_record(card, host->bytes);
    put(host, card->rows, sizeof hidden);
    put(host, card->list, ACCEL_COMMAND_BYTES);
    put(host, card->record, ACCEL_RECORD_BYTES);
    int state = start_and_wait(host);
    if (state != ERT_CMD_STATE_COMPLETED) {
        printf("state %d\n", state);
        _exit(1); /* XRT would wait for the list */
    }
    get(host, card->rows, sizeof hidden);
    get(host, card->record, ACCEL_RECORD_BYTES);
    card_get_rows(card, host->bytes, hidden, 0, ROWS);
    card_get_record(card, host->bytes, &record);
    bool same = memcmp(hidden, e->hidden, sizeof hidden) == 0;
    printf("state %d, status %d, %s bits\n", state, (int)record.status, same ? "same" : "other");
}

int main(int argc, char **argv)
{
    static struct expected expected;
    struct host host;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc != 5) {
        fprintf(stderr, "usage: xrt-lists XCLBIN DEVICE UNIT SECONDS\n");
        return 2;
    }
    expect(&expected);
    open_card(&host, argv[1], (unsigned)atoi(argv[2]), argv[3], expected.image);
    host.seconds = atoi(argv[4]);
    printf("ready\n");
    for (char line[32]; fgets(line, sizeof line, stdin);)
        for (int lists = atoi(line); lists > 0; lists--)
            play(&host, &expected);
    close_card(&host);
    image_release(&expected.image);
    return 0;
}
