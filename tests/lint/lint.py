#!/usr/bin/env python3
"""Structure checks: lint.py CHECK [--build DIR] with CHECK one of the functions below named check_*.

Prints each finding as file:line: what is wrong, and ends with status 1 if there was any.
"""
import argparse
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# A room may include itself and the rooms named here: one direction, no way back.
ROOMS = {
    "base": [],
    "server/metrics": ["base"],
    "server/config": ["base"],
    "accel": ["base"],
    "accel/ref": ["accel", "base"],
    "accel/cpu": ["accel", "base"],
    "accel/fp32": ["accel", "base"],
    "accel/emu": ["accel", "accel/sim", "base"],
    "accel/sim": ["accel", "accel/ref", "base"],
    "server/batch": ["accel", "server/metrics", "base"],
    "server/model": ["accel", "base"],
    "server/token": ["base"],
    "server/wire": ["server/token", "server/model", "server/batch", "base"],
    "server/http": ["server/wire", "server/token", "server/model", "server/batch", "server/metrics", "base"],
}
# External symbols carry their room's name. base holds the few words everybody uses.
PREFIXES = {
    "base": ["status_", "error_", "mem_", "arena_", "buf_", "clock_", "file_", "log_", "base_", "cond_", "utf8_"],
    "accel": ["board_", "backend_", "image_", "engine_", "ref_", "cpu_", "emu_", "fp32_", "sim_"],
    "batch": ["batch_", "sched_", "queue_", "planner_", "cost_", "eta_", "calibrate_", "bandit_", "flight_", "health_",
              "watchdog_"],
}
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 80


def sources(*endings, under=("base", "server", "accel", "clients", "tests")):
    for top in under:
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            for name in sorted(names):
                if name.endswith(endings):
                    yield os.path.relpath(os.path.join(folder, name), ROOT)


def lines_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read().split("\n")


def room_of(path):
    folder = os.path.dirname(path)
    while folder and folder not in ROOMS:
        folder = os.path.dirname(folder)
    return folder


def check_includes(_):
    """Rooms include only rooms to their right, and only public headers' folders."""
    for path in sources(".c", ".h", under=("base", "server", "accel")):
        room = room_of(path)
        if not room:
            continue                      # server/main.c may use every room
        for number, line in enumerate(lines_of(path), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match or "/" not in match[1]:
                continue                  # system headers, and generated ones of the same room
            other = room_of(match[1])
            if not os.path.exists(os.path.join(ROOT, match[1])):
                yield f"{path}:{number}: {match[1]} is not written from the repository's root"
            elif other != room and other not in ROOMS[room] and not allowed_engine(path, match[1]):
                yield f"{path}:{number}: {room} must not include {match[1]}"


def allowed_engine(path, included):
    """The opener and the emulated board know every engine by its ops alone; nobody looks into a sibling folder."""
    return room_of(path) == "accel" and included == "accel/emu/emu.h"


def check_headers(_):
    """Every header compiles alone."""
    for path in sources(".h", under=("base", "server", "accel", "clients")):
        command = ["cc", "-std=gnu11", "-D_GNU_SOURCE", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-I", ROOT]
        for folder in generated_folders:
            command += ["-I", folder]
        if "avx" in path:
            command += ["-mavx2", "-mfma"]
        if "avx512" in path:
            command += ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512vnni"]
        run = subprocess.run(command + ["-include", os.path.join(ROOT, path), "-x", "c", "/dev/null"], capture_output=True, text=True)
        if run.returncode != 0:
            yield f"{path}:1: does not compile alone\n{run.stderr}"
        guard = [line for line in lines_of(path) if line.startswith("#ifndef ")]
        if not guard:
            yield f"{path}:1: no include guard"


def check_symbols(build):
    """Global symbols of each room's library begin with its prefix."""
    for name in sorted(os.listdir(build)) + [os.path.join(d, n) for d in ("accel", "server/token") for n in os.listdir(os.path.join(build, d))]:
        match = re.search(r"libbertd_(\w+)\.a$", name)
        if not match:
            continue
        prefixes = tuple(PREFIXES.get(match[1], [match[1] + "_"]))
        text = subprocess.run(["nm", "--defined-only", "-g", os.path.join(build, name)], capture_output=True, text=True, check=True).stdout
        for line in text.split("\n"):
            parts = line.split()
            if len(parts) == 3 and parts[1] in "TDBRVW" and not parts[2].startswith(prefixes + ("__", "_")):
                yield f"{name}: {parts[2]} has none of the prefixes {', '.join(prefixes)}"


def functions(path):
    """(name, first line, lines) of each function: from a line that starts in column 0 to its closing brace there."""
    start, name = None, ""
    for number, line in enumerate(lines_of(path), 1):
        match = re.match(r"^[A-Za-z_][\w\s\*]*?\b(\w+)\s*\(", line)
        if start is None and match and not line.rstrip().endswith(";"):
            start, name = number, match[1]
        elif start is not None and line.startswith("}"):
            yield name, start, number - start + 1
            start = None
        elif start is not None and line.endswith(";") and not line.startswith((" ", "\t", "{")):
            start = None


def check_sizes(_):
    """Short files, short functions."""
    for path in sources(".c", ".h"):
        if "_table" in path:
            continue
        count = len(lines_of(path)) - 1
        if count > MAX_FILE_LINES:
            yield f"{path}:{count}: longer than {MAX_FILE_LINES} lines"
        if path.endswith(".c"):
            for name, start, length in functions(path):
                if length > MAX_FUNCTION_LINES:
                    yield f"{path}:{start}: {name} has {length} lines, more than {MAX_FUNCTION_LINES}"


def check_format(_):
    """The tree is as clang-format leaves it."""
    paths = list(sources(".c", ".h"))
    run = subprocess.run(["clang-format", "--dry-run", "--Werror"] + paths, cwd=ROOT, capture_output=True, text=True)
    if run.returncode != 0:
        yield "\n".join(line for line in run.stderr.split("\n") if "error:" in line)[:4000]


def check_words(_):
    """Nothing points outside of the repository, and no host of a package registry is named."""
    hosts = ["pypi" + ".org", "files.python" + "hosted", "deb" + ".debian.org", "registry.npm" + "js", "crates" + ".io"]
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split("\n")
    for path in tracked:
        full = os.path.join(ROOT, path)
        if not path or not os.path.isfile(full) or os.path.getsize(full) > 1 << 20:
            continue
        with open(full, "rb") as f:
            text = f.read().decode("utf-8", "replace")
        for number, line in enumerate(text.split("\n"), 1):
            for word in hosts + ["/work/" + "shared", ".library" + "/"]:
                if word in line:
                    yield f"{path}:{number}: names {word}"


def main():
    global generated_folders
    checks = {name[6:]: f for name, f in globals().items() if name.startswith("check_")}
    ap = argparse.ArgumentParser()
    ap.add_argument("check", choices=sorted(checks))
    ap.add_argument("--build", default="build/release")
    args = ap.parse_args()
    generated_folders = [os.path.join(args.build, d) for d in ("accel", "server/token")]
    found = list(checks[args.check](args.build))
    for line in found:
        print(line)
    print(f"{args.check}: {len(found)} findings")
    sys.exit(1 if found else 0)


generated_folders = []
if __name__ == "__main__":
    main()
