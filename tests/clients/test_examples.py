#!/usr/bin/env python3
"""The examples of clients/examples against a real bertd: test_examples.py BERTD FOLDER-OF-EXAMPLES. Then again where
nobody listens: they say so and fail."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import server  # noqa: E402

SAY = {
    "minimal": "384 values, the first is -0.059",
    "first": "the first value is -0.059",
    "similar": "A cat is sleeping.",
    "events": "first text: 384 values",
    "many": "1000 vectors of 384 values, ",
}


def run(folder, name, url):
    return subprocess.run([os.path.join(folder, "example-" + name), url], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=500)


def check_page():
    """docs/client-c.md shows the smallest ones, in C and C++, as they are, and what they print."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
    with open(os.path.join(root, "docs/client-c.md"), encoding="utf-8") as page:
        text = page.read()
    for name, ending, language in (("minimal", ".c", "c"), ("first", ".cpp", "cpp")):
        with open(os.path.join(root, "clients/examples", name + ending), encoding="utf-8") as program:
            source = program.read()
        assert f"```{language}\n{source}```" in text and SAY[name] in text, name
        assert len(source.splitlines()) <= 15, name


def main():
    bertd, folder = sys.argv[1:]
    check_page()
    if not server.has_model():
        print("skipped: no model; deploy/run fetches it")
        sys.exit(77)
    with server.Server(bertd) as running:
        for name, words in SAY.items():
            done = run(folder, name, running.url)
            assert done.returncode == 0 and words in done.stdout, (name, done)
    for name in SAY:
        done = run(folder, name, "http://127.0.0.1:1")
        assert done.returncode == 1 and "127.0.0.1:1" in done.stderr, (name, done)


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    main()
