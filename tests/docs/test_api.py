#!/usr/bin/env python3
"""docs/api.md against a running server and the sources: test_api.py BERTD

The examples in Python run in order, and print what stands in the block of text behind them. The tables of routes, fields
and errors have all that the sources have. Skipped (77) where the model that deploy/run fetches is not there.
"""
import contextlib
import io
import json
import os
import re
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))
from server import Server, has_model, model_dir

PARTS_OF_PAGES = ("/docs/", "/dashboard/")
DEFAULT_URL = "http://127.0.0.1:3000"


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def examples(page):
    """(code, what it prints) of each block of Python."""
    return re.findall(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", page, re.M | re.S)


class Api(unittest.TestCase):
    page = read("docs/api.md")

    def test_examples(self):
        names = {}
        found = examples(self.page)
        self.assertGreater(len(found), 8)
        with Server(BERTD) as server:
            for code, wanted in found:
                printed = io.StringIO()
                with contextlib.redirect_stdout(printed):
                    exec(code.replace(DEFAULT_URL, server.url), names)
                self.assertEqual(printed.getvalue(), wanted, code)
        self.assertEqual(names["URL"], server.url)

    def test_routes(self):
        paths = set(re.findall(r'\{"(/[^"]*)", ', read("server/http/routes.c")))
        self.assertIn("/embed", paths)
        table = "\n".join(line for line in self.page.split("## A request")[0].splitlines() if line.startswith("|"))
        listed = set(re.findall(r"`(?:GET |POST )?(/[^`]*)`", table))
        self.assertEqual(listed, {path for path in paths if not path.startswith(PARTS_OF_PAGES)})

    def test_openapi(self):
        """schemas/openapi.json has the same routes, methods and errors; names and version are the program's."""
        description = json.loads(read("schemas/openapi.json"))
        routes = re.findall(r'\{"(/[^"]*)", (\w+|&\w+), (\w+|&\w+)\}', read("server/http/routes.c"))
        pages = {"/openapi.json", "/docs", "/dashboard"}
        wanted = {(path, method) for path, *endpoints in routes for method, endpoint in zip(("get", "post"), endpoints)
                  if endpoint != "NULL" and path not in pages and not path.startswith(PARTS_OF_PAGES)}
        self.assertIn(("/embed", "post"), wanted)
        self.assertEqual({(path, method) for path, item in description["paths"].items() for method in item}, wanted)
        version = re.search(r"project\(bertd VERSION ([\d.]+)", read("CMakeLists.txt"))[1]
        self.assertEqual(description["info"]["version"], version)
        types = set(re.findall(r'X\([A-Z_]+, \d+, \d+, "(\w+)"', read("base/status.h").split("Never reach a client")[0]))
        self.assertEqual(set(description["components"]["schemas"]["Error"]["properties"]["error_type"]["enum"]), types)

    def test_fields(self):
        sources = "".join(read(f"server/wire/{name}.c") for name in ("request", "openai", "v2", "tensor"))
        fields = set(re.findall(r'\{"([a-z_]+)", \w+, ', sources))
        tensors = set(re.findall(r'#define WIRE_V2_\w+\s+"(\w+)"', read("server/wire/v2.h")))
        self.assertIn("inputs", fields)
        self.assertIn("encoding_format", fields)
        self.assertIn("embedding", tensors)
        self.assertEqual({name for name in fields | tensors if f"`{name}`" not in self.page}, set())
        rows = set(re.findall(r"^\| (?:\+ )?`([a-z_]+)` \|", self.page, re.M))
        self.assertEqual(rows - fields - tensors, set())

    def test_errors(self):
        table = read("base/status.h").split("Never reach a client")[0]
        rows = set(re.findall(r'X\([A-Z_]+, (\d+), \d+, "(\w+)"', table))
        self.assertIn(("429", "Overloaded"), rows)
        self.assertEqual(set(re.findall(r"^\| (\d+) \| `(\w+)` \|", self.page, re.M)), rows)


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    BERTD, = sys.argv[1:]
    if not has_model():
        print(f"skipped: there is no model in {model_dir()}")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
