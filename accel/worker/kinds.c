/* The kinds of boards that are workers, each with its engine. */
#include <stdio.h>

#ifdef BERTD_RTL
#include "accel/sim/sim_engine.h"
#endif
#include "accel/worker/worker.h"
#include "accel/worker/worker_board.h"
#include "accel/xrt/xrt_engine.h"

static enum status open_xrt(struct board **ret, const struct board_options *options, struct error *err)
{
    struct xrt_unit *unit = NULL;
    struct board *board = NULL;
    enum status status = xrt_unit_open(&unit, options, err);
    if (!status)
        status = worker_open(&board, &worker_xrt_backend, &xrt_engine, options, err);
    if (status) {
        xrt_unit_close(&unit);
        return status;
    }
    ((struct worker *)board)->device = unit;
    int n = snprintf(board->name, sizeof board->name, "xrt%s", options->card);
    if (xrt_unit_siblings(unit) > 1)
        snprintf(board->name + n, sizeof board->name - (size_t)n, "u%u", options->unit);
    *ret = board;
    return STATUS_OK;
}

static void close_xrt(struct board *board)
{
    struct xrt_unit *unit = ((struct worker *)board)->device;
    worker_close(board);
    xrt_unit_close(&unit);
}

static void xrt_stats(struct board *board, struct board_stats *ret)
{
    worker_stats(board, ret);
    xrt_unit_sense(((struct worker *)board)->device, ret);
}

static uint32_t xrt_siblings(const struct board *board)
{
    return xrt_unit_siblings(((const struct worker *)board)->device);
}

static enum status open_emu(struct board **ret, const struct board_options *options, struct error *err)
{
    return worker_open(ret, &worker_emu_backend, &cpu_engine, options, err);
}

static enum status open_ref(struct board **ret, const struct board_options *options, struct error *err)
{
    return worker_open(ret, &worker_ref_backend, &ref_engine, options, err);
}

static enum status open_fp32(struct board **ret, const struct board_options *options, struct error *err)
{
    return worker_open(ret, &worker_fp32_backend, &fp32_engine, options, err);
}

#ifdef BERTD_RTL
static enum status open_rtl(struct board **ret, const struct board_options *options, struct error *err)
{
    return worker_open(ret, &worker_rtl_backend, &sim_engine, options, err);
}
#endif

#define WORKER                                                                                                         \
    .close = worker_close, .load = worker_load, .submit = worker_submit, .cancel = worker_cancel,                      \
    .reset = worker_reset, .stats = worker_stats, .scrub = worker_scrub, .inject = worker_inject

static size_t emu_exchange_size(const struct image *image, uint32_t rows, uint32_t n)
{
    return cpu_engine.exchange_size(image, rows, n);
}

static const char *portable(void)
{
    return "c";
}

const struct board_backend worker_emu_backend = {.kind = "emu",
                                                 .compute_type = "fpga+emulated",
                                                 .instruction_set = cpu_engine_instruction_set,
                                                 .sections = cpu_engine_sections,
                                                 .exchange_size = emu_exchange_size,
                                                 .open = open_emu,
                                                 .selftest = worker_selftest,
                                                 WORKER};
const struct board_backend worker_ref_backend = {.kind = "ref",
                                                 .compute_type = "cpu",
                                                 .instruction_set = portable,
                                                 .open = open_ref,
                                                 .selftest = worker_selftest,
                                                 WORKER};
const struct board_backend worker_fp32_backend = {.kind = "fp32",
                                                  .compute_type = "cpu",
                                                  .instruction_set = fp32_engine_instruction_set,
                                                  .open = open_fp32,
                                                  .selftest = worker_selftest,
                                                  WORKER};
static const char *synthesised(void)
{
    return "rtl";
}

const struct board_backend worker_xrt_backend = {.kind = "xrt",
                                                 .compute_type = "fpga",
                                                 .instruction_set = synthesised,
                                                 .open = open_xrt,
                                                 .close = close_xrt,
                                                 .load = worker_load,
                                                 .submit = worker_submit,
                                                 .cancel = worker_cancel,
                                                 .reset = worker_reset,
                                                 .selftest = worker_selftest,
                                                 .stats = xrt_stats,
                                                 .scrub = worker_scrub,
                                                 .inject = worker_inject,
                                                 .siblings = xrt_siblings};
#ifdef BERTD_RTL
static const char *simulated(void)
{
    return "rtl";
}

/* Its self-test is a smaller one: simulation is slow, and the engine does not take every shape. */
const struct board_backend worker_rtl_backend = {.kind = "rtl-sim",
                                                 .compute_type = "cpu",
                                                 .instruction_set = simulated,
                                                 .open = open_rtl,
                                                 .selftest = sim_selftest,
                                                 WORKER};
#endif
