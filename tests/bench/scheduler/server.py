"""A bertd to put a load on, and the load: what tests/bench/scheduler and tests/chaos share."""
import atexit
import http.client
import json
import os
import re
import signal
import subprocess
import tempfile
import time

import words

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
START_SECONDS = 120
signal.signal(signal.SIGTERM, lambda *_: exit(1))       # so that what was started ends too


class Server:
    """bertd on a free port of loopback, until stop()."""

    def __init__(self, bertd, model, *options):
        self.log = tempfile.NamedTemporaryFile(prefix="bertd-", suffix=".log", delete=False)
        self.process = subprocess.Popen([bertd, "--model-id", model, "--port", "0", "--drain-seconds", "0",
                                         "--max-input-length", "512", *options], stdout=self.log, stderr=self.log)
        self.pid = self.process.pid
        self.patience = 10      # seconds for an answer
        atexit.register(self.process.kill)      # nothing once it has ended
        self.port = self.wait_for_port()
        with open(os.path.join(model, "config.json"), encoding="utf-8") as config:
            shape = json.load(config)
        self.layers = shape["num_hidden_layers"]
        self.words = words.find(self, shape["vocab_size"])

    def lines(self):
        with open(self.log.name, encoding="utf-8", errors="replace") as log:
            return [json.loads(line) for line in log if line.startswith("{") and line.endswith("}\n")]

    def wait_for_port(self):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            for line in self.lines():
                if line["message"] == "listening":
                    return line["port"]
            time.sleep(0.02)
        with open(self.log.name, encoding="utf-8", errors="replace") as log:
            raise SystemExit("error: bertd does not start:\n" + log.read())

    def call(self, method, path, body=None):
        """(code, headers, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.patience)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def metric(self, name):
        """The sum over all labels."""
        text = self.call("GET", "/metrics")[2].decode()
        values = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
        return sum(map(float, values))

    def resident(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) * 1024

    def files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def wait_idle(self, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.metric("te_queue_size") + self.metric("bertd_running_texts") == 0:
                return True
            time.sleep(0.02)
        return False

    def stop(self):
        """The exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.log.close()
        os.unlink(self.log.name)
        return code


class Group:
    """What one group of a load met."""

    def __init__(self, data, seconds):
        self.__dict__.update(data)
        self.rate = data["work"] / seconds
        self.ok_ms = sorted(us / 1e3 for us in data["us"].get("200", []))
        self.refused_ms = sorted(us / 1e3 for us in data["us"].get("429", []))
        self.ok = data["statuses"].get("200", 0)
        self.refused = data["statuses"].get("429", 0)
        self.failed = sum(data["statuses"].values()) - self.ok + data["broken"]


def mean_tokens(loads):
    """{group: tokens of a request, as the server counted them} over several loads of the same groups."""
    def total(name, what):
        return sum(getattr(groups[name], what) for groups in loads)
    return {name: round(total(name, "tokens_answered") / max(1, total(name, "answers")), 1) for name in loads[0]}


def quantile(values, share):
    """Of sorted values; 0 where there are none."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def start_load(generator, server, seconds, *groups, options=()):
    command = [generator, "--port", str(server.port), "--words", ",".join(server.words), "--seconds", str(seconds),
               *options, *groups]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def end_load(process):
    """{group: Group}"""
    output, _ = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"error: the load generator ended with {process.returncode}")
    if not output:
        return {}
    data = json.loads(output)
    for name, group in data["groups"].items():
        if group["miscounted"]:
            raise SystemExit(f"error: {name}: {group['miscounted']} requests have not as many tokens as they should")
    return {name: Group(group, data["seconds"]) for name, group in data["groups"].items()}


def load(generator, server, seconds, *groups, options=()):
    return end_load(start_load(generator, server, seconds, *groups, options=options))
