#!/usr/bin/env python3
"""Each alert of deploy/prometheus provoked on real servers, and each query of the dashboard asked: live.py BERTD

Prometheus is Debian's, on loopback, with the rules as they are but without their `for`. BertdVersionsDiffer needs two
versions of bertd: series.yml alone has it. Skipped (77) without the model or Prometheus.
"""
import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from os.path import abspath, dirname

from stand import DASHBOARD, SOURCE, Prometheus, expressions, free_port, read, until

sys.path.insert(0, dirname(dirname(dirname(abspath(__file__)))))
from server import Server, has_model  # noqa: E402

KEYS = "alice a-key-of-alice\nbob a-key-of-bob requests_per_second=0.01\n"
ALICE, BOB, NOBODY = "a-key-of-alice", "a-key-of-bob", "a-key-of-nobody"
LONG = "word " * 250


def say(text):
    print(text, file=sys.stderr, flush=True)


def ask(url, path, body, key=None):
    """The code."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=120)
    try:
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def embed(url, texts, key=None):
    return ask(url, "/embed", {"inputs": texts}, key)


def of(server):
    """The label that Prometheus gives it."""
    return {"instance": urllib.parse.urlsplit(server.url).netloc}


class Show:
    """What is provoked, on one Prometheus."""

    def __init__(self, bertd, prometheus, folder):
        self.bertd, self.prometheus, self.folder = bertd, prometheus, folder
        self.seen = set()

    def server(self, *options, admin=False, **more):
        server = Server(self.bertd, *options, **more)
        self.prometheus.watch(server.ports["admin listener" if admin else "listening"])
        return server

    def fires(self, name, provoke=lambda: None, **labels):
        """Provoke it until it fires, with these labels and whole words."""
        def is_so():
            provoke()
            return [alert for alert in self.prometheus.alerts(name) if alert["labels"].items() >= labels.items()]
        alert = until(f"{name} does not fire", is_so)[0]
        for words in alert["annotations"].values():
            if not words.strip() or any(bad in words for bad in ("<no value>", "<error", "{{", "NaN")):
                raise SystemExit(f"error: {name} says {words!r}")
        say(f"fires: {name}: {alert['annotations']['summary']}")
        self.seen.add(name)

    def fault(self, server, board, kind, key=None, **more):
        code = ask(server.url, "/admin/faults", {"board": board, "kind": kind} | more, key)
        if code != 200:
            raise SystemExit(f"error: the fault {kind} was answered {code}")


def nobody(show):
    show.prometheus.watch(free_port(), "haproxy")
    show.fires("BertdAbsent")
    show.fires("BertdBalancerDown")


def slow(show):
    """Boards that hang make requests slow: their work is done again elsewhere. Each is the one that may be worked on."""
    with show.server("--boards", "2", "--enable-fault-injection", "--max-concurrent-requests", "1") as server:
        def provoke():
            for board in (0, 1):
                show.fault(server, board, "hang")
            embed(server.url, "hello")
        show.fires("BertdLatencyBudgetFast", provoke)
        show.fires("BertdLatencyBudgetSlow", provoke)
        show.fires("BertdNearLimit", provoke, limit="requests", **of(server))


def full(show):
    """Large requests, one after another, faster than one board computes them, until the queue has no space."""
    with show.server("--boards", "1", "--max-concurrent-requests", "64", "--request-timeout-ms", "0") as server:
        clients = []

        def provoke():
            client = http.client.HTTPConnection(urllib.parse.urlsplit(server.url).netloc)
            client.request("POST", "/embed", json.dumps({"inputs": [LONG] * 100}), {"Content-Type": "application/json"})
            clients.append(client)
        show.fires("BertdQueueGrows", provoke, **of(server))
        show.fires("BertdRefusing", provoke)
        for client in clients:
            client.close()


def misused(show):
    """Keys past their limits and wrong ones, a cache that is too small, boards that fail, and at the end none that works."""
    keys = os.path.join(show.folder, "keys")
    with open(keys, "w", encoding="utf-8") as file:
        file.write(KEYS)
    with show.server("--boards", "2", "--enable-fault-injection", "--scrub-interval-seconds", "1", "--cache-bytes",
                     "150000", "--api-keys-file", keys) as server:
        asked = iter(range(1 << 30))
        show.fires("BertdCacheUseless", lambda: embed(server.url, [f"text {next(asked)}" for _ in range(100)], ALICE),
                   **of(server))
        show.fires("BertdKeyOverLimit", lambda: embed(server.url, "hello", BOB), key="bob")
        show.fires("BertdKeyUnknown", lambda: [embed(server.url, "hello", NOBODY) for _ in range(20)])
        share(show, server)
        show.fires("BertdMemoryDamaged", lambda: show.fault(server, 0, "image", ALICE), **of(server))
        show.fires("BertdFaultsInjected", **of(server))

        def fail():
            show.fault(server, 0, "fail", ALICE)
            embed(server.url, "hello again", ALICE)
        show.fires("BertdBoardUnstable", fail, board="emu0", **of(server))

        def lose(*boards):
            for board in boards:
                show.fault(server, board, "load", ALICE, count=1000)
            embed(server.url, f"text {next(asked)}", ALICE)
        show.fires("BertdBoardsOut", lambda: lose(0), **of(server))
        show.fires("BertdNoBoard", lambda: lose(0, 1), **of(server))
        show.fires("BertdErrorBudgetFast", lambda: embed(server.url, f"text {next(asked)}", ALICE))
        show.fires("BertdErrorBudgetSlow")


def share(show, server):
    """Equal texts at once, answers from the cache, and a call in Connect, until each is seen as a rate."""
    def together():
        text = f"{LONG} {os.urandom(4).hex()}"
        threads = [threading.Thread(target=embed, args=(server.url, text, ALICE)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        embed(server.url, text, ALICE)
        ask(server.url, "/tei.v1.Embed/Embed", {"inputs": "hello"}, ALICE)
    for metric in ("bertd_cache_coalesced_total", "bertd_cache_hits_total", "bertd_rpc_ended_total"):
        def is_so(metric=metric):
            together()
            return show.prometheus.query(f"rate({metric}[10s]) > 0")
        until(f"{metric} does not rise", is_so)


def neglected(show):
    """A certificate that ends tomorrow, a log that nobody reads, a collector that is not there."""
    cert, key = (os.path.join(show.folder, name) for name in ("cert.pem", "key.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "1",
                    "-subj", "/CN=localhost"], check=True, capture_output=True)
    collector = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}", "OTEL_BSP_MAX_QUEUE_SIZE": "1"}
    with show.server("--boards", "1", "--tls-cert", cert, "--tls-key", key, "--admin-port", "0", "--log-level", "debug",
                     admin=True, environment=collector, deaf=True) as server:
        admin = f"http://127.0.0.1:{server.ports['admin listener']}"
        show.fires("BertdCertificateEnds")
        show.fires("BertdSpansDropped", lambda: embed(admin, ["hello"] * 10))
        show.fires("BertdLogDropped", lambda: [embed(admin, "hello") for _ in range(100)])


def unsteady(show):
    """A server that starts again and again, and then no more."""
    port = free_port()
    show.prometheus.watch(port)
    started = f'process_start_time_seconds{{instance="127.0.0.1:{port}"}}'
    times = set()

    def once():
        with Server(show.bertd, "--boards", "1", port=port):
            def is_new():
                found = show.prometheus.query(started)
                return found and found[0]["value"][1] not in times and found[0]["value"][1]
            times.add(until("a start is not seen", is_new))
    show.fires("BertdRestarts", once)
    show.fires("BertdDown", instance=f"127.0.0.1:{port}")


def ask_all(prometheus):
    """Each query of the dashboard has shown something at some time; and each selector of rules and dashboard matches."""
    findings = []
    queries = expressions()
    for title, query in queries:
        numbers = prometheus.course(query)
        if not numbers:
            findings.append(f"{title}: no data: {query}")
        elif not any(number > 0 for number in numbers):
            findings.append(f"{title}: never more than 0: {query}")
    rules = read(os.path.join(SOURCE, "rules", "alerts.yml")) + read(os.path.join(SOURCE, "rules", "recorded.yml"))
    findings += [f"no series: {one}" for one in prometheus.lacks(rules + "\n".join(query for _, query in queries))]
    say(f"{len(queries)} queries of {os.path.basename(DASHBOARD)}, {len(findings)} findings")
    return findings


def misspelt(prometheus):
    """What is misspelt is found: metric, label, and value of a label."""
    for wrong in ("rate(bertd_board_quarantine_total[5m])", 'te_request_failure{err="overload"}', 'bertd_boards{jbo="bertd"}'):
        if not prometheus.lacks(wrong) or prometheus.course(wrong.replace("5m", "10s")):
            return [f"nobody notices that {wrong} is misspelt"]
    return []


def main(bertd):
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bertd-monitoring-"))
        prometheus = stack.enter_context(Prometheus(os.path.join(folder, "prometheus")))
        show = Show(bertd, prometheus, folder)
        for part in (nobody, slow, full, misused, neglected, unsteady):
            part(show)
        names = {rule["name"] for group in prometheus.get("rules")["groups"] for rule in group["rules"]
                 if rule["type"] == "alerting"}
        findings = [f"{name} was not provoked" for name in names - show.seen - {"BertdVersionsDiffer"}]
        findings += ask_all(prometheus) + misspelt(prometheus)
    for finding in findings:
        say(f"error: {finding}")
    return 1 if findings else 0


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    for there, what in ((has_model(), "model"), (shutil.which("prometheus"), "Prometheus (Debian's package prometheus)"),
                        (shutil.which("openssl"), "openssl")):
        if not there:
            print(f"skipped: there is no {what}")
            sys.exit(77)
    sys.exit(main(*sys.argv[1:]))
