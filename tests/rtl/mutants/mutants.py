"""Faults of list.txt: mutants.py sources OUT BENCH | run BUILD RESULTS [--sample N --seed SEED] [NAME...]

`sources` writes the modules in which a bench should see faults, with all of these faults in them: each place chooses by
a number that the simulation reads from BERTD_MUTANT. So a bench is built once, and 0 is the engine as it is.
`run` runs the benches, each without a fault first, and appends to RESULTS; what stands there already is not run again.
"""
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import time
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
RTL = os.path.join(HERE, "../../../accel/rtl")
STAND_INS = os.path.join(HERE, "../models")
PACKAGE = """// Which of the faults is there.
package bertd_mutant_pkg;
    import "DPI-C" function int bertd_mutant_number();
    int number = bertd_mutant_number();
endpackage
"""
# A fault may make the engine wait for ever: it is taken to, after far more cycles than these cases take.
ENGINE = ["--failures", "1", "--enough", "150000"]
SECONDS = 3600


@dataclass
class Mutant:
    number: int
    name: str
    bench: str      # engine, wide, flips, ecc, fp, formal
    arguments: str  # of the bench, or the property
    module: str
    before: str     # in front of the place
    old: str
    after: str
    new: str

    @property
    def text(self):
        return self.before + self.old + self.after


def load(path=os.path.join(HERE, "list.txt")):
    with open(path) as file:
        text = re.sub(r"^#.*\n", "", file.read(), flags=re.M)
    mutants = []
    for number, block in enumerate(re.split(r"\n\s*\n", text.strip()), 1):
        lines = block.splitlines()
        head = re.fullmatch(r"(\w+): (engine|wide|flips|ecc|fp|formal)(?: (.+))?", lines[0])
        place = len(lines) == 3 and re.fullmatch(r"(\w+): (.*)«(.+)»(.*)", lines[1])
        if not head or not place:
            sys.exit(f"list.txt: not a fault: {lines[0]}")
        mutants.append(Mutant(number, head[1], head[2], head[3] or "", *place.groups(), lines[2]))
    names = [mutant.name for mutant in mutants]
    if len(set(names)) != len(names):
        sys.exit(f"list.txt: twice: {[n for n in names if names.count(n) > 1][0]}")
    return mutants


def load_survivors(path=os.path.join(HERE, "survivors.txt")):
    with open(path) as file:
        return dict(re.findall(r"^(\w+): (.+)$", file.read(), flags=re.M))


def read_module(module):
    with open(os.path.join(RTL, module + ".sv")) as file:
        return file.read()


def find(mutant, source):
    if source.count(mutant.text) != 1:
        sys.exit(f"list.txt: {mutant.name}: {source.count(mutant.text)} times in {mutant.module}: {mutant.text}")
    return source.index(mutant.text) + len(mutant.before)


def plant(source, mutants):
    """The module with all of these faults, chosen by number; several may be in one place."""
    places = {}
    for mutant in mutants:
        places.setdefault((find(mutant, source), mutant.old), []).append(mutant)
    end = len(source)
    for (begin, old), here in sorted(places.items(), reverse=True):
        if begin + len(old) > end:
            sys.exit(f"list.txt: {here[0].name}: its place overlaps another's")
        choice = "".join(f"bertd_mutant_pkg::number == {m.number} ? ({m.new}) : " for m in here)
        source = source[:begin] + f"({choice}({old}))" + source[begin + len(old):]
        end = begin
    return source


def replace(source, mutant):
    begin = find(mutant, source)
    return source[:begin] + mutant.new + source[begin + len(mutant.old):]


def write_if_new(path, text):
    if not os.path.exists(path) or open(path).read() != text:
        with open(path, "w") as file:
            file.write(text)


def write_sources(folder, bench):
    os.makedirs(folder, exist_ok=True)
    by_module = {}
    for mutant in load():
        if mutant.bench == bench:
            by_module.setdefault(mutant.module, []).append(mutant)
    if bench != "fp" and by_module.keys() & {name[:-3] for name in os.listdir(STAND_INS)}:
        sys.exit(f"list.txt: {bench} has stand-ins for the floating-point units: their faults are for fp")
    write_if_new(os.path.join(folder, "bertd_mutant_pkg.sv"), PACKAGE)
    for module, mutants in by_module.items():
        write_if_new(os.path.join(folder, module + ".sv"), plant(read_module(module), mutants))
    for name in os.listdir(folder):
        if name[:-3] not in by_module and name != "bertd_mutant_pkg.sv":
            os.remove(os.path.join(folder, name))


