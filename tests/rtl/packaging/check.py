#!/usr/bin/env python3
"""Does what packs the engine for a card fit together? Usage: check.py [ROOT], the repository.

Reads package.tcl (run by tclsh with a stand-in for Vivado's commands), kernel.xml, bertd_kernel.v, link.cfg and cards/ of
accel/rtl/syn/vitis, the engine's ports and schemas/accel.json, and prints what does not fit, a line each. In the engine's sources it looks for
memories without ram_style and for resets that are not synchronous. What only Vivado and v++ know is not checked.
"""
import glob
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

VITIS = "accel/rtl/syn/vitis"
DEFINE, ECC = "BERTD_DSP48E2", "BERTD_URAM_ECC"
FIRST_ARGUMENT = 0x10  # below lie control and interrupts
COUNTER_WORDS = 16
REGISTERS = {"count": "list_count"}  # of arguments that are called otherwise
# Memories of the cards, and what one bank gives (UG1393).
CARDS = {"u50": {"HBM": 32}, "u55c": {"HBM": 32}, "u280": {"HBM": 32, "DDR": 2}, "u200": {"DDR": 4}, "u250": {"DDR": 4}}
BANK_BYTES_PER_SECOND = {"HBM": 14.375e9, "DDR": 19.25e9}
# Signals that an AXI port of a kernel must have.
READ = "arvalid arready araddr arlen arsize arburst rvalid rready rdata rresp rlast".split()
WRITE = "awvalid awready awaddr awlen awsize awburst wvalid wready wdata wstrb wlast bvalid bready bresp".split()
LITE = ("awvalid awready awaddr wvalid wready wdata wstrb bvalid bready bresp "
        "arvalid arready araddr rvalid rready rdata rresp").split()
FROM_SLAVE = "arready rvalid rdata rresp rlast awready wready bvalid bresp".split()
INCREMENTING = 1  # the burst of an address channel


def read(root, *path):
    with open(os.path.join(root, *path), encoding="utf-8") as file:
        return file.read()


def ports_of(text):
    """Name -> (direction, width) of the ports in a module's head, of a Verilog or SystemVerilog file."""
    head = text[text.index("module "):text.index(");")]
    found = re.findall(r"^\s*(input|output)\s+(?:wire|logic)\s*(?:\[\s*(\d+)\s*:\s*0\])?\s*(\w+)", head, re.M)
    return {name: (direction, int(high) + 1 if high else 1) for direction, high, name in found}


class Packaging:
    """Everything that is compared, and the complaints."""

    def __init__(self, root):
        self.root = root
        self.complaints = []
        self.notes = []
        schema = json.loads(read(root, "schemas/accel.json"))
        self.registers = schema["registers"]["register"]
        self.widths = schema["widths"]
        self.record = schema["words"]["record"]
        self.kernel_ports = ports_of(read(root, VITIS, "bertd_kernel.v"))
        self.engine_ports = ports_of(read(root, "accel/rtl/bertd_engine.sv"))
        kernel = xml.etree.ElementTree.fromstring(read(root, VITIS, "kernel.xml")).find("kernel")
        self.kernel = kernel.attrib
        self.ports = {port.get("name"): port.attrib for port in kernel.iter("port")}
        self.args = [arg.attrib for arg in kernel.iter("arg")]
        self.link = read_config(read(root, VITIS, "link.cfg"))

    def need(self, good, where, what):
        if not good and f"{where}: {what}" not in self.complaints:
            self.complaints.append(f"{where}: {what}")
        return good

    def masters(self):
        return [name for name, port in self.ports.items() if port["mode"] == "master"]

    def pointers(self):
        return [arg for arg in self.args if arg["addressQualifier"] == "1"]


def read_config(text):
    """(section, key, value) of each line of a configuration of v++."""
    section, lines = "", []
    for line in text.splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("["):
            section = line.strip("[]")
        elif line:
            key, _, value = line.partition("=")
            lines.append((section, key.strip(), value.strip()))
    return lines


# package.tcl ----------------------------------------------------------------------------------------------------------

def split_list(line):
    """A Tcl list whose elements have no braces within braces."""
    return [a or b for a, b in re.findall(r"\{([^}]*)\}|(\S+)", line)]


def option(command, name):
    return command[command.index(name) + 1] if name in command[:-1] else None


