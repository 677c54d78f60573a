#!/usr/bin/env python3
"""bertd's boards and its peers on this CPU: time, fidelity, ratios. Run it by tests/bench/peers/run.

Every engine is a process that stays alive; within a round each answers the same cell in turn, so that all meet the
same state of the machine. Before that each peer tries its settings for every cell and keeps the best one.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import held
import report
import texts

BUILD = os.path.join(texts.ROOT, "build", "peers")
CELLS = [(1, 8), (1, 16), (1, 32), (1, 64), (1, 128), (1, 256), (1, 512), (32, 16), (8, 128)]
QUICK_CELLS = [(1, 16), (1, 128), (8, 128)]
LARGE_CELLS = [(1, 8), (1, 16), (1, 128), (32, 16), (8, 128)]    # of BERT-large: a pass takes seconds
INT8_PEERS = ["openvino-int8", "onnxruntime-int8"]
BF16_PEERS = ["openvino-bf16", "torch-bf16"]                     # where the processor has products of bf16
PEERS = [*INT8_PEERS, *BF16_PEERS, "openvino-fp32", "onnxruntime-fp32", "torch-fp32"]
RAGGED_TEXTS = {"minilm": 256, "bert-base": 96, "bert-large": 32}
SPLIT_CELLS = [("minilm", 1, 32), ("bert-base", 1, 128)]
UNIFORM = (8, 128)        # with which bertd's own ragged mix is compared
SETTLE_SECONDS = 0.03
SLICE_MS = 120            # a turn of one engine in one round
UNIFORM_TURNS = 3         # of both in one round
LEARNING_MS = 1000        # a cell, in which bertd's planner learns what its placements take: peers are tuned for longer


def say(text):
    print(text, file=sys.stderr, flush=True)


class Process:
    """An engine that answers a line with a line."""

    def __init__(self, name, command, environment):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=os.environ | environment,
                                        stderr=open(os.path.join(BUILD, f"{name}.log"), "w", encoding="utf-8"))

    def read(self, expected):
        words = self.process.stdout.readline().split()
        if not words or words[0] != expected:
            raise SystemExit(f"error: {self.name} ended or said {words[:3]}: see build/peers/{self.name}.log")
        return words[1:]

    def ask(self, expected, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()
        return self.read(expected)

    def times(self, *words):
        return [float(word) for word in self.ask("ms", *words)]

    def finish(self):
        self.process.stdin.close()
        self.process.wait()


def start_engines(options, model, forms):
    """Peers first, then bertd, for one model, since all its forms take gigabytes: {name: Process}."""
    engines = {}
    serve = os.path.join(os.path.dirname(os.path.abspath(__file__)), "serve.py")
    for name in options.peers:
        engines[name] = Process(name, [sys.executable, "-W", "ignore", serve, name, str(options.threads),
                                       json.dumps({model: forms})], options.held.peer(name))
    for name, engine in engines.items():
        options.held.check(name, *engine.read("ok"))
    bertd = engines["bertd"] = Process("bertd", [os.path.join(BUILD, "tests", "bench", "bench-engine_cells")],
                                       options.held.bertd())
    seconds = bertd.ask("ok", "open", model, forms["dir"], options.threads)[0]
    say(f"  bertd: {model} on {options.threads} boards, open in {seconds} s")
    bertd.ask("ok", "open", f"{model}@1", forms["dir"], 1)
    return engines


# Tuning ------------------------------------------------------------------------------------------------------------

def cells_of(options, model):
    return [cell for cell in options.cells if model != "bert-large" or cell in LARGE_CELLS]


def tune(options, engines, model, lengths):
    """{(engine, model, cell): setting}; every peer keeps its best in its own process, and bertd sees what comes."""
    settings = {}
    cells = cells_of(options, model)
    for seqs, tokens in cells:
        first = engines["bertd"].times("time", model, seqs, tokens, 1)[0]
        engines["bertd"].times("time", model, seqs, tokens, max(8, int(LEARNING_MS / first)))
    for name in options.peers:
        for seqs, tokens in cells:
            seconds = 0.05 if name.endswith("fp32") or options.quick else 0.3
            words = engines[name].ask("setting", "tune", model, seqs, tokens, seconds)
            settings[name, model, (seqs, tokens)] = " ".join(words)
        if not name.endswith("fp32"):
            settings[name, model, "ragged"] = " ".join(engines[name].ask("setting", "tune-ragged", model, *lengths))
        say("  settings of {}: {}".format(name, "; ".join(
            f"{cell if cell == 'ragged' else report.cell_name(cell)}: {setting}"
            for (n, _, cell), setting in settings.items() if n == name)))
    return settings


# Rounds ------------------------------------------------------------------------------------------------------------

def cpu_ticks():
    with open("/proc/stat", encoding="ascii") as f:
        ticks = [int(word) for word in f.readline().split()[1:9]]
    return sum(ticks), ticks[3] + ticks[4]          # all, idle and waiting


def measure_other_load():
    """Share of the machine that is busy while every engine here is idle."""
    time.sleep(0.1)
    total, idle = cpu_ticks()
    time.sleep(0.4)
    total_after, idle_after = cpu_ticks()
    return 1 - (idle_after - idle) / max(1, total_after - total)


class Clock:
    """The turns of all rounds: {key: [median of the turn]}; the first answer of a key only warms up, and tells how many
    fill a turn. The fastest turn counts, of every engine: what other guests do to the machine only adds."""

    def __init__(self):
        self.turns, self.first = {}, {}

    def turn(self, key, times):
        """`times` gives the milliseconds of so many answers."""
        if key not in self.turns:
            self.turns[key], self.first[key] = [], times(1)[0]
        last = self.turns[key][-1] if self.turns[key] else self.first[key]
        time.sleep(SETTLE_SECONDS)
        self.turns[key].append(statistics.median(times(max(1, min(100, int(SLICE_MS / last))))))

    def best(self, key):
        return min(self.turns[key])


def compare_uniform(bertd, model, lengths):
    """(tokens a second of equal texts, of the ragged mix right after that): each for about as long."""
    tokens, equal = sum(lengths), UNIFORM[0] * UNIFORM[1]
    passes = max(1, round(tokens / equal))
    uniform = passes * equal / sum(bertd.times("time", model, *UNIFORM, passes))
    return uniform * 1e3, tokens / bertd.times("ragged", model, 1, *lengths)[0] * 1e3


def run_rounds(options, engines, model, lengths):
    """({(engine, model, cell): ms}, {split cell: (ms on one board, ms on all)}, {(engine, model): tokens a second of the
    ragged mix}, {model: [what compare_uniform found]}, load of others)"""
    clock, mix, uniform, loads = Clock(), Clock(), [], []
    cells = cells_of(options, model)
    splits = [tuple(cell) for name, *cell in SPLIT_CELLS if name == model]
    for number in range(options.rounds):
        say(f"  round {number + 1} of {options.rounds}")
        loads.append(measure_other_load())
        options.limits.measure()
        due = [name for name in engines if not name.endswith("fp32") or number % 3 == 0]    # never the best of the peers
        for cell in cells:
            for name in due:
                clock.turn((name, model, cell), lambda n: engines[name].times("time", model, *cell, n))
            if cell in splits:
                clock.turn((f"{model}@1", *cell), lambda n: engines["bertd"].times("time", f"{model}@1", *cell, n))
        for name in engines:
            if not name.endswith("fp32"):
                mix.turn((name, model), lambda n: engines[name].times("ragged", model, n, *lengths))
        uniform += [compare_uniform(engines["bertd"], model, lengths) for _ in range(UNIFORM_TURNS)]
    times = {key: clock.best(key) for key in clock.turns if key[0] in engines}
    split = {(model, *cell): (clock.best((f"{model}@1", *cell)), times["bertd", model, cell]) for cell in splits
             if cell in cells}
    ragged = {key: sum(lengths) / mix.best(key) * 1e3 for key in mix.turns}
    return times, split, ragged, {model: uniform}, statistics.mean(loads)


# Fidelity ----------------------------------------------------------------------------------------------------------

def cosine(a, b):
    product = sum(x * y for x, y in zip(a, b))
    return product / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5


def run_fidelity(options, engines, minilm_dir):
    """({engine: (mean, least cosine)}, what it was measured on)"""
    ids, references, words = texts.load(minilm_dir)
    say(f"  fidelity on {words}")

    def embed(name, text):
        return [float(word) for word in engines[name].ask("values", "embed", "minilm", *text)]
    if references is None:
        if "torch-fp32" not in engines:
            return {}, "not measured: no golden data, no torch"
        references = [embed("torch-fp32", text) for text in ids]
    fidelity = {}
    for name in engines:
        values = [cosine(embed(name, text), reference) for text, reference in zip(ids, references)]
        fidelity[name] = (statistics.mean(values), min(values))
    return fidelity, words


# -------------------------------------------------------------------------------------------------------------------

class Limits:
    """What bertd's own bench-machine reads of this machine: the best of many, since others may be at work. Every round
    measures anew: boards and their limits are to meet the same machine."""

    def __init__(self, threads, environment):
        self.threads, self.environment = threads, os.environ | environment
        self.isa, self.gmacs, self.read_gb_s = "", 0.0, 0.0

    def measure(self, times=3):
        command = [os.path.join(BUILD, "tests", "bench", "bench-machine"), str(self.threads)]
        for _ in range(times):
            found = json.loads(subprocess.run(command, env=self.environment, check=True, stdout=subprocess.PIPE,
                                              text=True).stdout)
            self.isa = found["isa"]
            self.gmacs = max(self.gmacs, found["peak_gmacs_a_thread"] * self.threads)
            self.read_gb_s = max(self.read_gb_s, found["read_gb_s"])


def has_bf16():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        flags = next((line for line in f if line.startswith("flags")), "").split()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def parse_options(words=None):
    parser = argparse.ArgumentParser(prog="tests/bench/peers/run", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true",
                        help="three cells, two rounds, int8 peers only")
    parser.add_argument("--models", nargs="+", choices=list(RAGGED_TEXTS), default=None,
                        help="default: all; with --quick minilm and bert-base")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=None)
    parser.add_argument("--rounds", type=int, default=None, help="default: 7")
    parser.add_argument("--isa", choices=list(held.SETS), default=None,
                        help="hold bertd and all peers to this instruction set, on a machine that has newer ones; "
                             "peers that cannot be held are left out. The result has a folder of its own")
    parser.add_argument("--threads", type=int, default=2, help="threads of each peer, boards of bertd, cores of all")
    parser.add_argument("--out", default=None,
                        help="folder of peers.json and peers.svg; default: build/results, or build/results/as-ISA")
    parser.add_argument("--publish", action="store_true",
                        help="write into docs/bench/MACHINE, by the processor's name: each kind of machine has its own")
    parser.add_argument("--minilm", default=None, help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    options.cells = QUICK_CELLS if options.quick else CELLS
    options.models = options.models or list(RAGGED_TEXTS)[:2 if options.quick else None]
    wanted = INT8_PEERS if options.quick else [name for name in PEERS if has_bf16() or name not in BF16_PEERS]
    options.left_out = {}

    def leave_out(name, why):
        options.left_out[name] = why
        say(f"{name} is left out: {why}")
    options.held = held.Held(options.isa, BUILD, leave_out)
    options.peers = options.held.choose(options.peers or wanted)
    if not options.peers:
        raise SystemExit(f"error: no peer can be held to {options.isa} here")
    options.rounds = options.rounds or (2 if options.quick else 7)
    options.limits = Limits(options.threads, options.held.bertd())
    return options


def place_of(options):
    """The folder of the result: a run in which engines are held back overwrites no other."""
    if options.publish:
        return os.path.join(texts.ROOT, "docs", "bench", report.name_machine(options.limits.isa, options.isa))
    return options.out or os.path.join(texts.ROOT, "build", "results", *([f"as-{options.isa}"] if options.isa else []))


def main():
    options = parse_options()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:options.threads])
    say("Models (made once, kept in build/peers/models)")
    maker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models.py")
    made = subprocess.run([sys.executable, "-W", "ignore", maker, os.path.join(BUILD, "models"), options.minilm,
                           *(["--no-vnni"] if options.isa in held.WITHOUT_VNNI else []), *options.models],
                          check=True, stdout=subprocess.PIPE, text=True)
    paths = json.loads(made.stdout)
    begin = time.time()
    load = measure_other_load()
    if load > 0.1:
        say(f"WARNING: other programs keep {load:.0%} of this machine busy: times will be wrong, and take long")
    limits = options.limits
    limits.measure()
    if options.isa not in (None, limits.isa):
        raise SystemExit(f"error: this machine has no {options.isa}: bertd's kernels are those of {limits.isa}")
    options.out = place_of(options)
    lengths = {model: texts.ragged_lengths(RAGGED_TEXTS[model]) for model in options.models}
    settings, times, split, ragged, uniform, loads = {}, {}, {}, {}, {}, []
    fidelity, fidelity_on = {}, ""
    for model in options.models:
        say(f"{model}: {options.threads} cores, {limits.isa}")
        engines = start_engines(options, model, paths[model])
        settings |= tune(options, engines, model, lengths[model])
        if model == "minilm":
            fidelity, fidelity_on = run_fidelity(options, engines, options.minilm)
        *found, load = run_rounds(options, engines, model, lengths[model])
        for mapping, more in zip((times, split, ragged, uniform), found):
            mapping |= more
        loads.append(load)
        for engine in engines.values():
            engine.finish()
    machine = report.describe_machine(limits, max(loads), options.isa, options.left_out)
    result = report.assemble(times, settings, fidelity, fidelity_on, ragged, uniform, split, lengths, machine)
    report.write(result, options.out)
    report.print_table(result)
    say(f"\n{time.time() - begin:.0f} s; written to {os.path.relpath(options.out)}/peers.json and peers.svg")


if __name__ == "__main__":
    main()
