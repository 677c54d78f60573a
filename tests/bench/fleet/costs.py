"""What a request costs beside the boards: processor time of haproxy, and of bertd for all but computing.

costs.measure(bertd, bench_http, model): haproxy with one thread before one bertd, asked for texts that bertd has in its
cache. So bertd reads, tokenizes, finds and writes, and computes nothing. Both are measured by the processor time of
their processes, so it does not matter that the load runs on the same cores.
"""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scheduler"))   # not its plot.py
import server as servers     # noqa: E402

CONFIGURATION = """
global
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend edge
    bind 127.0.0.1:{port}
    default_backend bertd
backend bertd
    balance leastconn
    http-reuse always
    server one 127.0.0.1:{server} check
"""


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Haproxy:
    def __init__(self, server_port):
        self.port = free_port()
        self.file = tempfile.NamedTemporaryFile("w", suffix=".cfg")
        self.file.write(CONFIGURATION.format(port=self.port, server=server_port))
        self.file.flush()
        self.process = subprocess.Popen(["haproxy", "-db", "-f", self.file.name], stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise SystemExit("error: haproxy does not start")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def load(bench, port, seconds):
    """Requests that were answered."""
    command = [bench, "--port", str(port), "--connections", "16", "--words", "24", "--texts", "1"]
    line = subprocess.run([*command, "--seconds", str(seconds)], stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.search(r"([\d.]+) requests/s .* failed (\d+)", line)
    if not found or found[2] != "0":
        raise SystemExit(f"error: the load failed: {line}")


def measure(bertd, bench, model, seconds):
    """Microseconds of processor time a request; None where haproxy is not installed."""
    if not shutil.which("haproxy"):
        return None
    server = servers.Server(bertd, model, "--cache-bytes", "8388608", "--boards", "1")
    proxy = Haproxy(server.port)
    try:
        load(bench, server.port, 1)
        before = {"hits": server.metric("bertd_cache_hits_total"), "proxy": cpu_seconds(proxy.pid),
                  "server": cpu_seconds(server.pid)}
        load(bench, proxy.port, seconds)
        proxy_s, server_s = cpu_seconds(proxy.pid) - before["proxy"], cpu_seconds(server.pid) - before["server"]
        requests = server.metric("bertd_cache_hits_total") - before["hits"]
        version = subprocess.run(["haproxy", "-v"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()[2]
        return {"haproxy": version, "requests": requests, "balancer_us": round(proxy_s / requests * 1e6, 1),
                "front_us": round(server_s / requests * 1e6, 1)}
    finally:
        proxy.stop()
        server.stop()