def run_package(p, folder, *ecc):
    """The commands that package.tcl gives Vivado; the files it makes for it lie in `folder`."""
    with open(os.path.join(folder, "accel_constants.svh"), "w", encoding="utf-8") as file:
        file.write("// stands for the generated one\n")
    stand_in = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vivado.tcl")
    package = os.path.join(os.path.abspath(p.root), VITIS, "package.tcl")
    run = subprocess.run(["tclsh", stand_in, package, "PART", os.path.abspath(p.root), folder, "out.xo", "48", "12", "384",
                          *ecc], cwd=folder, capture_output=True, text=True, check=False)
    p.need(run.returncode == 0, "package.tcl", "does not run: " + run.stderr.strip())
    return [split_list(line) for line in run.stdout.splitlines()]


def check_sources(p, files, include_dirs, defines):
    names = {os.path.basename(file) for file in files}
    for file in sorted(glob.glob(os.path.join(p.root, "accel/rtl/*.sv"))):
        p.need(os.path.basename(file) in names, "package.tcl", f"{os.path.basename(file)} is not among the files")
    p.need("bertd_kernel.v" in names, "package.tcl", "bertd_kernel.v is not among the files")
    for file in files:
        if not p.need(os.path.exists(file), "package.tcl", f"there is no {file}"):
            continue
        text, name = read("", file), os.path.basename(file)
        for header in re.findall(r'`include "([^"]+)"', text):
            p.need(header in names, "package.tcl", f"{header}, which {name} includes, is not among the files")
            p.need(any(os.path.exists(os.path.join(folder, header)) for folder in include_dirs), "package.tcl",
                   f"{header} is in none of include_dirs")
        for define in (DEFINE, ECC):
            if f"`ifdef {define}" in text:
                defined = 0 <= text.find(f"`define {define}\n") < text.index(f"`ifdef {define}")
                p.need(defined == (define in defines), "package.tcl",
                       f"{name} is packed {'with' if defined else 'without'} {define}")
        if name == "bertd_kernel.v":
            p.need("ROWS = 48" in text and "SLICES = 12" in text, "package.tcl", "ROWS and SLICES do not get through")
        if name == "bertd_pkg.sv":
            p.need("MAX_TOKENS = 384" in text, "package.tcl", "TOKENS does not get through")


def check_package(p):
    with tempfile.TemporaryDirectory() as folder:
        commands = run_package(p, folder)
        named = {command[0]: command for command in commands}
        properties = {command[1]: command[2] for command in commands if command[0] == "set_property"}
        files = [file for command in commands if command[0] == "add_files" for file in command[-1].split()]
        check_sources(p, files, properties.get("include_dirs", "").split(), [DEFINE])
    top = re.search(r"module (\w+)", read(p.root, VITIS, "bertd_kernel.v"))[1]
    p.need(properties.get("top") == top, "package.tcl", f"the top is not {top}")
    p.need(properties.get("file_type") == "Verilog Header", "package.tcl", "the header is not marked as one")
    p.need(properties.get("sdx_kernel") == "true" and properties.get("sdx_kernel_type") == "rtl", "package.tcl",
           "not marked as an RTL kernel")
    clocked = {option(c, "-busif"): option(c, "-clock") for c in commands if c[0] == "ipx::associate_bus_interfaces"}
    for port in p.ports:
        p.need(clocked.get(port) == "ap_clk", "package.tcl", f"{port} has no clock")
    for port in clocked:
        p.need(port in p.ports, "package.tcl", f"there is no port {port}")
    pack = named.get("package_xo", [])
    p.need(option(pack, "-kernel_name") == p.kernel["name"] == top, "package.tcl", "the kernel's names differ")
    p.need(os.path.basename(option(pack, "-kernel_xml") or "") == "kernel.xml", "package.tcl", "kernel.xml is not used")
    p.need(option(pack, "-ip_directory") == option(named.get("ipx::package_project", []), "-root_dir"), "package.tcl",
           "packs another folder than that of the IP")
    p.need(option(named.get("create_project", []), "-part") == "PART", "package.tcl", "PART does not get through")
    p.need(option(pack, "-xo_path") == "out.xo", "package.tcl", "OUTPUT does not get through")
    of = [option(named.get("ipx::package_project", []), name) for name in ("-vendor", "-library")]
    p.need(p.kernel["vlnv"].split(":")[:3] == of + [top], "kernel.xml", f"vlnv {p.kernel['vlnv']}, but the IP is {of} {top}")


def check_package_ecc(p):
    """As packed with UltraRAM's own code."""
    with tempfile.TemporaryDirectory() as folder:
        commands = run_package(p, folder, "ecc")
        files = [file for command in commands if command[0] == "add_files" for file in command[-1].split()]
        check_sources(p, files, [folder, *(os.path.dirname(file) for file in files)], [DEFINE, ECC])
    where = {command[3] for command in commands if command[:3] == ["set_property", "xpm_libraries", "XPM_MEMORY"]}
    for what in ("current_project", "ipx::current_core"):
        p.need(f"<{what}>" in where, "package.tcl", f"with ecc, {what} has no xpm_libraries")


