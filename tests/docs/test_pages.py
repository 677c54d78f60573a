#!/usr/bin/env python3
"""The pages name what there is: each test of tests/README.md, each file and heading that a link leads to."""
import os
import re
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGES = ["README.md", "CONTRIBUTING.md", "accel/rtl/README.md", "tests/README.md",
         *(f"docs/{name}" for name in sorted(os.listdir(os.path.join(ROOT, "docs"))) if name.endswith(".md"))]


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def anchors(path):
    """Of a page's headings, as GitHub makes them."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)", read(path), re.M)}


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


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    unittest.main()
