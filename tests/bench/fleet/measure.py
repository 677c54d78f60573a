"""measure.py [--quick] --fleet BENCH_FLEET --out FOLDER [--bertd BERTD --http BENCH_HTTP --model DIR]

Runs the simulated fleet over numbers of boards and servers; writes fleet.json and fleet.svg. Without --bertd the costs
of a request are those of the fleet.json that is there. With --parts the other parts stay as they were.
"""
import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import time

import boards
import costs
import plot
from boards import ms_of

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import report     # noqa: E402

BOARDS = (1, 4, 16, 64, 128, 256, 512, 1000)
SERVERS = (1, 2, 5, 20, 100, 200)
WIDTH = 64      # of a vector: the scheduler only copies it, and not under its lock
POLICIES = ("roundrobin", "random2", "leastconn")
LOADS = (0.5, 0.7, 0.85)


def busy_share():
    """Of the machine in one second in which nothing here runs."""
    def ticks():
        with open("/proc/stat", encoding="ascii") as file:
            words = [int(word) for word in file.readline().split()[1:9]]
        return sum(words), words[3] + words[4]          # all, idle and waiting
    total, idle = ticks()
    time.sleep(1)
    total_after, idle_after = ticks()
    return 1 - (idle_after - idle) / max(1, total_after - total)


def machine():
    """What the simulation runs on: the time under the scheduler's lock is its own, and depends on who shares it."""
    name = f"{report.read_processor().get('model name', platform.machine())} ({report.name_machine('').strip('-')})"
    return {"processor": name, "cores": os.cpu_count(),
            "state": f"other programs kept {busy_share():.0%} of it busy before",
            "measured": datetime.date.today().isoformat()}


class Fleet:
    def __init__(self, program, cost, quick):
        self.program, self.cost, self.quick = program, cost, quick

    def run(self, kind, requests, **options):
        """One line of bench-fleet."""
        if self.quick:
            requests = max(200, requests // 20)
        options = {"times": ",".join(f"{tokens}:{ms:.6f}" for tokens, ms in kind["ms"].items()),
                   "layers": kind["layers"], "width": WIDTH, "requests": requests,
                   "front-us": self.cost["front_us"], "balancer-us": self.cost["balancer_us"], **options}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        done = subprocess.run([self.program, *words], stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout)


def one_server(fleet, kind, tokens, counts):
    """By the number of boards: at 70% load, and with as much to do as there can be. Enough cores read and write."""
    rows = []
    for n in counts:
        capacity = n / ms_of(kind, tokens) * 1e3
        common = {"boards": n, "tokens": tokens, "lock": "counted", "front-cores": 256, "balancer-cores": 256}
        requests = max(3000, 14 * n)
        steady = fleet.run(kind, requests, rate=0.7 * capacity, **common)
        full = fleet.run(kind, requests, clients=4 * n, **common)
        rows.append({"boards": n, "capacity_texts_per_s": round(capacity), "at_70": steady, "full": full})
    return rows


def loads(fleet, kind, tokens):
    """Latencies of servers by load."""
    rows = []
    for n in (1, 2, 4, 8, 64):
        for load in LOADS:
            rate = load * n / ms_of(kind, tokens) * 1e3
            rows.append({"load": load, **fleet.run(kind, 4000, rate=rate, boards=n, tokens=tokens,
                                                   **{"front-cores": max(4, n), "balancer-cores": 256})})
    return rows


def placements(fleet, kind, tokens):
    rows = []
    for n in (2, 4):
        for placement in ("replicate", "pipeline", "split", "auto"):
            common = {"boards": n, "tokens": tokens, "placement": placement, "front-cores": 64, "balancer-cores": 64}
            rows.append({"boards": n, "placement": placement, "lone": fleet.run(kind, 300, clients=1, **common),
                         "full": fleet.run(kind, 2000, clients=8 * n, **common)})
    return rows


def full_rate(fleet, kind, boards_each):
    """Requests a second of one server with as much to do as there can be, lengths mixed."""
    return fleet.run(kind, 4000, boards=boards_each, tokens=0, clients=8 * boards_each,
                     **{"front-cores": 64})["texts_per_s"]


def fleets(fleet, kind, counts, boards_each):
    """By the number of servers, 85% load, lengths mixed, one balancer with as many cores as it needs."""
    rate = 0.85 * full_rate(fleet, kind, boards_each)
    return [{"load": 0.85, **fleet.run(kind, 6000 + 150 * n, servers=n, boards=boards_each, tokens=0, rate=rate * n,
                                       policy=policy, **{"front-cores": 64, "balancer-cores": 64})}
            for n in counts for policy in POLICIES]


def balancers(fleet, kind, servers, boards_each):
    """One fleet, by how many balancers share the requests without knowing of each other's."""
    rate = 0.85 * full_rate(fleet, kind, boards_each) * servers
    return [{"balancers": n, **fleet.run(kind, 12000, servers=servers, boards=boards_each, tokens=0, rate=rate,
                                         policy=policy, balancers=n, **{"front-cores": 64, "balancer-cores": 64})}
            for policy in POLICIES for n in (1, 4)]


def shapes(fleet, kind, total):
    """As many boards in one server or in many, at one load."""
    rows = []
    for n in (1, 4, 16, 64):
        for load in LOADS:
            rate = load * total / ms_of(kind, 128) * 1e3
            rows.append({"load": load, **fleet.run(kind, 6000, servers=n, boards=total // n, tokens=128, rate=rate,
                                                   lock="counted", **{"front-cores": 64, "balancer-cores": 64})})
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    for name in ("fleet", "out"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("bertd", "http", "model", "parts"):
        parser.add_argument(f"--{name}")
    arguments = parser.parse_args()
    path = os.path.join(arguments.out, "fleet.json")
    here = machine()
    if arguments.bertd:
        cost = costs.measure(arguments.bertd, arguments.http, arguments.model, 2 if arguments.quick else 10)
    else:
        with open(path, encoding="utf-8") as file:
            cost = json.load(file)["costs"]
    if cost is None:
        raise SystemExit("skipped: haproxy is not installed, and what it costs is a part of this")
    kinds, fleet = boards.kinds(), Fleet(arguments.fleet, cost, arguments.quick)
    counts, servers = (BOARDS[:3], SERVERS[:3]) if arguments.quick else (BOARDS, SERVERS)
    results = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            results = json.load(file)
    results |= {"machine": here, "costs": cost, "boards": kinds}
    card = kinds["minilm-card"]
    parts = {
        "one_server": lambda: {name: one_server(fleet, kinds[name], 128, counts)
                               for name in ("base-card", "minilm-card")},
        "loads": lambda: {name: loads(fleet, kind, 128) for name, kind in kinds.items()},
        "placements": lambda: {name: placements(fleet, kinds[name], 128)
                               for name in ("base-card", "minilm-avx512vnni")},
        "fleets": lambda: fleets(fleet, card, servers, 2),
        "balancers": lambda: balancers(fleet, card, servers[-1] // 10 or 1, 2),
        "shapes": lambda: shapes(fleet, card, 64),
    }
    for part in arguments.parts.split(",") if arguments.parts else parts:
        results[part] = parts[part]()
    os.makedirs(arguments.out, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
        file.write("\n")
    plot.write(os.path.join(arguments.out, "fleet.svg"), results)


if __name__ == "__main__":
    main()
