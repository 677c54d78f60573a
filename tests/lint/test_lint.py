#!/usr/bin/env python3
"""Does lint see what it is for? Each test plants a violation in a copy of the tree and wants the finding.

test_lint.py [--build DIR] [unittest's options]; DIR is a CMake build, for its generated headers.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
COPIED = ("CMakeLists.txt", "accel", "base", "clients", "cmake", "schemas", "server", "tests/lint")
SKIPPED = 77


class Planted(unittest.TestCase):
    """The tree of each test is its own; so is its build, which has only what the test compiled."""

    build = os.path.join(ROOT, "build", "test")

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = os.path.join(self.folder.name, "tree")
        self.commands = []
        for name in COPIED:
            source, target = os.path.join(ROOT, name), os.path.join(self.root, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if os.path.isdir(source):
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("rtl", "*.tsv"))
            else:
                shutil.copy(source, target)

    def write(self, path, text, mode="w"):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, mode, encoding="utf-8") as file:
            file.write(text)

    def replace(self, path, old, new):
        with open(os.path.join(self.root, path), encoding="utf-8") as file:
            text = file.read()
        changed = re.sub(old, new, text, count=1, flags=re.M)
        self.assertNotEqual(text, changed, f"{path} has no {old}")
        self.write(path, changed)

    def compile(self, path, text, library="base"):
        """As a build of this tree would have: an object, and a line of compile_commands.json."""
        self.write(path, text)
        obj = os.path.join(self.folder.name, f"bertd_{library}.dir", path.replace("/", "_") + ".o")
        os.makedirs(os.path.dirname(obj), exist_ok=True)
        command = f"cc -I{self.root} -c {os.path.join(self.root, path)} -o {obj}"
        subprocess.run(command.split(), check=True)
        self.commands.append({"directory": self.root, "command": command, "file": path})

    def lint(self, check, *files):
        """(status, output)"""
        build = self.build
        if self.commands:
            build = self.folder.name
            with open(os.path.join(build, "compile_commands.json"), "w", encoding="utf-8") as file:
                json.dump(self.commands, file)
        run = subprocess.run([sys.executable, os.path.join(HERE, "lint.py"), check, *files, "--root", self.root,
                              "--build", build], capture_output=True, text=True)
        return run.returncode, run.stdout + run.stderr

    def finds(self, words, check, *files):
        status, output = self.lint(check, *files)
        self.assertEqual(status, 1, output)
        self.assertIn(words, output)

    def is_fine(self, check, *files):
        status, output = self.lint(check, *files)
        self.assertEqual(status, 0, output)

    # The table's rooms

    def test_the_tree_as_it_is(self):
        for check in ("includes", "tests", "sizes"):
            self.is_fine(check)

    def test_include_against_the_direction(self):
        self.write("base/mem.c", '\n#include "server/http/http.h"\n', "a")
        self.finds("base must not include server/http/http.h", "includes")

    def test_private_header(self):
        self.write("server/token/secret.h", "")
        self.write("server/model/load.c", '\n#include "server/token/secret.h"\n', "a")
        self.replace("cmake/rooms.txt", r"^server/model \| ", "server/model | server/token ")
        self.finds("server/token/secret.h is private to server/token", "includes")

    def test_unused_permission(self):
        self.replace("cmake/rooms.txt", r"^server/metrics \| ", "server/metrics | accel ")
        self.finds("server/metrics includes nothing of accel", "includes")

    def test_permission_for_no_room(self):
        self.replace("cmake/rooms.txt", r"^server/metrics \| ", "server/metrics | server/attic ")
        self.finds("there is no room server/attic", "includes")

    def test_header_that_is_public_for_nobody(self):
        self.replace("cmake/rooms.txt", r"metrics\.h$", "metrics.h more.h")
        self.finds("no other room includes server/metrics/more.h", "includes")

    def test_file_in_no_room(self):
        self.write("server/attic/old.c", "")
        self.finds("server/attic/old.c:1: in no room", "includes")

    def test_include_beside_the_root(self):
        self.write("base/mem.c", '\n#include "base/nowhere.h"\n', "a")
        self.finds("base/nowhere.h is not written from the repository's root", "includes")

    # The product and the tests

    def test_include_of_a_test(self):
        self.write("base/mem.c", '\n#include "tests/accel/tiny.h"\n', "a")
        self.finds("the product must not include tests/accel/tiny.h", "includes")

    def test_include_by_dots(self):
        self.write("base/mem.c", '\n#include "../tests/accel/tiny.h"\n', "a")
        self.finds("the product must not include ../tests/accel/tiny.h", "includes")

    def test_source_from_the_tests(self):
        self.write("accel/CMakeLists.txt", "\ntarget_sources(bertd_accel PRIVATE ../tests/accel/tiny.c)\n", "a")
        self.finds("the product must not take files from tests/", "tests")

    # Circles

    def end_circles(self):
        """No way back is allowed, and no room has one."""
        with open(os.path.join(self.root, "tests/lint/circles.txt"), encoding="utf-8") as file:
            ways = [[cell.strip() for cell in line.split("|")] for line in file if "|" in line and line[0] != "#"]
        self.write("tests/lint/circles.txt", "")
        for tail, head, _ in ways:
            if not tail.endswith(".c"):
                self.replace("cmake/rooms.txt", rf"^({tail} \|.*) {head}\b", r"\1")

    def test_circle_of_rooms(self):
        self.end_circles()
        self.compile("base/left.c", "int base_right(void);\nint base_left(void)\n{\n    return base_right();\n}\n")
        self.compile("base/right.c", "int base_right(void)\n{\n    return 1;\n}\n")
        self.is_fine("circles")
        self.replace("cmake/rooms.txt", r"^base \| ", "base | server/config ")
        self.finds("a circle: base -> server/config, server/config -> base", "circles")

    def test_circle_of_headers(self):
        self.write("base/left.h", '#include "base/right.h"\n')
        self.write("base/right.h", '#include "base/left.h"\n')
        self.finds("a circle: base/left.h -> base/right.h, base/right.h -> base/left.h", "circles")

    def test_circle_of_calls(self):
        self.end_circles()
        call = "int base_{0}(void);\nint base_{1}(void)\n{{\n    return base_{0}();\n}}\n"
        self.compile("base/left.c", call.format("right", "left"))
        self.compile("base/right.c", call.format("left", "right"))
        self.finds("a circle: base/left.c -> base/right.c, base/right.c -> base/left.c", "circles")

    def test_allowed_circle_that_is_none(self):
        self.write("tests/lint/circles.txt", "base/mem.c | base/buf.c | why not\n", "a")
        self.finds("base/mem.c does not close a circle by base/buf.c", "circles")

    def test_no_objects(self):
        self.commands = [{"directory": "/", "command": "", "file": "none"}]
        self.finds("no object of the product", "circles")
        self.finds("no object of the product", "symbols")

    # The other checks

    def test_symbol_without_prefix(self):
        self.compile("base/stray.c", "int stray(void)\n{\n    return 1;\n}\n")
        self.finds("base/stray.c:1: stray has none of the prefixes", "symbols")

    def test_header_that_needs_another(self):
        self.write("base/needy.h", "#ifndef NEEDY_H\n#define NEEDY_H\nuint32_t base_needy(void);\n#endif\n")
        self.finds("base/needy.h:1: does not compile alone", "headers", "base/needy.h")

    def test_header_without_guard(self):
        self.write("base/twice.h", "int base_twice(void);\n")
        self.finds("base/twice.h:1: no include guard", "headers", "base/twice.h")

    def test_long_file(self):
        self.write("base/long.c", "\n" * 501)
        self.finds("base/long.c:501: longer than 500 lines", "sizes")

    def test_long_function(self):
        self.write("base/long.c", "int base_long(void)\n{\n" + "    ;\n" * 80 + "    return 1;\n}\n")
        self.finds("base/long.c:1: base_long has 84 lines, more than 80", "sizes")

    def test_format(self):
        shutil.copy(os.path.join(ROOT, ".clang-format"), self.root)
        self.write("base/ugly.c", "int base_ugly( void ){return 1;}\n")
        status, output = self.lint("format", "base/ugly.c")
        if status == SKIPPED:
            self.skipTest(output.strip())
        self.assertEqual(status, 1, output)
        self.assertIn("base/ugly.c:1", output)

    def test_words(self):
        subprocess.run(["git", "init", "-q", self.root], check=True)
        self.write("base/notes.txt", "see https://" + "pypi" + ".org/project\n")
        self.finds("base/notes.txt:1: names pypi", "words")


def lint_module():
    sys.path.insert(0, HERE)
    import lint
    return lint


if __name__ == "__main__":
    if "--build" in sys.argv:
        at = sys.argv.index("--build")
        Planted.build = os.path.abspath(sys.argv[at + 1])
        del sys.argv[at:at + 2]
    unittest.main()
