/* A worker: a board that is one thread of this process around one engine, with a queue of tasks. */
#ifndef BERTD_ACCEL_WORKER_H
#define BERTD_ACCEL_WORKER_H

#include "accel/backend.h"

extern const struct board_backend worker_emu_backend;  /* "emu": cpu_engine */
extern const struct board_backend worker_ref_backend;  /* "ref": ref_engine */
extern const struct board_backend worker_fp32_backend; /* "fp32": fp32_engine */
extern const struct board_backend worker_xrt_backend;  /* "xrt": xrt_engine */
extern const struct board_backend worker_rtl_backend;  /* "rtl-sim": sim_engine, where BERTD_RTL is on */

#endif
