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
import signal
import subprocess
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEFAULT_URL = "http://127.0.0.1:3000"


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def examples(page):
    """(code, what it prints) of each block of Python."""
    return re.findall(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", page, re.M | re.S)


def model_dir():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("BERTD_TEST_MODEL") or os.path.join(cache, "bertd/models/all-MiniLM-L6-v2")


class Server:
    """bertd on a free port, with its defaults."""

    def __init__(self):
        self.process = subprocess.Popen(
            [BERTD, "--model-id", model_dir(), "--port", "0", "--drain-seconds", "0"],
            stderr=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]})
        self.url = None
        for line in self.process.stderr:
            record = json.loads(line)
            if record["message"] == "listening":
                self.url = f"http://127.0.0.1:{record['port']}"
                return
        raise SystemExit("bertd did not start")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate()


class Api(unittest.TestCase):
    page = read("docs/api.md")

    def test_examples(self):
        names = {}
        found = examples(self.page)
        self.assertGreater(len(found), 8)
        server = Server()
        try:
            for code, wanted in found:
                printed = io.StringIO()
                with contextlib.redirect_stdout(printed):
                    exec(code.replace(DEFAULT_URL, server.url), names)
                self.assertEqual(printed.getvalue(), wanted, code)
        finally:
            server.stop()
        self.assertEqual(names["URL"], server.url)

    def test_routes(self):
        paths = set(re.findall(r'\{"(/[^"]*)", ', read("server/http/routes.c")))
        self.assertIn("/embed", paths)
        table = "\n".join(line for line in self.page.split("## A request")[0].splitlines() if line.startswith("|"))
        listed = set(re.findall(r"`(?:GET |POST )?(/[a-z0-9_/{}]*)`", table))
        self.assertEqual(listed, paths)

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
    if not os.path.isfile(os.path.join(model_dir(), "model.safetensors")):
        print(f"skipped: there is no model in {model_dir()}")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
