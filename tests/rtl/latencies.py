#!/usr/bin/env python3
"""Latencies of bertd_pkg that do not fit end the elaboration. Usage: latencies.py ACCEL_BUILD

Yosys elaborates modules of accel/rtl: as they are, which must go well, and with one constant of bertd_pkg changed to a
value that they cannot have, which must end with their own words. ACCEL_BUILD has the generated header
accel_constants.svh.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

SKIP = 77
RTL = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../accel/rtl"))
# Constant, a value of it, the module that has to object, and its words.
WRONG = [
    ("ULTRA_LATENCY", "1", "bertd_operand_memory", "a memory of style"),
    ("BLOCK_LATENCY", "0", "bertd_slice_buffer", "a memory of style"),
    ("BLOCK_LATENCY", "4", "bertd_checksum", "a row's sum is read before"),
    ("OPERAND_LATENCY", "4", "bertd_matrix_unit", "the weight ring takes"),
    ("ARRAY_EXIT_STAGES", "1", "bertd_array_pick", "a row is picked in"),
    ("CHUNK_PANELS", "32", "bertd_array_control", "a head's scores take"),
    ("SCALAR_LATENCY", "8", "bertd_drain", "the drain needs a word before"),
    ("RESIDUAL_LATENCY", "72", "bertd_drain", "the drain needs a word before"),
    ("DISTRIBUTED_LATENCY", "3", "bertd_drain", "the drain needs a word before"),
    ("SCALAR_LATENCY", "20", "bertd_drain_path", "the drain's path needs a word before"),
    ("ARRAY_DOT_LATENCY", "-3", "bertd_array", "flags take longer than its data"),
    ("RESET_CYCLES", "8", "bertd_reset", "ends before the lines without one are empty"),
    ("FP_PRODUCT_LATENCY", "3", "bertd_fp_product", "bertd_fp_product has"),
    ("FP_ADD_LATENCY", "3", "bertd_fp_add", "bertd_fp_add has"),
    ("FP_ADD_LATENCY", "3", "bertd_fp_butterfly", "bertd_fp_butterfly has"),
    ("FP_MUL_LATENCY", "4", "bertd_fp_mul", "bertd_fp_mul has"),
    ("FP_FMA_LATENCY", "7", "bertd_fp_fma", "bertd_fp_fma has"),
    ("FP_FROM_INT32_LATENCY", "2", "bertd_fp_from_int32", "bertd_fp_from_int32 has"),
    ("FP_TO_INT_LATENCY", "1", "bertd_fp_to_int", "bertd_fp_to_int has"),
    ("FP_MUL_LATENCY", "10", "bertd_vector_slice", "a softmax's sum comes before"),
    ("FP_MUL_LATENCY", "43", "bertd_slice_load", "a pause of"),
]


def with_constant(package, name, value):
    text, n = re.subn(rf"(localparam int {name} = )[^;]+;", rf"\g<1>{value};", package)
    return text if n == 1 else sys.exit(f"bertd_pkg.sv has no {name}, or more than one: change WRONG with it")


def elaborate(folder, include, package, module):
    """What Yosys says of it; None: it is good."""
    path = os.path.join(folder, "bertd_pkg.sv")
    with open(path, "w", encoding="utf-8") as file:
        file.write(package)
    script = [f"read_verilog -sv -DSYNTHESIS -I{include} {path}"]
    script += [f"read_verilog -sv -defer -DSYNTHESIS -I{include} {os.path.join(RTL, name)}"
               for name in sorted(os.listdir(RTL)) if name.endswith(".sv") and name != "bertd_pkg.sv"]
    script.append(f"hierarchy -check -top {module}")
    run = subprocess.run(["yosys", "-q", "-p", "; ".join(script)], capture_output=True, text=True, check=False)
    return None if run.returncode == 0 else (run.stdout + run.stderr).strip()


def main(include):
    if not shutil.which("yosys"):
        print("skipped: no yosys (Debian package yosys), which elaborates the modules")
        return SKIP
    failures = 0
    with open(os.path.join(RTL, "bertd_pkg.sv"), encoding="utf-8") as file:
        package = file.read()
    with tempfile.TemporaryDirectory() as folder:
        for module in ["bertd_engine", *sorted({module for _, _, module, _ in WRONG})]:
            said = elaborate(folder, include, package, module)
            if said:
                print(f"FAILED: {module} as it is: {said}")
                failures += 1
        for name, value, module, words in WRONG:
            said = elaborate(folder, include, with_constant(package, name, value), module)
            if not said or words not in said:
                print(f"FAILED: {module} with {name} = {value}: {said or 'elaborated'}")
                failures += 1
    print("FAILED" if failures else f"{len(WRONG)} latencies that do not fit are noticed")
    return 1 if failures else 0


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]) or len(sys.argv) != 2:
        sys.exit(print(__doc__))
    sys.exit(main(sys.argv[1]))
