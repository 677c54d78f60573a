/* The emulated board: one thread of this process around one engine, with a queue of tasks. */
#ifndef BERTD_ACCEL_EMU_H
#define BERTD_ACCEL_EMU_H

#include "accel/backend.h"

extern const struct board_backend emu_backend;      /* "emu": cpu_engine */
extern const struct board_backend emu_ref_backend;  /* "ref": ref_engine */
extern const struct board_backend emu_fp32_backend; /* "fp32": fp32_engine */
extern const struct board_backend emu_rtl_backend;  /* "rtl-sim": sim_engine, where BERTD_RTL is on */

#endif
