#!/usr/bin/env python3
"""The files of deploy/prometheus and deploy/grafana: test_files.py SCHEMA

By promtool, by Grafana's own types (SCHEMA, which tests/deploy/monitoring/install builds), and against each other.
Skipped (77) without either.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from stand import DASHBOARD, ROOT, SOURCE, expressions, read

HERE = os.path.dirname(os.path.abspath(__file__))
ALERTS = os.path.join(SOURCE, "rules", "alerts.yml")
RECORDED = os.path.join(SOURCE, "rules", "recorded.yml")
SERIES = os.path.join(HERE, "series.yml")
PAGE = os.path.join(ROOT, "docs", "monitoring.md")


def run(*command):
    """(status, all that it said)"""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def alerts():
    return re.findall(r"- alert: (\w+)", read(ALERTS))


class Rules(unittest.TestCase):
    def passes(self, *command):
        status, words = run("promtool", *command)
        self.assertEqual(status, 0, words)

    def test_promtool_reads_them(self):
        self.passes("check", "config", os.path.join(SOURCE, "prometheus.yml"))
        self.passes("check", "rules", ALERTS, RECORDED)

    def test_courses(self):
        self.passes("test", "rules", SERIES)

    def test_courses_fail_where_a_rule_is_misspelt(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, path in (("alerts.yml", ALERTS), ("recorded.yml", RECORDED)):
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(read(path).replace("bertd_board_quarantines_total", "bertd_board_quarantine_total"))
            with open(os.path.join(folder, "series.yml"), "w", encoding="utf-8") as file:
                file.write(read(SERIES).replace("../../../deploy/prometheus/rules/*.yml", "'[ar]*.yml'"))
            status, words = run("promtool", "test", "rules", file.name)
        self.assertEqual(status, 1)
        self.assertIn("BertdBoardUnstable", words)
        self.assertNotIn("BertdNoBoard", words)

    def test_each_alert_has_a_course(self):
        expected = set(re.findall(r'alertname="(\w+)"', read(SERIES)))
        self.assertEqual(set(alerts()), expected)
        self.assertEqual(len(alerts()), len(set(alerts())))

    def test_each_alert_says_what_to_do(self):
        chapters = re.findall(r"^### (Bertd\w+)$", read(PAGE), re.MULTILINE)
        self.assertEqual(chapters, alerts())
        self.assertEqual(re.findall(r"runbook: (.*)", read(ALERTS)),
                         [f"docs/monitoring.md#{name.lower()}" for name in alerts()])

    def test_what_is_recorded_is_used(self):
        users = read(ALERTS) + read(RECORDED) + read(DASHBOARD)
        for name in set(re.findall(r"record: (\S+)", read(RECORDED))):
            self.assertGreater(len(re.findall(rf"{name}\b", users)), read(RECORDED).count(f"record: {name}"), name)


class Dashboard(unittest.TestCase):
    def check(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            return run(SCHEMA, file.name)

    def test_schema(self):
        self.assertEqual(self.check(read(DASHBOARD)), (0, ""))

    def test_schema_notices(self):
        for right, wrong, told in (('"fillOpacity"', '"fillOpacty"', "'fillOpacty'"), ('"unit"', '"unti"', "'unti'"),
                                   ('"legendFormat"', '"legendFromat"', "'legendFromat'"),
                                   ('"schemaVersion": 39', '"schemaVersion": "39"', "schemaVersion"),
                                   ('"type": "stat"', '"type": "stats"', '"stats"')):
            text = read(DASHBOARD)
            self.assertIn(right, text)
            status, words = self.check(text.replace(right, wrong, 1))
            self.assertEqual(status, 1, wrong)
            self.assertIn(told, words)

    def test_what_grafana_needs(self):
        panels = json.loads(read(DASHBOARD))["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        self.assertEqual(len({panel["title"] for panel in panels if panel["type"] != "row"}),
                         len([panel for panel in panels if panel["type"] != "row"]))
        for a in panels:
            self.assertLessEqual(a["gridPos"]["x"] + a["gridPos"]["w"], 24, a["title"])
            for b in panels:
                self.assertTrue(a is b or apart(a["gridPos"], b["gridPos"]), (a["title"], b["title"]))
            if a["type"] != "row":
                self.assertTrue(a["description"] and a["targets"], a["title"])
        for _, expression in expressions():
            self.assertNotIn("$", expression)


def apart(a, b):
    return (a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"] or
            a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"])


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    SCHEMA, = sys.argv[1:]
    for there, what in ((shutil.which("promtool"), "promtool (Debian's package prometheus)"),
                        (os.access(SCHEMA, os.X_OK), "reader of Grafana's schema: tests/deploy/monitoring/install builds it")):
        if not there:
            print(f"skipped: there is no {what}")
            sys.exit(77)
    unittest.main(argv=sys.argv[:1])
