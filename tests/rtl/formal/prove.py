"""Proofs about the engine's modules by Yosys: prove.py ACCEL_BUILD [NAME...]

Each harness of this folder has a module of accel/rtl among assumptions (what its neighbours and the memory may do) and
assertions. Yosys proves by induction over time that all assertions hold for ever. Then each fault of
../mutants/list.txt that is to be seen here is planted, and must break the assertion that it names within a few cycles
of a reset. Every assertion needs such a fault; but those named same_ only tie the harness's counters to the module's
registers, without which the induction would begin where the module never is.
ACCEL_BUILD has the generated header accel_constants.svh.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
RTL = os.path.normpath(os.path.join(HERE, "../../../accel/rtl"))
sys.path.insert(0, os.path.join(HERE, "../mutants"))
import mutants  # noqa: E402

SKIP = 77
# From a reset to a broken assertion: so many cycles at most, the first of which need not be looked at.
CYCLES = {"gone_before_the_next_comes": (20, 30), "a_row_that_is_due": (12, 26), "activated_rows_in_their_turns": (12, 26), "of_the_tile_that_leaves": (12, 26),
          "no_tile_ends_unseen": (12, 26), "tiles_end_with_their_last_row": (12, 26), "never_overflows": (14, 20),
          "has_room_for_all": (12, 20)}
USUAL = (0, 12)
INDUCTION = 3
SECONDS = 1800
BROKEN = "model found for base case: FAIL!"


def harnesses():
    return sorted(name[:-3] for name in os.listdir(HERE) if name.endswith(".sv") and not name.startswith("formal_"))


def source(name):
    with open(os.path.join(HERE, name + ".sv")) as file:
        return file.read()


def assertions(name):
    return re.findall(r"(\w+): assert\b", source(name))


def modules(text):
    """The modules of accel/rtl that this one has, and those that they have."""
    found = []
    for name in re.findall(r"^\s+(bertd_\w+) (?:#\(|\w+ \()", text, flags=re.M):
        stand_in = os.path.join(HERE, f"formal_{name[6:]}.sv")
        with open(stand_in if os.path.exists(stand_in) else os.path.join(RTL, name + ".sv")) as file:
            inner = file.read()
        found += [*modules(inner), name]
    return list(dict.fromkeys(found))


def script(name, paths, include, proof, only):
    """Yosys: memories become registers before modules become one, so that a harness can name their words."""
    read = [f"read_verilog -sv -formal -DSYNTHESIS -I{include} {path}" for path in paths]
    drop = [f"delete t:$assert n:{only} %d"] if only else []
    return "\n".join([*read, f"hierarchy -top formal_{name}", "proc", "opt_clean", "memory_collect", "memory_map", "flatten", *drop,
                      "async2sync", "opt_clean -purge", "opt -fast", f"sat -set-assumes -prove-asserts -seq 1 {proof}"])


def yosys(folder, name, include, proof, mutant=None, only=None):
    paths = [os.path.join(RTL, "bertd_pkg.sv")]
    for module in modules(source(name)):
        stand_in = os.path.join(HERE, f"formal_{module[6:]}.sv")
        path = stand_in if os.path.exists(stand_in) else os.path.join(RTL, module + ".sv")
        if mutant and module == mutant.module:
            path = os.path.join(folder, module + ".sv")
            with open(path, "w") as file:
                file.write(mutants.replace(mutants.read_module(module), mutant))
        paths.append(path)
    paths += [os.path.join(HERE, "formal_reset.sv"), os.path.join(HERE, name + ".sv")]
    text = script(name, paths, include, proof, only or (mutant and mutant.arguments.split(".")[1]))
    run = subprocess.run(["yosys", "-q", "-l", os.path.join(folder, "log"), "-p", text], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, timeout=SECONDS)
    with open(os.path.join(folder, "log")) as file:
        log = file.read()
    if run.returncode:
        sys.exit(f"yosys failed in {name}:\n{run.stdout[-3000:]}")
    return log


def is_proven(folder, name, include):
    log = yosys(folder, name, include, f"-tempinduct -maxsteps {INDUCTION} -show-regs -show-ports")
    good = "Induction step proven: SUCCESS!" in log
    print(f"{name}: {len(assertions(name))} assertions {'proven' if good else 'NOT PROVEN'}", flush=True)
    if not good:
        broken = [label for label in assertions(name)
                  if BROKEN in yosys(folder, name, include, "-tempinduct-baseonly -maxsteps 4", only=label)]
        print(log[-6000:])
        print(f"{name}: soon after a reset breaks: {', '.join(broken) or 'nothing; an induction may need another same_'}")
    return good


def is_refuted(folder, name, include, mutant):
    label = mutant.arguments.split(".")[1]
    first, last = CYCLES.get(label, USUAL)
    log = yosys(folder, name, include, f"-tempinduct-baseonly -tempinduct-skip {first} -maxsteps {last}", mutant)
    good = BROKEN in log
    print(f"{name}: {mutant.name}: {label} {'broken' if good else 'HOLDS STILL'}", flush=True)
    return good


def check(name, include, faults):
    folder = tempfile.mkdtemp(prefix="bertd-formal-")
    try:
        good = is_proven(folder, name, include)
        broken = set()
        for mutant in faults:
            if mutant.arguments.split(".")[1] not in assertions(name):
                sys.exit(f"list.txt: {mutant.name}: no assertion {mutant.arguments}")
            good &= is_refuted(folder, name, include, mutant)
            broken.add(mutant.arguments.split(".")[1])
    finally:
        shutil.rmtree(folder)
    for label in assertions(name):
        if label not in broken and not label.startswith("same_"):
            print(f"{name}: {label}: no fault of list.txt breaks it")
            good = False
    return good


def main(include, names):
    if not shutil.which("yosys"):
        print("skipped: no yosys (Debian package yosys): nothing is proven about the engine's modules")
        sys.exit(SKIP)
    faults = [mutant for mutant in mutants.load() if mutant.bench == "formal"]
    unknown = {mutant.arguments.split(".")[0] for mutant in faults} - set(harnesses()) | set(names) - set(harnesses())
    if unknown:
        sys.exit(f"no harness {' '.join(sorted(unknown))} in {HERE}")
    results = [check(name, include, [m for m in faults if m.arguments.split(".")[0] == name])
               for name in names or harnesses()]
    if not all(results):
        sys.exit("FAILED")


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]) or len(sys.argv) < 2:
        sys.exit(print(__doc__))
    main(sys.argv[1], sys.argv[2:])
