#!/usr/bin/env python3
"""Structure checks: lint.py CHECK [--build DIR] [--root DIR] [FILE...] with CHECK one of the functions named check_*.

Prints each finding as file:line: what is wrong, and ends with status 1 if there was any, with 77 where the check cannot
be made here. With FILEs, `headers`, `sizes` and `format` look at those alone. DIR of --build is a CMake build (for its
objects and generated headers), that of --root the repository.
"""
import argparse
import json
import os
import re
import subprocess
import sys

PRODUCT = ("base", "server", "accel", "clients")
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 80
SKIPPED = 77


# The tree -----------------------------------------------------------------------------------------------------------

def table(path, columns):
    """Rows of a table with | between its columns: [(line, [words of a column, ..])]."""
    for number, line in enumerate(lines_of(path), 1):
        if line.strip() and not line.startswith("#"):
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) != columns:
                sys.exit(f"{path}:{number}: not {columns} columns")
            yield number, cells


def instruction_sets():
    """[(name, options of the compiler)] of kernels whose files end with the name."""
    path = "accel/cpu/cpu_flags.h"
    if not os.path.exists(os.path.join(options.root, path)):
        return []
    return re.findall(r'X\((\w+), \w+, \d+, "(.*)"\)', "\n".join(lines_of(path)))


class Room:
    """A row of cmake/rooms.txt."""

    def __init__(self, line, cells):
        self.line, self.name = line, cells[0]
        self.may, self.prefixes, self.headers = (cell.split() for cell in cells[1:])


def rooms():
    """{name: Room}"""
    found = [Room(line, cells) for line, cells in table("cmake/rooms.txt", 4)]
    return {room.name: room for room in found}


def room_of(path, known):
    """The room that a file is in: the nearest folder, or the file itself, that the table names. "" where none."""
    while path and path not in known:
        path = os.path.dirname(path)
    return path


def sources(*endings, under=PRODUCT + ("tests",)):
    if options.files:
        yield from (path for path in options.files if path.endswith(endings))
        return
    for top in under:
        for folder, _, names in os.walk(os.path.join(options.root, top)):
            for name in sorted(names):
                if name.endswith(endings):
                    yield os.path.relpath(os.path.join(folder, name), options.root)


def lines_of(path):
    with open(os.path.join(options.root, path), encoding="utf-8") as f:
        return f.read().split("\n")


def includes_of(path):
    """(line, file) of each include in quotes."""
    for number, line in enumerate(lines_of(path), 1):
        match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if match:
            yield number, match[1]


def exists(path):
    return os.path.exists(os.path.join(options.root, path))


def symbols():
    """{source: (global symbols that its object defines, those that it wants)} of the product, as the build has it."""
    with open(os.path.join(options.build, "compile_commands.json"), encoding="utf-8") as f:
        commands = json.load(f)
    sources_of = {}
    for entry in commands:
        source = os.path.relpath(os.path.join(entry["directory"], entry["file"]), options.root)
        output = re.search(r" -o (\S+)", entry["command"])
        if output and source.startswith(PRODUCT) and "/bertd_" in output[1]:
            sources_of[os.path.join(entry["directory"], output[1])] = source
    found = {source: (set(), set()) for source in sources_of.values()}
    missing = [source for obj, source in sources_of.items() if not os.path.exists(obj)]
    if missing:
        sys.exit(f"{options.build}: not built yet: {missing[0]} and {len(missing) - 1} more")
    if found:
        run = subprocess.run(["nm", "-A", "-P", "-g", *sources_of], capture_output=True, text=True, check=True)
        for obj, symbol, kind in re.findall(r"^(.*): (\S+) (\S)", run.stdout, re.M):
            found[sources_of[obj]][kind in "Uvw"].add(symbol)
    return found


def circles(edges):
    """Strongly connected groups of more than one: [sorted names] (Tarjan, by a stack of our own)."""
    index, low, stack, found = {}, {}, [], []
    for start in sorted(edges):
        work = [(start, iter(sorted(edges[start])))] if start not in index else []
        while work:
            node, rest = work[-1]
            if node not in index:
                index[node] = low[node] = len(index)
                stack.append(node)
            for other in rest:
                if other not in index:
                    work.append((other, iter(sorted(edges.get(other, ())))))
                    break
                if other in stack:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    group = stack[stack.index(node):]
                    del stack[stack.index(node):]
                    if len(group) > 1:
                        found.append(sorted(group))
    return found


# The checks ---------------------------------------------------------------------------------------------------------

def check_includes():
    """A room includes itself, the rooms that the table allows it, and of those what the table calls public."""
    known, used = rooms(), set()
    for path in sources(".c", ".h", ".cpp", under=PRODUCT):
        room = room_of(path, known)
        if not room:
            yield f"{path}:1: in no room of cmake/rooms.txt"
            continue
        for number, included in includes_of(path):
            if "/" not in included:
                continue                  # generated, or of a library
            other = room_of(included, known)
            if included.startswith(("../", "tests/")) or "/../" in included:
                yield f"{path}:{number}: the product must not include {included}"
            elif not exists(included):
                yield f"{path}:{number}: {included} is not written from the repository's root"
            elif other != room and other not in known[room].may:
                yield f"{path}:{number}: {room} must not include {included}"
            elif other != room and os.path.relpath(included, other) not in known[other].headers:
                yield f"{path}:{number}: {included} is private to {other}"
            elif other != room:
                used |= {(room, other), included}
    yield from unused_permissions(known, used)


