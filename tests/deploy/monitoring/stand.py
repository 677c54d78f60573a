"""The Prometheus of deploy/prometheus on loopback, for tests: its own rules, on servers that the test names."""
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
SOURCE = os.path.join(ROOT, "deploy", "prometheus")
DASHBOARD = os.path.join(ROOT, "deploy", "grafana", "dashboards", "bertd.json")
PATIENCE = 180          # seconds for anything that is to happen
SELECTOR = re.compile(r"\b(?:(?:te|bertd|process)_\w+|(?:job|instance):bertd_\w+:\w+|up|ALERTS)\b(?:\{[^}]*\})?")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(what, is_so, patience=PATIENCE):
    """Ask again and again, until it is so."""
    end = time.monotonic() + patience
    while True:
        found = is_so()
        if found:
            return found
        if time.monotonic() > end:
            raise SystemExit(f"error: in {patience} seconds: {what}")
        time.sleep(0.2)


def expressions(path=DASHBOARD):
    """[(title of the panel, expression)] of a dashboard, with its variables put in."""
    board = json.loads(read(path))
    found = [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel.get("targets", [])]
    found += [(note["name"], note["expr"]) for note in board["annotations"]["list"]]
    return [(title, text.replace("$instance", ".+").replace("$__rate_interval", "10s")) for title, text in found]


def selectors(text):
    return sorted(set(SELECTOR.findall(text)))


class Prometheus:
    """With the rules at once (no `for`) and of a queue's course in seconds. Until the end of a `with`."""

    def __init__(self, folder):
        self.folder, self.begin = folder, time.time()
        os.makedirs(os.path.join(folder, "rules"))
        self.targets = {"bertd": [], "haproxy": []}
        text = read(os.path.join(SOURCE, "prometheus.yml"))
        text, scrapes = re.subn(r"(_interval): 15s", r"\1: 1s", text)
        text, places = re.subn(r"job_name: (bertd|haproxy)\n    dns_sd_configs:\n.*", r"job_name: \1\n"
                               r"    file_sd_configs: [{files: [\1.json], refresh_interval: 1s}]", text)
        if (scrapes, places) != (2, 2):
            raise SystemExit("error: prometheus.yml has other intervals or targets than stand.py replaces")
        self.write("prometheus.yml", text)
        shutil.copy(os.path.join(SOURCE, "rules", "recorded.yml"), os.path.join(folder, "rules"))
        alerts = re.sub(r"\n +for: \w+", "", read(os.path.join(SOURCE, "rules", "alerts.yml")))
        self.write("rules/alerts.yml", alerts.replace("te_queue_size[10m]", "te_queue_size[10s]"))
        self.start()

    def start(self):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        with open(os.path.join(self.folder, "log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                 f"--web.listen-address=127.0.0.1:{port}"], cwd=self.folder, stdout=log, stderr=log)
        until("Prometheus does not start:\n" + self.folder, self.is_ready)

    def is_ready(self):
        if self.process.poll() is not None:
            raise SystemExit("error: Prometheus has ended:\n" + read(os.path.join(self.folder, "log")))
        try:
            with urllib.request.urlopen(self.url + "/-/ready") as answer:
                return answer.status == 200
        except OSError:
            return False

    def write(self, name, text):
        """Whole at once: Prometheus looks at the file now and then."""
        path = os.path.join(self.folder, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def watch(self, port, job="bertd"):
        """Scrape this one, too."""
        self.targets[job].append(f"127.0.0.1:{port}")
        self.write(f"{job}.json", json.dumps([{"targets": self.targets[job]}]))

    def get(self, path, **values):
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(values, doseq=True)}") as answer:
            return json.load(answer)["data"]

    def query(self, expression):
        return self.get("query", query=expression)["result"]

    def course(self, expression):
        """All numbers of all series since Prometheus began."""
        found = self.get("query_range", query=expression, start=self.begin, end=time.time(), step=1)["result"]
        return [float(value) for series in found for _, value in series["values"]]

    def alerts(self, name):
        """Those that fire: [{"labels":, "annotations":, ..}]"""
        return [alert for alert in self.get("alerts")["alerts"]
                if alert["state"] == "firing" and alert["labels"]["alertname"] == name]

    def lacks(self, text):
        """The selectors of an expression, or of a file of rules, of which there was never a series."""
        return [one for one in selectors(text) if not self.get("series", **{"match[]": one, "start": self.begin})]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
