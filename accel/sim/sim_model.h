/* The engine's registers and memory ports, simulated cycle by cycle: Verilator's model of accel/rtl with a card's
 * memory behind its AXI ports. For accel/sim, accel/device and tests/rtl.
 */
#ifndef BERTD_ACCEL_SIM_MODEL_H
#define BERTD_ACCEL_SIM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sim_model;

/** The memory behind the ports. Zeroed members: no stalls, answers as soon as they can come. */
struct sim_model_options {
    size_t memory;              /* bytes */
    void *bytes;                /* those, borrowed; NULL: the model has some of its own */
    uint64_t base;              /* where they begin on the bus, a multiple of 4096; all else here counts from there */
    uint32_t read_latency;      /* cycles from a burst's address to its first beat */
    uint32_t answer_latency;    /* cycles from a burst's last beat to the answer to it, besides those */
    uint32_t stall_per_mille;   /* chance that a channel does not move in a cycle, the registers' included */
    uint64_t late_address;      /* bursts that read or write here are late */
    uint32_t late_cycles;       /* by so many cycles */
    uint32_t error_per_mille;   /* chance that a burst is answered with an error */
    uint64_t bad_address;       /* bursts that touch this are, */
    bool bad_reads, bad_writes; /* where they read, where they write */
    uint64_t record;            /* address that lists get for their record */
    uint64_t seed;              /* of stalls, errors and the registers' state before the first reset */
};

/** What the counters say of the last list. */
struct sim_model_counts {
    uint64_t cycles;
    uint64_t array; /* the array stepped */
    uint64_t wait_weights, wait_rows, wait_drain;
    uint64_t idle; /* the array had no job */
    uint64_t beats_read, beats_written;
};

/** New, after a reset; free with sim_model_destroy. NULL: no memory. */
struct sim_model *sim_model_create(const struct sim_model_options *options);
void sim_model_destroy(struct sim_model **model);
/** The card's memory: read and written by the host at will, between cycles. */
void *sim_model_memory(struct sim_model *model);
/** But for the memory, its base and the record's address. */
void sim_model_set_options(struct sim_model *model, const struct sim_model_options *options);
void sim_model_set_record(struct sim_model *model, uint64_t record);
/** Hold reset for a few cycles; whatever was under way is gone. The memory keeps its contents. */
void sim_model_reset(struct sim_model *model);
/** Write the registers and ap_start; the list lies so far behind the memory's begin. */
void sim_model_start(struct sim_model *model, uint64_t list, uint32_t count);
/** Clock until the engine is done or `cycles` have passed; true when it is done. */
bool sim_model_run(struct sim_model *model, uint64_t cycles);
uint32_t sim_model_read(struct sim_model *model, uint32_t reg);
void sim_model_write(struct sim_model *model, uint32_t reg, uint32_t value);
/** Only the bytes whose bits are set in `strobes`. */
void sim_model_write_bytes(struct sim_model *model, uint32_t reg, uint32_t value, uint32_t strobes);
/** The registers that say which list, as sim_model_start begins. */
void sim_model_set_list(struct sim_model *model, uint64_t list, uint32_t count);
bool sim_model_interrupt(const struct sim_model *model);
void sim_model_counts(struct sim_model *model, struct sim_model_counts *ret);
/** Beats that have moved on the memory's ports since the model is there. */
void sim_model_beats(const struct sim_model *model, uint64_t *ret_read, uint64_t *ret_written);
/** The last breach of a rule of AXI (4 KiB boundary, last beat, a register that does not answer) or of the record's
 *  (behind all other writes, done when it is answered), or NULL. */
const char *sim_model_breach(const struct sim_model *model);
/** Verilator's context of the simulation (a VerilatedContext), borrowed. */
void *sim_model_context(struct sim_model *model);
uint32_t sim_model_rows(void); /**< of the array: 64 multiply-accumulates a cycle each */
uint32_t sim_model_slices(void);
uint32_t sim_model_tokens(void); /**< most of a sequence, and of all together */

#ifdef __cplusplus
}
#endif

#endif