def command(build, bench, arguments):
    if bench == "fp":
        return [os.path.join(build, "rtl/fp-mutants/Vbertd_fp_bench")] + arguments.split()
    name = "rtl-mutants" if bench == "engine" else "rtl-mutants-" + bench
    return [os.path.join(build, "tests/rtl", name)] + ([] if bench in ("flips", "ecc") else ENGINE) + arguments.split()


def see(build, bench, arguments, number):
    """What the bench said last, or None when it saw nothing."""
    words = command(build, bench, arguments)
    run = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS,
                         env=dict(os.environ, BERTD_MUTANT=str(number)))
    if run.returncode == 0:
        return None
    said = [line for line in run.stdout.splitlines() if re.search("FAIL|Error|differ|wrong", line)]
    return (said or [f"exit code {run.returncode}"])[0].strip()


def fingerprint(mutant, program):
    with open(program, "rb") as file:
        return hashlib.sha256(repr(mutant).encode() + file.read()).hexdigest()[:16]


def known_results(path):
    if not os.path.exists(path):
        return {}
    with open(path) as file:
        rows = [json.loads(line) for line in file]
    return {row["key"]: row for row in rows}


def run_all(build, path, chosen):
    results, sound, reasons = known_results(path), {}, load_survivors()
    wrong = []
    for place, mutant in enumerate(chosen, 1):
        key = fingerprint(mutant, command(build, mutant.bench, "")[0])
        if key not in results:
            began = time.monotonic()
            case = (mutant.bench, mutant.arguments)
            if case not in sound:
                sound[case] = see(build, *case, 0)
            if sound[case]:
                sys.exit(f"without a fault, {' '.join(case)} says: {sound[case]}")
            said = see(build, *case, mutant.number)
            results[key] = {"key": key, "name": mutant.name, "module": mutant.module, "bench": " ".join(case),
                            "seen": said, "seconds": round(time.monotonic() - began)}
            with open(path, "a") as file:
                file.write(json.dumps(results[key]) + "\n")
        row = results[key]
        reason = reasons.get(mutant.name)
        said = row["seen"] or (f"not seen: {reason}" if reason else f"NOT SEEN by {row['bench']}")
        print(f"{place}/{len(chosen)} {row['name']} ({row['module']}): {said}", flush=True)
        if bool(row["seen"]) == bool(reason):
            wrong.append(mutant)
    return wrong


def choose(arguments):
    sample, seed, names = None, "1", []
    words = iter(arguments)
    for word in words:
        if word == "--sample":
            sample = int(next(words))
        elif word == "--seed":
            seed = next(words)
        else:
            names.append(word)
    chosen = [mutant for mutant in load() if mutant.bench != "formal" and (not names or mutant.name in names)]
    if set(names) - {mutant.name for mutant in chosen}:
        sys.exit(f"list.txt has no {' '.join(set(names) - {mutant.name for mutant in chosen})} for a bench")
    if sample:  # of the engine alone: one build
        chosen = [mutant for mutant in chosen if mutant.bench == "engine"]
        chosen = random.Random(seed).sample(chosen, min(sample, len(chosen)))
    return chosen


def main(arguments):
    if len(arguments) == 3 and arguments[0] == "sources":
        return write_sources(arguments[1], arguments[2])
    if len(arguments) < 3 or arguments[0] != "run":
        sys.exit(__doc__)
    chosen = choose(arguments[3:])
    wrong = run_all(arguments[1], arguments[2], chosen)
    if wrong:
        sys.exit(f"not seen, or seen though survivors.txt has them: {', '.join(mutant.name for mutant in wrong)}")
    print(f"{len(chosen)} faults: all were seen, but for those of survivors.txt")


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.exit(print(__doc__))
    main(sys.argv[1:])
