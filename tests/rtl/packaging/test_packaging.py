#!/usr/bin/env python3
"""The packaging of accel/rtl fits together (check.py), and check.py notices when it does not: mistakes are planted in a
copy, one at a time, and each must be reported in its own words. Usage: test_packaging.py
"""
import os
import shutil
import sys
import tempfile

import check

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")
PACKAGE, KERNEL, WRAPPER = (f"{check.VITIS}/{name}" for name in ("package.tcl", "kernel.xml", "bertd_kernel.v"))
LINK, U50, U200 = f"{check.VITIS}/link.cfg", f"{check.VITIS}/cards/u50.cfg", f"{check.VITIS}/cards/u200.cfg"
RAM, TABLE, FIFO, SUMS = (f"accel/rtl/bertd_{name}.sv" for name in ("ram_1r1w", "table", "stream_fifo", "slice_max"))
SCHEMA, CONTROL, ENGINE = "schemas/accel.json", "accel/rtl/bertd_control.sv", "accel/rtl/bertd_engine.sv"

# File, what stands there, what is written in its place, and words of the complaint.
MISTAKES = [
    (PACKAGE, "`define $define", "`define OTHER", "is packed without BERTD_DSP48E2"),
    (PACKAGE, "$sources BERTD_DSP48E2 $memories", "$sources BERTD_DSP48 {}", "is packed without BERTD_DSP48E2"),
    (PACKAGE, "file copy [file join $constants accel_constants.svh] $sources", "", "accel_constants.svh, which"),
    (PACKAGE, "set_property include_dirs $sources", "set_property include_dirs $work", "in none of include_dirs"),
    (PACKAGE, "accel/rtl/*.sv", "accel/rtl/bertd_[a-f]*.sv", "bertd_weight_ring.sv is not among the files"),
    (PACKAGE, "set_property top bertd_kernel", "set_property top bertd_engine", "the top is not bertd_kernel"),
    (PACKAGE, "{s_axi_control m_axi_weights m_axi_data}", "{s_axi_control m_axi_data}", "m_axi_weights has no clock"),
    (PACKAGE, "m_axi_weights m_axi_data}", "m_axi_weight m_axi_data}", "there is no port m_axi_weight"),
    (PACKAGE, "ipx::save_core", "ipx::store_core", "does not run: invalid command name"),
    (PACKAGE, "-kernel_name bertd_kernel", "-kernel_name bertd_engine", "the kernel's names differ"),
    (PACKAGE, "ROWS $rows SLICES $slices", "ROW $rows SLICES $slices", "ROWS and SLICES do not get through"),
    (PACKAGE, "MAX_TOKENS $tokens", "TOKENS $tokens", "TOKENS does not get through"),
    (PACKAGE, "BERTD_URAM_ECC {}", "BERTD_URAM_EC {}", "bertd_ram_ecc.sv is packed without BERTD_URAM_ECC"),
    (PACKAGE, "{bertd_ram_guarded.sv bertd_ram_ecc.sv}", "bertd_ram_ecc.sv", "bertd_ram_guarded.sv is packed without BERTD_URAM_ECC"),
    (PACKAGE, 'if {$ecc ne ""} {\n    foreach', "if {1} {\n    foreach", "bertd_ram_ecc.sv is packed with BERTD_URAM_ECC"),
    (PACKAGE, "XPM_MEMORY [current_project]", "XPM_CDC [current_project]", "with ecc, current_project has no xpm_libraries"),
    (PACKAGE, "XPM_MEMORY $core", "XPM_FIFO $core", "with ecc, ipx::current_core has no xpm_libraries"),
    (PACKAGE, "-part $part", "-part xcu50-fsvh2104-2-e", "PART does not get through"),
    (PACKAGE, "-xo_path $output", "-xo_path bertd.xo", "OUTPUT does not get through"),
    (PACKAGE, "-library kernel", "-library kernels", "vlnv bertd:kernel:bertd_kernel:1.0, but the IP is"),
    (PACKAGE, "set_property sdx_kernel true", "set_property sdx_kernel false", "not marked as an RTL kernel"),
    (KERNEL, 'id="3" port="m_axi_weights"', 'id="3" port="m_axi_data"', "port m_axi_weights has no pointer argument"),
    (KERNEL, 'offset="0x024"', 'offset="0x028"', "argument record at 0x28, its register at 0x24"),
    (KERNEL, 'offset="0x024"', 'offset="0x020"', "argument record at 0x20, its register at 0x24"),
    (KERNEL, 'offset="0x01C"', 'offset="0x014"', "arguments list and count overlap at 0x14"),
    (KERNEL, 'mode="master" range="0xFFFFFFFFFFFFFFFF" dataWidth="512"', 'mode="master" range="0xFFFFFFFFFFFFFFFF" dataWidth="256"',
     "port m_axi_weights is 512 wide, not 256"),
    (KERNEL, 'range="0x100"', 'range="0x80"', "is out of range"),
    (KERNEL, 'mode="master" range="0xFFFFFFFFFFFFFFFF"', 'mode="master" range="0xFFFFFFFF"', "port m_axi_weights reaches"),
    (KERNEL, '<port name="m_axi_weights"', '<port name="m_axi_weight"', "port m_axi_weight is not one of bertd_kernel.v"),
    (KERNEL, "ap_ctrl_hs", "ap_ctrl_chain", "hwControlProtocol ap_ctrl_chain, but bertd_control.sv has ap_ctrl_hs"),
    (KERNEL, 'size="0x8" offset="0x030"', 'size="0x4" offset="0x030"', "argument weights has 4 bytes"),
    (KERNEL, 'id="2"', 'id="3"', "ids are not 0, 1"),
    (KERNEL, 'name="weights"', 'name="images"', "argument images: no register images_low"),
    (KERNEL, 'id="0" port="m_axi_data"', 'id="0" port="m_axi_weights"', "argument list on m_axi_weights, by which"),
    (KERNEL, 'type="uint"', 'type="void*"', "argument count is void* at 0x0"),
    (KERNEL, 'hostOffset="0x0"', 'hostOffset="0x4"', "argument list is void* at 0x4"),
    (KERNEL, 'interrupt="true"', 'interrupt="false"', "interrupt false: not as"),
    (KERNEL, 'language="ip_c"', 'language="c"', "language c, interrupt true: not as"),
    (WRAPPER, "input  wire m_axi_data_rlast", "output wire m_axi_data_rlast", "m_axi_data_rlast is no input"),
    (WRAPPER, "m_axi_weights_arsize = 3'd6", "m_axi_weights_arsize = 3'd5", "m_axi_weights_arsize is not that of a beat"),
    (WRAPPER, "m_axi_data_awburst = 2'd1", "m_axi_data_awburst = 2'd0", "m_axi_data_awburst is not incrementing"),
    (WRAPPER, ".ROWS(ROWS)", ".ROWS(SLICES)", "the engine does not get ROWS"),
    (WRAPPER, "output wire m_axi_data_wlast,", "output wire m_axi_data_wlst,", "no m_axi_data_wlast"),
    (WRAPPER, "output wire [63:0] m_axi_data_wstrb", "output wire [31:0] m_axi_data_wstrb", "m_axi_data_wstrb has 32 bits"),
    (WRAPPER, ".m_axi_data_bresp_i(m_axi_data_bresp)", ".m_axi_data_bresp_i(m_axi_data_rresp)",
     "m_axi_data_bresp_i is connected to m_axi_data_rresp"),
    (WRAPPER, "output wire interrupt,", "output wire interupt,", "no port interrupt"),
    (ENGINE, "output logic         interrupt_o,", "output logic         interrupt_o,\n    output logic         spare_o,",
     "the engine's spare_o is not connected"),
    (ENGINE, "input  logic [  7:0] s_axi_araddr_i", "input  logic [ 11:0] s_axi_araddr_i",
     "s_axi_control_araddr is not as the engine's"),
    (SCHEMA, '"record_low": 36, "record_high": 40', '"record_low": 36, "record_high": 44', "record_high is not behind _low"),
    (SCHEMA, '"status": 128', '"status": 44', "register status between the arguments"),
    (SCHEMA, '"failed": 132', '"failed": 128', "registers failed and status are the same"),
    (SCHEMA, '"record": { "bytes": 128, "beats": 2', '"record": { "bytes": 128, "beats": 1', "a record has 128 bytes in 1"),
    (SCHEMA, '"counters": 16', '"counters": 20', "the counters of a record do not fit"),
    (RAM, "(* ram_style = RAM_STYLE *) logic", "logic", "bertd_ram_1r1w.sv: words is a memory without ram_style"),
    (TABLE, '(* ram_style = "distributed" *) logic', "logic", "bertd_table.sv: words is a memory without ram_style"),
    (SUMS, '(* ram_style = "registers" *) logic [31:0] rows_q[0:3];', "bertd_pkg::tile_t rows_q [4-1:0];",
     "bertd_slice_max.sv: rows_q is a memory without ram_style"),
    (FIFO, "always_ff @(posedge clk_i) begin\n        if (!rst_ni)", "always_ff @(posedge clk_i or negedge rst_ni) begin\n        if (!rst_ni)",
     "bertd_stream_fifo.sv: always_ff @(posedge clk_i or negedge rst_ni): registers have the clock alone"),
    (FIFO, "always_ff @(posedge clk_i)", "always @(posedge rst_ni)", "bertd_stream_fifo.sv: always @(posedge rst_ni)"),
    (TABLE, "always_ff @(posedge clk_i) begin", "always_latch begin", "bertd_table.sv: always_latch"),
    (CONTROL, "ACCEL_REGISTER_WEIGHTS_HIGH)", "ACCEL_REGISTER_RECORD_HIGH)", "register weights_high is not written and read"),
    (LINK, "nk=bertd_kernel:1:engine", "nk=bertd_engine:1:engine", "no kernel bertd_engine"),
    (LINK, "nk=bertd_kernel:1:engine", "nk=bertd_kernel:2:engine", "2 units, but names engine"),
    (LINK, ":engine.ap_clk", ":engine.clk", "no clock for engine.ap_clk"),
    (LINK, "nk=bertd_kernel:1:engine", "nk=bertd_kernel:1:engine\nslr=engine:SLR0", "slr= of a compute unit"),
    (U50, "sp=engine.weights:HBM[0:3]", "sp=engine.weights:HBM[0:3]\nslr=engine:SLR1", "slr= of a compute unit"),
    (U50, "sp=engine.weights:HBM[0:3]", "sp=engine.weights:DDR[0]", "the card has no DDR[0]"),
    (U50, "sp=engine.weights:HBM[0:3]", "sp=engine.weights:HBM[30:33]", "the card has no HBM[30:33]"),
    (U50, "HBM[0:3]", "HBM[0]", "weights take 19.2 GB/s: 2 banks of HBM, not 1"),
    (U50, "sp=engine.weights:HBM[0:3]", "sp=engine.weights:HBM[4:7]", "the ports reach different banks"),
    (U50, "sp=engine.weights:HBM[0:3]", "", "no sp= for weights"),
    (U200, "sp=engine.record:DDR[0]", "sp=engine.recrod:DDR[0]", "no pointer argument recrod"),
    (U200, "sp=engine.list:", "sp=engines.list:", "no compute unit of engines.list"),
    (U200, "DDR[0]", "DDR[4]", "the card has no DDR[4]"),
]