def unused_permissions(known, used):
    for room in known.values():
        for other in room.may:
            if other not in known:
                yield f"cmake/rooms.txt:{room.line}: there is no room {other}"
            elif (room.name, other) not in used:
                yield f"cmake/rooms.txt:{room.line}: {room.name} includes nothing of {other}"
        for header in room.headers:
            if f"{room.name}/{header}" not in used:
                yield f"cmake/rooms.txt:{room.line}: no other room includes {room.name}/{header}"


def check_tests():
    """The product's build takes no file from tests/."""
    names = [*sources("CMakeLists.txt", ".cmake", under=PRODUCT + ("cmake",)), "CMakeLists.txt"]
    for path in names:
        for number, line in enumerate(lines_of(path), 1):
            code = line.split("#")[0]
            if re.search(r"(?<![-\w])tests/", code) and "add_subdirectory" not in code:
                yield f"{path}:{number}: the product must not take files from tests/"


def knowledge():
    """Who knows whom: {name: {names}} of rooms by the table, of headers by includes, of .c files by calls."""
    edges = {room.name: set(room.may) for room in rooms().values()}
    for path in sources(".h", under=PRODUCT):
        edges[path] = {included for _, included in includes_of(path)}
    compiled = symbols()
    homes = {symbol: source for source, (defined, _) in compiled.items() for symbol in defined}
    for source, (_, wanted) in compiled.items():
        edges[source] = {homes.get(symbol, source) for symbol in wanted} - {source}
    return edges


def check_circles():
    """No two rooms, headers or .c files know each other, but for what circles.txt allows."""
    edges, allowed = knowledge(), list(table("tests/lint/circles.txt", 3))
    if not symbols():
        yield f"{options.build}: no object of the product"
    whole = circles(edges)
    for number, (tail, head, _) in allowed:
        if head not in edges.get(tail, ()) or not any(tail in group and head in group for group in whole):
            yield f"tests/lint/circles.txt:{number}: {tail} does not close a circle by {head}"
    for _, (tail, head, _) in allowed:
        edges.get(tail, set()).discard(head)
    for group in circles(edges):
        ways = [f"{tail} -> {head}" for tail in group for head in sorted(edges[tail] & set(group))]
        yield f"{group[0]}: a circle: {', '.join(ways)}"


def check_headers():
    """Every header compiles alone."""
    for path in sources(".h", under=PRODUCT):
        command = ["cc", "-std=gnu11", "-D_GNU_SOURCE", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-I", options.root]
        for folder in ("accel", "server/rpc", "server/token"):
            command += ["-I", os.path.join(options.build, folder)]
        for name, words in instruction_sets():
            if path.endswith(f"_{name}.h"):
                command += words.split()
        run = subprocess.run(command + ["-include", os.path.join(options.root, path), "-x", "c", "/dev/null"], capture_output=True, text=True)
        if run.returncode != 0:
            yield f"{path}:1: does not compile alone\n{run.stderr}"
        if not any(line.startswith("#ifndef ") for line in lines_of(path)):
            yield f"{path}:1: no include guard"


def check_symbols():
    """Global symbols begin with a prefix of their room."""
    known, compiled = rooms(), symbols()
    if not compiled:
        yield f"{options.build}: no object of the product"
    for source, (defined, _) in sorted(compiled.items()):
        room = known.get(room_of(source, known))
        for symbol in sorted(defined):
            if room and not symbol.startswith((*room.prefixes, "_", "DW.ref._")):  # the latter: what C++ makes for `catch`
                yield f"{source}:1: {symbol} has none of the prefixes {' '.join(room.prefixes)}"


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


def check_sizes():
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


def clang_format():
    """The pinned clang-format, of tests/run or of this system. Where there is none: status 77, and why."""
    version = re.search(r"==(\S+)", " ".join(lines_of("tests/lint/requirements.txt")))[1]
    own = os.path.join(ROOT, "build", "clang-format", "clang_format", "data", "bin", "clang-format")
    for program in (own, "clang-format", "clang-format-" + version.split(".")[0]):
        try:
            run = subprocess.run([program, "--version"], capture_output=True, text=True)
        except OSError:
            continue
        if f"version {version}" in run.stdout:
            return program
    print(f"skipped: no clang-format {version}, whose verdict counts; tests/run installs it in build/clang-format")
    sys.exit(SKIPPED)


def check_format():
    """The tree is as clang-format leaves it."""
    command = [clang_format(), "--dry-run", "--Werror", *sources(".c", ".h")]
    run = subprocess.run(command, cwd=options.root, capture_output=True, text=True)
    if run.returncode != 0:
        yield "\n".join(line for line in run.stderr.split("\n") if "error:" in line)[:4000]


def check_words():
    """Nothing points outside of the repository, and no host of a package registry is named."""
    hosts = ["pypi" + ".org", "files.python" + "hosted", "deb" + ".debian.org", "registry.npm" + "js", "crates" + ".io"]
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=options.root, capture_output=True, text=True, check=True).stdout.split("\n")
    for path in listed:
        full = os.path.join(options.root, path)
        if not path or not os.path.isfile(full) or os.path.getsize(full) > 1 << 20:
            continue
        with open(full, "rb") as f:
            text = f.read().decode("utf-8", "replace")
        for number, line in enumerate(text.split("\n"), 1):
            for word in hosts + ["/work/" + "shared", ".library" + "/"]:
                if word in line:
                    yield f"{path}:{number}: names {word}"


ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHECKS = {name[6:]: check for name, check in globals().items() if name.startswith("check_")}


def main():
    global options
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("check", choices=sorted(CHECKS))
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--root", default=ROOT)
    options = parser.parse_args()
    found = list(CHECKS[options.check]())
    for line in found:
        print(line)
    print(f"{options.check}: {len(found)} findings")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
