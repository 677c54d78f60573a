#!/usr/bin/env python3
"""The tables of docs/capacity.md are those that tests/bench/fleet/tables.py makes of docs/bench/fleet.json."""
import copy
import json
import os
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "bench", "fleet"))
import boards
import tables


class Capacity(unittest.TestCase):
    def setUp(self):
        with open(tables.PAGE, encoding="utf-8") as page, open(tables.RESULTS, encoding="utf-8") as results:
            self.page, self.results = page.read(), json.load(results)

    def test_tables(self):
        self.assertEqual(tables.filled(self.page, self.results), self.page, "tests/bench/fleet/tables.py --write")

    def test_changes_are_seen(self):
        """In each table of the page, and of the results in some."""
        for _, name, _ in tables.PART.findall(self.page):
            changed = self.page.replace(f"<!-- table: {name} -->\n", f"<!-- table: {name} -->\n7")
            self.assertNotEqual(changed, self.page)
            self.assertEqual(tables.filled(changed, self.results), self.page, name)
        changed = copy.deepcopy(self.results)
        changed["costs"]["front_us"] *= 2
        changed["boards"]["minilm-card"]["ms"]["128"] *= 2
        changed["one_server"]["base-card"][0]["full"]["texts_per_s"] *= 2
        for name in ("rules", "boards", "wanted", "one_server", "costs"):
            self.assertNotEqual(tables.TABLES[name](changed), tables.TABLES[name](self.results), name)

    def test_a_table_that_is_missing(self):
        with self.assertRaisesRegex(SystemExit, "the page has the tables"):
            tables.filled(self.page.replace("<!-- table: loads -->", ""), self.results)

    def test_boards(self):
        """Each kind that is simulated has its times in docs/bench, and takes longer for longer texts."""
        kinds = boards.kinds()
        self.assertEqual(set(kinds), set(self.results["boards"]))
        for name, kind in kinds.items():
            ms = [kind["ms"][tokens] for tokens in sorted(kind["ms"], key=int)]
            self.assertEqual(ms, sorted(set(ms)), name)


if __name__ == "__main__":
    unittest.main()
