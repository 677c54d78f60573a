#!/usr/bin/env python3
"""Every script and bench answers --help at once: it says something, and neither builds, installs, writes nor fails.

test_help.py [--build DIR], with the benches of a CMake build too.
"""
import argparse
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = (".ci", "tests", "deploy", "accel/rtl/syn")
MUST_NOT_RUN = ["cmake", "ninja", "make", "gcc", "cc", "clang", "apt-get", "sudo", "pip", "pip3", "verilator", "yosys", "curl", "go",
                "npm", "protoc"]


def scripts():
    """(path, command): what is executable, and what Python can run."""
    for top in FOLDERS:
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            for path in (os.path.join(folder, name) for name in sorted(names)):
                with open(path, encoding="utf-8", errors="replace") as file:
                    text = file.read()
                if os.access(path, os.X_OK):
                    yield path, [path]
                elif path.endswith(".py") and (text.startswith("#!") or "__main__" in text):
                    yield path, ["/usr/bin/python3", path]


def benches(build):
    folder = os.path.abspath(os.path.join(build, "tests", "bench"))
    for name in sorted(os.listdir(folder) if os.path.isdir(folder) else []):
        if name.startswith("bench-"):
            yield os.path.join(folder, name), [os.path.join(folder, name)]


def complaint(command, folder):
    """What is wrong with the answer to --help, None where nothing is. `folder`: empty, and empty after."""
    home, stubs, calls = (os.path.join(folder, name) for name in ("home", "stubs", "calls"))
    os.makedirs(home)
    os.makedirs(stubs)
    for name in MUST_NOT_RUN:
        with open(os.path.join(stubs, name), "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\necho {name} >> {calls}\nexit 1\n")
        os.chmod(file.name, 0o755)
    environment = {"PATH": f"{stubs}:/usr/bin:/bin", "HOME": home, "TMPDIR": home, "PYTHONDONTWRITEBYTECODE": "1"}
    before = state_of_tree()
    run = subprocess.run([*command, "--help"], cwd=home, env=environment, stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, timeout=300)
    if run.returncode != 0:
        return f"ends with {run.returncode}: {run.stderr[-300:]}"
    if not run.stdout.strip():
        return "says nothing"
    if os.path.exists(calls):
        return "calls " + " ".join(open(calls, encoding="ascii").read().split())
    if os.listdir(home) or state_of_tree() != before:
        return "writes"
    return None


def state_of_tree():
    """Tracked files that differ and new ones; nothing where this is no repository."""
    run = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True)
    return run.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="")
    options = parser.parse_args()
    asked = [*scripts(), *benches(options.build)]
    bad = 0
    for path, command in asked:
        with tempfile.TemporaryDirectory() as folder:
            wrong = complaint(command, folder)
        if wrong:
            bad += 1
            print(f"{os.path.relpath(path, ROOT)} --help {wrong}")
    print(f"{len(asked)} asked, {bad} answer wrongly")
    return 1 if bad or not asked else 0


if __name__ == "__main__":
    sys.exit(main())
