#!/usr/bin/env python3
"""Does the scheduler reach its goals? Run it by tests/bench/scheduler/run; writes docs/bench/scheduler.json and .svg."""
import argparse
import json
import os
import platform
import sys
import time
from collections import namedtuple

import cells
import classes
import plot
import strain
from server import ROOT

# Placements: lone_rounds turns of lone_slice seconds, rounds turns of slice seconds; classes: class_rounds of phase
# seconds; strain: seconds to find the capacity, of overload and of hangers-on, clients that leave, one by one and in
# all. A turn of the larger model ends long after its time, since what was begun is answered.
Level = namedtuple("Level", "lone_rounds lone_slice rounds slice class_rounds phase capacity overload hangers leavings "
                            "cancels")
LEVELS = {
    "quick": {"minilm": Level(2, 0.3, 1, 0.5, 1, 2, 2, 8, 5, 5, 10000),
              "bert-base": Level(1, 0.5, 1, 1, 1, 4, 2, 8, 5, 3, 1000)},
    "short": {"minilm": Level(8, 0.4, 4, 0.8, 3, 3, 3, 30, 10, 12, 100000),
              "bert-base": Level(5, 0.6, 2, 1.5, 1, 10, 4, 15, 8, 5, 10000)},
    "full": {"minilm": Level(30, 0.5, 10, 1.5, 5, 8, 8, 60, 30, 30, 100000),
             "bert-base": Level(15, 1, 5, 4, 5, 15, 12, 60, 30, 30, 10000)},
}
LAYERS = {"minilm": 6, "bert-base": 12}


def say(text):
    print(text, file=sys.stderr, flush=True)


def processor():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        fields = dict(map(str.strip, line.split(":", 1)) for line in info if ":" in line)
    return f"{fields.get('model name', platform.machine())} family {fields.get('cpu family', '?')}"


def measure(name, model, options, level, parts):
    """One model's results, and the latencies to plot."""
    result, curves = {"model": name}, {}
    print(f"\n{name}", flush=True)
    if "placements" in parts:
        result["placements"] = cells.measure(options.bertd, options.load, model, level, say)
        print(cells.show(result["placements"]), flush=True)
    if "classes" in parts:
        fifo = None
        if options.python:
            fifo = (options.python, options.onnx[name], options.tokenizer, os.cpu_count())
        row, fifo_row, curves = classes.measure(options.bertd, options.load, model, fifo, level, say)
        result["classes"] = row
        if fifo_row:
            result["classes_onnxruntime_fifo"] = fifo_row
        print(classes.show(row, fifo_row), flush=True)
    if "strain" in parts:
        say("  overload, hangers-on, clients that leave")
        result |= {"overload": strain.overload(options.bertd, options.load, model, level),
                   "hangers_on": strain.hangers_on(options.bertd, options.load, model, level),
                   "cancels": strain.cancels(options.bertd, options.load, model, LAYERS[name], level)}
        print(strain.show(result), flush=True)
    return result, curves


def goals(value):
    """Every word on a goal below `value`."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key.endswith("reached"):
                yield inner
            else:
                yield from goals(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from goals(inner)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--level", choices=LEVELS, default="full")
    parser.add_argument("--parts", default="placements,classes,strain")
    parser.add_argument("--bertd", required=True)
    parser.add_argument("--load", required=True, help="bench-load")
    parser.add_argument("--python", help="with ONNX Runtime, for the FIFO; without it that is left out")
    parser.add_argument("--onnx", type=json.loads, default={}, help='{"minilm": path, ..}')
    parser.add_argument("--tokenizer", help="tokenizer.json of both models, for ONNX Runtime")
    parser.add_argument("--out", default=os.path.join(ROOT, "docs", "bench"))
    parser.add_argument("models", nargs="+", metavar="NAME=DIR")
    return parser.parse_args()


def write(options, results, curves, seconds):
    reached = list(goals(results))
    data = {"machine": {"processor": processor(), "cores": os.cpu_count()}, "level": options.level,
            "seconds": seconds, "goals": len(reached), "reached": sum(reached), "models": results}
    os.makedirs(options.out, exist_ok=True)
    with open(os.path.join(options.out, "scheduler.json"), "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.write("\n")
    plot.write(os.path.join(options.out, "scheduler.svg"), results, curves)
    print(f"\n{sum(reached)} of {len(reached)} goals reached, in {seconds} s; "
          f"{os.path.relpath(options.out, ROOT)}/scheduler.json and .svg written", flush=True)


def main():
    options = arguments()
    begin, results, curves = time.monotonic(), [], {}
    for name, model in (entry.split("=", 1) for entry in options.models):
        result, curves[name] = measure(name, model, options, LEVELS[options.level][name], options.parts.split(","))
        results.append(result)
        write(options, results, curves, round(time.monotonic() - begin))    # what is there stays, whatever comes


if __name__ == "__main__":
    main()