# kernel.xml -----------------------------------------------------------------------------------------------------------

def check_ports(p):
    p.need(p.kernel["language"] == "ip_c" and p.kernel["interrupt"] == "true", "kernel.xml",
           f"language {p.kernel['language']}, interrupt {p.kernel['interrupt']}: not as an RTL kernel with an interrupt has them")
    for name in ["ap_clk", "ap_rst_n"] + ["interrupt"] * (p.kernel["interrupt"] == "true"):
        p.need(p.kernel_ports.get(name, ("", 0))[1] == 1, "bertd_kernel.v", f"no port {name}")
    buses = {match[1] for match in (re.match(r"([sm]_axi_[a-z0-9]+)_", name) for name in p.kernel_ports) if match}
    for name in sorted(buses - set(p.ports)):
        p.need(False, "kernel.xml", f"no port {name}, which bertd_kernel.v has")
    for name, port in p.ports.items():
        if not p.need(name in buses, "kernel.xml", f"port {name} is not one of bertd_kernel.v"):
            continue
        check_bus(p, name, port)


def check_bus(p, name, port):
    signals = {key[len(name) + 1:]: value for key, value in p.kernel_ports.items() if key.startswith(name + "_")}
    master = port["mode"] == "master"
    p.need(master == name.startswith("m_"), "kernel.xml", f"port {name} is no {port['mode']}")
    wanted = LITE if not master else READ + (WRITE if "awvalid" in signals else [])
    for signal in wanted:
        direction = "input" if master == (signal in FROM_SLAVE) else "output"
        if p.need(signal in signals, "bertd_kernel.v", f"no {name}_{signal}"):
            p.need(signals[signal][0] == direction, "bertd_kernel.v", f"{name}_{signal} is no {direction}")
    for signal, (_, width) in signals.items():
        if signal in ("rdata", "wdata"):
            p.need(width == int(port["dataWidth"]), "kernel.xml", f"port {name} is {width} wide, not {port['dataWidth']}")
        if signal == "wstrb":
            p.need(8 * width == int(port["dataWidth"]), "bertd_kernel.v", f"{name}_wstrb has {width} bits")
        if signal in ("araddr", "awaddr"):
            reach = (1 << width) - master
            p.need(int(port["range"], 16) == reach, "kernel.xml", f"port {name} reaches {reach:#x}, not {port['range']}")
    last = max(p.registers.values())
    p.need(master or last < int(port["range"], 16), "kernel.xml", f"port {name}: register {last:#x} is out of range")


def check_arguments(p):
    where = "kernel.xml"
    taken = {}
    p.need([arg["id"] for arg in p.args] == [str(i) for i in range(len(p.args))], where, "ids are not 0, 1, and so on")
    for arg in p.args:
        name, offset, size = arg["name"], int(arg["offset"], 16), int(arg["size"], 16)
        pointer = arg["addressQualifier"] == "1"
        register = f"{name}_low" if pointer else REGISTERS.get(name, name)
        if p.need(register in p.registers, where, f"argument {name}: no register {register}"):
            p.need(p.registers[register] == offset, where,
                   f"argument {name} at {offset:#x}, its register at {p.registers[register]:#x}")
        p.need(arg["type"] == ("void*" if pointer else "uint") and int(arg["hostOffset"], 16) == 0, where,
               f"argument {name} is {arg['type']} at {arg['hostOffset']} of the host's")
        p.need(not pointer or (arg["port"] == "m_axi_weights") == (name == "weights"), where,
               f"argument {name} on {arg['port']}, by which the engine does not reach it")
        p.need(not pointer or p.registers.get(f"{name}_high") == offset + 4, "accel.json", f"{name}_high is not behind _low")
        p.need(size == (8 if pointer else 4) == int(arg["hostSize"], 16), where, f"argument {name} has {size} bytes")
        p.need(offset >= FIRST_ARGUMENT and offset % 4 == 0, where, f"argument {name} at {offset:#x}")
        p.need(arg["port"] in (p.masters() if pointer else set(p.ports) - set(p.masters())), where,
               f"argument {name} on port {arg['port']}")
        for word in range(offset, offset + size, 4):
            p.need(word not in taken, where, f"arguments {taken.get(word)} and {name} overlap at {word:#x}")
            taken[word] = name
    check_registers(p, taken)
    for master in p.masters():
        p.need(any(arg["port"] == master for arg in p.pointers()), where, f"port {master} has no pointer argument")


