#!/usr/bin/env python3
"""/metrics of a running server by Prometheus' own readers: test_promtool.py BERTD

promtool takes the text; prometheus_client's strict reader takes OpenMetrics, which has the same samples. Skipped (77)
without the model, promtool (Debian's package prometheus) or python3-prometheus-client.
"""
import shutil
import subprocess
import sys
import unittest
import urllib.error
import urllib.request
from os.path import abspath, dirname

sys.path.insert(0, dirname(dirname(abspath(__file__))))
from server import Server, has_model

# Of a Prometheus 2; a newer one asks for the same among other things.
PROMETHEUS = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
              "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server(BERTD, "--boards", "2"))
        for body in (b'{"inputs":"a"}', b'{"inputs":["a","b"]}', b'{"inputs":""}'):
            request = urllib.request.Request(cls.server.url + "/embed", body, {"Content-Type": "application/json"})
            try:
                urllib.request.urlopen(request).read()
            except urllib.error.HTTPError as error:
                error.read()

    def get(self, accept):
        headers = {"Accept": accept} if accept else {}
        with urllib.request.urlopen(urllib.request.Request(self.server.url + "/metrics", headers=headers)) as answer:
            return answer.headers["Content-Type"].split(";")[0], answer.read().decode()

    def test_promtool(self):
        kind, text = self.get(None)
        self.assertEqual(kind, "text/plain")
        run = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True)
        words = (run.stdout + run.stderr).splitlines()
        self.assertIn(run.returncode, (0, 3), words)  # 3: it has something to say of names
        self.assertEqual([line for line in words if not line.startswith("te_")], [])
        self.assertEqual([line for line in words if "suffix" not in line], [])

    def test_openmetrics(self):
        kind, text = self.get(PROMETHEUS)
        self.assertEqual(kind, "application/openmetrics-text")
        families = {family.name: family for family in text_string_to_metric_families(text)}
        self.assertGreater(len(families), 50)
        self.assertEqual(families["bertd_board_rows"].type, "counter")
        self.assertEqual({name for name, family in families.items() if family.type == "unknown"},
                         {"te_request_count", "te_request_success", "te_request_failure", "te_embed_count", "te_embed_success"})
        samples = {sample.name for family in families.values() for sample in family.samples}
        plain = {line.split("{")[0].split(" ")[0] for line in self.get("text/plain")[1].splitlines() if line[0] != "#"}
        self.assertEqual(samples, plain)

    def test_who_gets_what(self):
        for accept, kind in (("*/*", "text/plain"), ("text/plain", "text/plain"), ("application/json", "text/plain"),
                             ("application/openmetrics-text", "application/openmetrics-text"),
                             ("application/openmetrics-text;q=0, text/*", "text/plain"),
                             ("text/plain;q=0.5, application/openmetrics-text;q=0.4", "text/plain")):
            self.assertEqual(self.get(accept)[0], kind, accept)


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    BERTD, = sys.argv[1:]
    try:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
    except ImportError:
        text_string_to_metric_families = None
    for there, what in ((has_model(), "model"), (shutil.which("promtool"), "promtool"),
                        (text_string_to_metric_families, "python3-prometheus-client")):
        if not there:
            print(f"skipped: there is no {what}")
            sys.exit(77)
    unittest.main(argv=sys.argv[:1])
