#!/usr/bin/env python3
"""The pages name what there is: each test of tests/README.md, each file and heading that a link leads to, each room and
file of docs/architecture.md; rooms, locks, threads, metrics and methods of the sources are in the pages."""
import os
import re
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGES = ["README.md", "CONTRIBUTING.md", "accel/rtl/README.md", "tests/README.md",
         *(f"docs/{name}" for name in sorted(os.listdir(os.path.join(ROOT, "docs"))) if name.endswith(".md"))]

OTHER_MODELS = ("EmbedSparse", "EmbedSparseStream")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def anchors(path):
    """Of a page's headings, as GitHub makes them."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)", read(path), re.M)}


def sources(*folders):
    """C files of these folders, but for the tables that are made."""
    for top in folders:
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            yield from (os.path.relpath(os.path.join(folder, name), ROOT) for name in sorted(names)
                        if name.endswith((".c", ".h")))


class Pages(unittest.TestCase):
    def test_tests(self):
        n = 0
        for line in read("tests/README.md").splitlines():
            suite = None
            for word in re.findall(r"`([\w-]+)`", line.split(" | ")[-1]) if line.startswith("|") else []:
                if "-" in word:
                    folder, stem = word.split("-", 1)
                    suite = read(f"tests/{folder}/test_{stem}.c")
                else:
                    self.assertRegex(suite, rf"Test\(\w+, {word}\b", line)
                    n += 1
        self.assertGreater(n, 100)

    def test_links(self):
        n = 0
        for page in PAGES:
            for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```", "", read(page), flags=re.M | re.S)):
                path, _, anchor = target.partition("#")
                path = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
                self.assertTrue(os.path.exists(os.path.join(ROOT, path)), f"{page}: {target}")
                if anchor:
                    self.assertIn(anchor, anchors(path), f"{page}: {target}")
                n += 1
        self.assertGreater(n, 50)

    def test_rooms(self):
        rooms = {line.split("|")[0].strip() for line in read("cmake/rooms.txt").splitlines() if line and line[0] != "#"}
        self.assertIn("server/net", rooms)
        architecture = set(re.findall(r"^\| `([\w/.]+)`: ", read("docs/architecture.md"), re.M))
        self.assertEqual(architecture, rooms)
        development = set(re.findall(r"^\| `([\w/]+)` \|", read("docs/development.md"), re.M))
        self.assertEqual(development - {"accel/rtl"}, rooms - {"server/main.c", "clients/bertctl.c"})

    def test_files(self):
        """`net/doorman.c` and `batch.c` in docs/architecture.md are somewhere in the product or its tests."""
        there = [f"/{path}" for path in sources("base", "server", "accel", "clients", "schemas", "tests", "cmake")]
        named = set(re.findall(r"`([\w/]+\.[ch])`", read("docs/architecture.md")))
        self.assertGreater(len(named), 80)
        self.assertEqual({name for name in named if not any(path.endswith(f"/{name}") for path in there)}, set())

    def test_instruction_sets(self):
        sets = ["c", *re.findall(r"^ *X\((\w+), ", read("accel/cpu/cpu_flags.h"), re.M)]
        self.assertGreater(len(sets), 1)
        named = re.search(r"`BERTD_CPU_MASK` \(([^)]*)\)", read("docs/operating.md")).group(1)
        self.assertEqual(re.findall(r"`(\w+)`", named), sets)

    def test_threads_and_locks(self):
        page = read("docs/architecture.md").split("## Threads")[1]
        threads, locks = page.split("\n## ")[:2]
        for path in sources("base", "server"):
            if "pthread_create(" in read(path):
                self.assertIn(f"`{path.removeprefix('server/')}`", threads)
        for path in sources("server/net", "server/rpc", "server/serve", "server/trace", "server/faults"):
            if path.endswith(".c") and re.search(r"pthread_(mutex|rwlock)_init|_MUTEX_INITIALIZER", read(path)):
                self.assertIn(f"`{path.removeprefix('server/')}", locks)

    def test_metrics(self):
        page = read("docs/operating.md")
        found = {name for path in sources("server") for name in re.findall(r'"(bertd_[a-z_]+)["{ ]', read(path))}
        self.assertIn("bertd_cache_hits_total", found)
        self.assertEqual({name for name in found if f"`{name}`" not in page}, set())

    def test_methods(self):
        page, source = read("docs/rpc.md"), read("server/rpc/services.c")
        for service, table in re.findall(r'SERVICE\("([\w.]+)", (\w+)\)', source):
            self.assertIn(f"`{service}`", page)
            methods = re.search(rf"rpc_method {table}\[\] = {{\n(.*?)\n}};", source, re.S)[1]
            for method in re.findall(r'{"(\w+)"', methods):
                if method not in OTHER_MODELS and table not in ("predict", "rerank"):
                    self.assertIn(f"`{method}`", page, service)


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    unittest.main()
