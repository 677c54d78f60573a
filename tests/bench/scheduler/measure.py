#!/usr/bin/env python3
"""Does the scheduler reach its goals? Run it by tests/bench/scheduler/run; writes scheduler.json and .svg.

A model's parts that are not run stay as they were, if that was on this machine.
"""
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
    "full": {"minilm": Level(15, 0.5, 6, 1.2, 4, 8, 8, 60, 30, 30, 100000),
             "bert-base": Level(8, 1, 3, 4, 3, 15, 12, 60, 30, 30, 10000)},
}


def say(text):
    print(text, file=sys.stderr, flush=True)


def processor():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        fields = dict(map(str.strip, line.split(":", 1)) for line in info if ":" in line)
    return f"{fields.get('model name', platform.machine())} family {fields.get('cpu family', '?')}"


def placements(model, options, level, fifo):
    rows = cells.measure(options.bertd, options.load, model, level, say)
    print(cells.show(rows), flush=True)
    return {"placements": rows}


def two_classes(model, options, level, fifo):
    result = classes.measure(options.bertd, options.load, model, fifo, level, say)
    print(classes.show(result), flush=True)
    return result


def strains(model, options, level, fifo):
    result = {}
    for name, part in (("overload", strain.overload), ("hangers_on", strain.hangers_on), ("cancels", strain.cancels)):
        say(f"  strain, {name.replace('_', ' ')}")
        result[name] = part(options.bertd, options.load, model, level)
        print(strain.SHOW[name](result[name]), flush=True)
    return result


PARTS = {"placements": placements, "classes": two_classes, "strain": strains}


def measure(name, model, options, result):
    """The parts asked for of one model, into `result`, which may hold others."""
    fifo = (options.python, options.onnx[name], model, os.cpu_count()) if options.python else None
    for part in options.parts.split(","):
        begin = time.monotonic()
        result |= PARTS[part](model, options, LEVELS[options.level][name], fifo)
        seconds = round(time.monotonic() - begin)
        result["runs"][part] = {"level": options.level, "seconds": seconds}
        print(f"  {part}: {seconds} s", flush=True)


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
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--bertd", required=True)
    parser.add_argument("--load", required=True, help="bench-load")
    parser.add_argument("--python", help="with ONNX Runtime, for the FIFO; without it that is left out")
    parser.add_argument("--onnx", type=json.loads, default={}, help='{"minilm": path, ..}')
    parser.add_argument("--out", required=True, help="a folder")
    parser.add_argument("models", nargs="+", metavar="NAME=DIR")
    return parser.parse_args()


def earlier(options, machine):
    """{model: result} of earlier runs on this machine."""
    try:
        with open(os.path.join(options.out, "scheduler.json"), encoding="utf-8") as file:
            data = json.load(file)
        return data["models"] if data["machine"] == machine and isinstance(data["models"], dict) else {}
    except FileNotFoundError:
        return {}


def write(options, machine, results):
    reached = list(goals(results))
    data = {"machine": machine, "goals": len(reached), "reached": sum(reached), "models": results}
    os.makedirs(options.out, exist_ok=True)
    with open(os.path.join(options.out, "scheduler.json"), "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.write("\n")
    plot.write(os.path.join(options.out, "scheduler.svg"), results)


def main():
    options = arguments()
    begin, machine = time.monotonic(), {"processor": processor(), "cores": os.cpu_count()}
    results = earlier(options, machine)
    for name, model in (entry.split("=", 1) for entry in options.models):
        print(f"\n{name}", flush=True)
        measure(name, model, options, results.setdefault(name, {"runs": {}}))
        write(options, machine, results)    # what is there stays, whatever comes
    reached = list(goals(results))
    print(f"\n{sum(reached)} of {len(reached)} goals reached ({', '.join(results)}), in "
          f"{time.monotonic() - begin:.0f} s; {options.out}/scheduler.json and .svg written")


if __name__ == "__main__":
    main()