def check_registers(p, taken):
    """Arguments in one run behind the control registers: XRT writes them as one block."""
    by_offset = {}
    control = read(p.root, "accel/rtl/bertd_control.sv")
    end = max(taken, default=FIRST_ARGUMENT)
    for name, offset in p.registers.items():
        p.need(offset not in by_offset, "accel.json", f"registers {name} and {by_offset.get(offset)} are the same")
        by_offset[offset] = name
        argument = any(name in (f"{a}_low", f"{a}_high", REGISTERS.get(a, a)) for a in taken.values())
        p.need(argument or not FIRST_ARGUMENT <= offset <= end, "accel.json", f"register {name} between the arguments")
        if not re.search(r"_(low|high)$", name) or argument:  # counters are addressed by number
            uses = control.count(f"ACCEL_REGISTER_{name.upper()})")
            p.need(uses >= 1 + argument, "bertd_control.sv", f"register {name} is not written and read")


def check_protocol(p):
    """The protocol that bertd_control has: ap_ctrl_chain would have a bit ap_continue."""
    spoken = re.search(r"control as (ap_ctrl_\w+) has it", read(p.root, "accel/rtl/bertd_control.sv"))
    p.need(spoken and spoken[1] == p.kernel["hwControlProtocol"], "kernel.xml",
           f"hwControlProtocol {p.kernel['hwControlProtocol']}, but bertd_control.sv has {spoken and spoken[1]}")


# bertd_kernel.v -------------------------------------------------------------------------------------------------------

def check_wrapper(p):
    where = "bertd_kernel.v"
    text = read(p.root, VITIS, "bertd_kernel.v")
    joined = dict(re.findall(r"\.(\w+)\((\w+)\)", text[text.index(") engine ("):]))
    for name, (direction, width) in p.engine_ports.items():
        if not p.need(name in joined, where, f"the engine's {name} is not connected"):
            continue
        outer = {"clk_i": "ap_clk", "rst_ni": "ap_rst_n"}.get(name) or re.sub(r"_[io]$", "", name)
        outer = re.sub(r"^s_axi_", "s_axi_control_", outer)
        p.need(joined[name] == outer, where, f"the engine's {name} is connected to {joined[name]}")
        p.need(p.kernel_ports.get(joined[name]) == (direction, width), where, f"{joined[name]} is not as the engine's {name}")
    for name in sorted(set(joined) - set(p.engine_ports)):
        p.need(False, where, f"the engine has no {name}")
    for name in ("ROWS", "SLICES"):
        p.need(f".{name}({name})" in text, where, f"the engine does not get {name}")
    tied = {name: int(value) for name, value in re.findall(r"assign (\w+) = \d+'d(\d+);", text)}
    for name in p.masters():
        for channel in (c for c in ("ar", "aw") if f"{name}_{c}addr" in p.kernel_ports):
            p.need(8 << tied.get(f"{name}_{channel}size", 0) == int(p.ports[name]["dataWidth"]), where,
                   f"{name}_{channel}size is not that of a beat")
            p.need(tied.get(f"{name}_{channel}burst") == INCREMENTING, where, f"{name}_{channel}burst is not incrementing")


def check_lists(p):
    beat = int(p.ports["m_axi_data"]["dataWidth"]) // 8 if "m_axi_data" in p.ports else 64
    for what in ("command", "record"):
        size = p.widths[what]
        p.need(size["bytes"] == size["beats"] * beat, "accel.json",
               f"a {what} has {size['bytes']} bytes in {size['beats']} beats")
    counters, words = p.record["counters"], p.widths["record"]["bytes"] // 4
    p.need(counters == max(p.record.values()) and counters + COUNTER_WORDS == words, "accel.json",
           "the counters of a record do not fit")


# link.cfg and cards ---------------------------------------------------------------------------------------------------

def check_link(p):
    where = "link.cfg"
    units = [value.split(":") for section, key, value in p.link if (section, key) == ("connectivity", "nk")]
    if not p.need(len(units) == 1 and len(units[0]) == 3, where, "not one line nk=KERNEL:NUMBER:UNIT"):
        return None, 0
    kernel, number, unit = units[0]
    p.need(kernel == p.kernel["name"], where, f"nk: no kernel {kernel}")
    p.need(int(number) == len(unit.split(".")), where, f"nk: {number} units, but names {unit}")
    clocks = [value.split(":") for section, key, value in p.link if (section, key) == ("clock", "freqHz")]
    p.need(len(clocks) == 1 and clocks[0][1] == f"{unit}.ap_clk", where, f"no clock for {unit}.ap_clk")
    return unit, int(clocks[0][0]) if clocks else 0