def copy(folder):
    """What check.py reads."""
    for path in (check.VITIS, "schemas", "accel/rtl"):
        shutil.copytree(os.path.join(ROOT, path), os.path.join(folder, path), dirs_exist_ok=True)


def plant(folder, path, old, new):
    """All that stands there, once or more often, in the file; what it was."""
    at = os.path.join(folder, path)
    before = check.read("", at)
    if old not in before:
        sys.exit(f"{path} has no {old!r}: change MISTAKES with it")
    with open(at, "w", encoding="utf-8") as file:
        file.write(before.replace(old, new) if old in (":engine.ap_clk", "HBM[0:3]", "DDR[0]") else before.replace(old, new, 1))
    return before


def main():
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        return 0
    if not shutil.which("tclsh"):
        print("skipped: no tclsh (Debian's package tcl), which runs package.tcl")
        return 77
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        copy(folder)
        for complaint in check.check(folder).complaints:
            print("FAILED:", complaint)
            failures += 1
        for path, old, new, words in MISTAKES:
            before = plant(folder, path, old, new)
            complaints = check.check(folder).complaints
            if not any(words in complaint for complaint in complaints):
                print(f"FAILED: {path}: {new!r} for {old!r} is not noticed: {complaints}")
                failures += 1
            with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
                file.write(before)
    print("FAILED" if failures else f"the packaging fits, and {len(MISTAKES)} mistakes are noticed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
