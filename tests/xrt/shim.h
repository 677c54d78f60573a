/* A stand-in for XRT's shim: calls on a session by the numbers of their fields, written and read here byte by byte. */
#ifndef TESTS_XRT_SHIM_H
#define TESTS_XRT_SHIM_H

#include "accel/device/session.h"

enum { SHIM_FIELDS = 3, SHIM_GB = 30, SHIM_PAGE = 4096 };

struct shim {
    struct device_control *control;
    struct device_session *session;
    struct buf body; /* of the call that is being put together */
    /* The answer to the last call: fields by number. */
    struct buf answer;
    bool has[SHIM_FIELDS], over;
    uint64_t number[SHIM_FIELDS];
    const unsigned char *bytes[SHIM_FIELDS];
    size_t size[SHIM_FIELDS];
    char folder[64]; /* of the files below, made for the occasion */
    char control_path[96], bitstream_path[96];
    struct error err;
};

/** A session with a control file. The test fails if that fails. */
void shim_open(struct shim *shim);
/** End the session alone. */
void shim_end(struct shim *shim);
void shim_close(struct shim *shim);
void shim_put_number(struct shim *shim, unsigned field, uint64_t value);
void shim_put_bytes(struct shim *shim, unsigned field, const void *bytes, size_t size);
/** Call with what was put together since the last call, and take the answer apart. */
enum status shim_call(struct shim *shim, enum device_call call);
uint64_t shim_count(const struct shim *shim, enum device_count count);

/** What a shim asks for, with all the fields it sends. True: granted. */
bool shim_load(struct shim *shim, const char *bitstream, uint64_t bank);
bool shim_alloc(struct shim *shim, uint64_t address, uint64_t size);
bool shim_free(struct shim *shim, uint64_t address);
bool shim_write(struct shim *shim, uint64_t address, const void *bytes, size_t size);
bool shim_read(struct shim *shim, uint64_t address, void *bytes, size_t size);
/** Start a list on a unit as XRT 2.13 does: all arguments twice, the second time with ap_start. */
void shim_start(struct shim *shim, unsigned unit, uint64_t list, uint32_t count, uint64_t record);
uint32_t shim_poll(struct shim *shim, unsigned unit);

#endif