def banks_of(p, where, card, place):
    """{(memory, number)} of a place as HBM[0:3]; complains and gives none where the card has no such."""
    match = re.fullmatch(r"(\w+)\[(\d+)(?::(\d+))?\]", place)
    if not p.need(match, where, f"not a memory: {place}"):
        return set()
    memory, first = match[1], int(match[2])
    last = int(match[3] or first)
    p.need(first <= last < CARDS[card].get(memory, 0), where, f"the card has no {place}")
    return {(memory, number) for number in range(first, last + 1)}


def check_card(p, card, unit, clock):
    where = f"cards/{card}.cfg"
    path = os.path.join(p.root, VITIS, where)
    if not p.need(os.path.exists(path), where, "is not there"):
        return
    lines = p.link + read_config(read("", path))
    p.need(not any(key == "slr" for _, key, _ in lines), where, "slr= of a compute unit that is larger than an SLR")
    banks = {}
    for section, key, value in lines:
        if key != "sp":
            continue
        target, _, place = value.partition(":")
        name = target.partition(".")[2]
        p.need(section == "connectivity" and target.startswith(f"{unit}."), where, f"sp: no compute unit of {target}")
        p.need(name in [arg["name"] for arg in p.pointers()], where, f"sp: no pointer argument {name}")
        p.need(name not in banks, where, f"sp: {name} twice")
        banks[name] = banks_of(p, where, card, place)
    for arg in p.pointers():
        p.need(arg["name"] in banks, where, f"no sp= for {arg['name']}")
    p.need(len({frozenset(b) for b in banks.values()}) <= 1, where,
           "the ports reach different banks: keys and values are written by one and read by the other")
    check_rate(p, where, banks, clock)


def check_rate(p, where, banks, clock):
    """The banks behind the weights give what the array takes in a cycle."""
    for arg in p.pointers():
        if arg["port"] not in p.ports or arg["name"] != "weights" or not banks.get(arg["name"]):
            continue
        wanted = int(p.ports[arg["port"]]["dataWidth"]) // 8 * clock
        memory = min(banks[arg["name"]])[0]
        one = BANK_BYTES_PER_SECOND.get(memory, 0)
        needed = math.ceil(wanted / one) if one else 1
        p.need(len(banks[arg["name"]]) >= needed, where,
               f"weights take {wanted / 1e9:.1f} GB/s: {needed} banks of {memory}, not {len(banks[arg['name']])}")
        if 0 < one < wanted:
            p.notes.append(f"{where}: weights take up to {wanted / 1e9:.1f} GB/s; one port of {memory} gives "
                           f"{one / 1e9:.1f}, whatever its banks")


# The engine's sources -------------------------------------------------------------------------------------------------

def check_source(p, path):
    """What Vivado would do unasked: a memory of what it likes, an asynchronous reset, a latch."""
    where, text = os.path.basename(path), re.sub(r"//.*", "", read("", path))
    for word, event in re.findall(r"\b(always\w*)\s*(?:@\s*\(([^)]*)\))?", text):
        p.need(word == "always_comb" or (word, event) == ("always_ff", "posedge clk_i"), where,
               f"{word} @({event}): registers have the clock alone, and a synchronous reset")
    for line in text.splitlines():
        memory = re.search(r"\b(?:logic|bit|reg|\w+_t)\b[^=;(]*\b(\w+)\s*\[[^\]:]+:[^\]]+\]\s*;", line)
        if memory:
            p.need(re.search(r"\(\*[^)]*\bram_style\s*=", line), where, f"{memory[1]} is a memory without ram_style")


def check(root):
    p = Packaging(root)
    for path in sorted(glob.glob(os.path.join(root, "accel/rtl/*.sv"))):
        check_source(p, path)
    check_package(p)
    check_package_ecc(p)
    check_ports(p)
    check_arguments(p)
    check_protocol(p)
    check_wrapper(p)
    check_lists(p)
    unit, clock = check_link(p)
    for card in CARDS if unit else ():
        check_card(p, card, unit, clock)
    for path in glob.glob(os.path.join(root, VITIS, "cards", "*.cfg")):
        p.need(os.path.basename(path)[:-4] in CARDS, "cards", f"{os.path.basename(path)}: a card that is not known here")
    return p


def main():
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        return 0
    here = os.path.dirname(os.path.abspath(__file__))
    p = check(sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../../.."))
    print("\n".join(p.complaints + ["note: " + note for note in p.notes]))
    return 1 if p.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
