#!/usr/bin/env python3
"""The binary interface is the one that was released: test_abi.py LIBBERTD.SO

clients/c/libbertd.abi describes it. What was added is fine, any other change is not; so that this test can fail, a library
with a break is held against it as well. After a release: test_abi.py --write LIBBERTD.SO"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STORED = os.path.join(ROOT, "clients/c/libbertd.abi")
HEADER = os.path.join(ROOT, "clients/c")
CHANGED = 4  # a bit of abidiff's status; 1 and 2: it could not be told


def describe(library, path, header=HEADER):
    """Of the types, those of bertd.h alone: the others are the library's own."""
    with tempfile.TemporaryDirectory() as public:
        shutil.copy(f"{header}/bertd.h", public)
        subprocess.run(["abidw", "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--drop-private-types", "--exported-interfaces-only", "--headers-dir", public,
                        "--out-file", path, library], check=True)
    with open(path, encoding="utf-8") as f:
        text = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(re.sub(r" path='[^']*/", " path='", text))


def compare(new):
    return subprocess.run(["abidiff", "--no-added-syms", STORED, new], capture_output=True, text=True)


def replace(path, old, new):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    assert old in text, (path, old)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace(old, new))


def broken_library(folder):
    """The library, but with a field that is wider, and a function that takes another type."""
    copy = f"{folder}/clients/c"
    shutil.copytree(HEADER, copy)
    replace(f"{copy}/bertd.h", "uint32_t http_status;", "uint64_t http_status;")
    for name in ("bertd.h", "queue.c"):
        replace(f"{copy}/{name}", "bertd_queue_wait(struct bertd_queue *queue, int ", "bertd_queue_wait(struct bertd_queue *queue, long ")
    sources = [f"{copy}/{name}" for name in sorted(os.listdir(copy)) if name.endswith(".c")]
    library = f"{folder}/libbertd.so.0"
    subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", '-DBERTD_VERSION="0.0.0"', "-g", "-shared", "-fPIC", "-fvisibility=hidden", f"-I{folder}",
                    f"-Wl,--version-script={copy}/bertd.map", "-Wl,-soname,libbertd.so.0", *sources, "-o", library, "-lcurl", "-lm"], check=True)
    return library, copy


def main():
    if not shutil.which("abidiff"):
        print("skipped: no abidiff; tests/run installs abigail-tools")
        sys.exit(77)
    if sys.argv[1] == "--write":
        describe(sys.argv[2], STORED)
        return
    with tempfile.TemporaryDirectory() as folder:
        describe(sys.argv[1], f"{folder}/new.abi")
        done = compare(f"{folder}/new.abi")
        assert done.returncode == 0, done.stdout + done.stderr
        library, headers = broken_library(folder)
        describe(library, f"{folder}/broken.abi", headers)
        done = compare(f"{folder}/broken.abi")
        assert done.returncode & CHANGED, f"a break is not noticed: {done.stdout}"
        for word in ("http_status", "bertd_queue_wait"):
            assert word in done.stdout, (word, done.stdout)


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    main()
