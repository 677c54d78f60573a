#!/usr/bin/env python3
"""What a call costs on each surface, and whether the goals hold. Run it by tests/bench/http/run.

Everything that is compared runs in short alternation, so that all meet the same machine; medians of the turns count.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections import namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(HERE, "..", "scheduler"), os.path.join(HERE, "..", "peers")]
import plot                         # noqa: E402
import server as servers            # noqa: E402
from texts import ragged_lengths    # noqa: E402

# Turns, and seconds of each: latency, throughput, batch; streams.
Level = namedtuple("Level", "latency latency_s throughput throughput_s learn_s batch batch_s streams")
FULL = Level(8, 0.8, 6, 3, 4, 5, 1.5, 10000)
QUICK = Level(2, 0.3, 1, 1, 1, 1, 0.5, 2000)

SHORT_TOKENS = 8
MIX = 512               # texts of the mix
CLIENTS = 64
BATCH_TEXTS, BATCH_TOKENS = 32, 16
CACHE = str(256 << 20)
# Goals: microseconds, shares, bytes.
OWN = {"embed": 60, "embed-h2": 60, "connect": 100, "grpc": 100, "grpc-web": 100}
BEYOND = 100
LEAST_THROUGHPUT = 0.95
STREAM_BYTES = 8192


def say(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    """A server, and the raw client on it."""

    def __init__(self, options, *server_options):
        self.bench = options.bench
        self.server = servers.Server(options.bertd, options.model, *server_options)

    def run(self, *arguments):
        command = [self.bench, "--port", str(self.server.port), "--pid", str(self.server.pid), "--words",
                   ",".join(self.server.words), *map(str, arguments)]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)

    def calls(self, surface, *arguments):
        result = self.run("--surface", surface, *arguments)
        if result["failed"] or not result["requests"]:
            raise SystemExit(f"error: {surface}: {result['failed']} of {result['requests']} requests failed")
        return result

    def stop(self):
        self.server.stop()


class Bare:
    """The boards behind their scheduler, without a server: as many works always in flight as there are clients."""

    def __init__(self, options, boards):
        self.process = subprocess.Popen([options.bare], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ask(f"open mix {options.model} {boards}")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().split()

    def tokens_per_s(self, seconds, lengths):
        words = self.ask(f"loop mix {int(seconds * 1000)} {CLIENTS} " + " ".join(map(str, lengths)))
        if not words or words[0] != "tokens/s":
            raise SystemExit(f"error: the bare boards ended or said {words}")
        return float(words[1])

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def medians(turns):
    """Of each figure, over the turns."""
    return {key: round(statistics.median(turn[key] for turn in turns), 3) if isinstance(value, (int, float)) else value
            for key, value in turns[0].items()}


def alternate(rounds, cells):
    """{name: [what the cell returns, ..]}; each round begins with another."""
    turns, names = {name: [] for name in cells}, list(cells)
    for number in range(rounds):
        for i in range(len(names)):
            name = names[(number + i) % len(names)]
            turns[name].append(cells[name]())
    return turns


def latency(options, level):
    """One board, one client, a short text."""
    bench = Bench(options, "--boards", "1")
    try:
        def cell(surface):
            return lambda: bench.calls(surface, "--lengths", SHORT_TOKENS, "--seconds", level.latency_s)
        rows = [medians(turns) for turns in alternate(level.latency, {name: cell(name) for name in OWN}).values()]
    finally:
        bench.stop()
    print(f"{'one board, a short text':24}{'own':>8}{'goal':>6}{'beyond':>8}{'goal':>6}{'client p50':>12}{'p99':>8}"
          f"{'server CPU':>12}  us")
    for row in rows:
        name = row["surface"]
        row["own_reached"], row["beyond_reached"] = row["own_p50_us"] <= OWN[name], row["beyond_p50_us"] <= BEYOND
        print(f"{name:24}{row['own_p50_us']:8.1f}{OWN[name]:6}{row['beyond_p50_us']:8.1f}{BEYOND:6}"
              f"{row['client_p50_us']:12.1f}{row['client_p99_us']:8.0f}{row['server_cpu_us']:12.1f}")
    goals = [(f"own share on {row['surface']}, us", row["own_p50_us"], "<=", OWN[row["surface"]]) for row in rows]
    goals += [(f"client beyond it on {row['surface']}, us", row["beyond_p50_us"], "<=", BEYOND) for row in rows]
    return rows, goals


def throughput(options, level):
    """64 clients, single texts of mixed lengths, and the boards alone with the same."""
    lengths, boards = ragged_lengths(MIX), os.cpu_count()
    bench, bare = Bench(options, "--boards", str(boards)), Bare(options, boards)
    try:
        def server_cell(surface, seconds):
            return lambda: bench.calls(surface, "--lengths", ",".join(map(str, lengths)), "--connections", CLIENTS,
                                       "--seconds", seconds, "--warmup", seconds / 2)

        def bare_cell(seconds):
            return lambda: {"tokens_per_s": bare.tokens_per_s(seconds * 1.5, lengths)}

        def cells(seconds):
            return {"bare": bare_cell(seconds), "embed": server_cell("embed", seconds),
                    "grpc": server_cell("grpc", seconds)}
        alternate(1, cells(level.learn_s))
        turns = alternate(level.throughput, cells(level.throughput_s))
    finally:
        bench.stop()
        bare.stop()
    rows = {name: medians(of_name) for name, of_name in turns.items()}
    goals = []
    print(f"{'64 clients, mixed':24}{'tokens/s':>10}{'of bare':>9}{'client':>8}  of the cores")
    for name, row in rows.items():
        row["of_bare"] = round(statistics.median(turn["tokens_per_s"] / alone["tokens_per_s"]
                                                 for turn, alone in zip(turns[name], turns["bare"])), 3)
        row["client_share"] = round(row.get("rate", 0) * row.get("client_cpu_us", 0) / 1e6 / boards, 4)
        print(f"{name:24}{row['tokens_per_s']:10.0f}{row['of_bare']:9.3f}{row['client_share']:8.1%}")
        if name != "bare":
            goals.append((f"throughput on {name}, of the bare boards'", row["of_bare"], ">=", LEAST_THROUGHPUT))
    return rows, goals


def batch(options, level):
    """32 texts a call: the batch call beside /embed's JSON, with inference and from the cache; the client reads all."""
    computing, cached = Bench(options), Bench(options, "--cache-bytes", CACHE)

    def cell(bench, surface):
        return lambda: bench.calls(surface, "--texts", BATCH_TEXTS, "--lengths", BATCH_TOKENS, "--seconds",
                                   level.batch_s, "--read")
    cells = {(kind, surface): cell(bench, surface) for kind, bench in (("computed", computing), ("cached", cached))
             for surface in ("embed", "batch", "batch-connect")}
    try:
        alternate(1, cells)
        turns = alternate(level.batch, cells)
    finally:
        computing.stop()
        cached.stop()
    rows, goals = {f"{kind} {surface}": medians(turns[kind, surface]) for kind, surface in cells}, []
    print(f"{'32 texts a call':24}{'requests/s':>12}{'of embed':>10}{'client CPU':>12}{'server CPU':>12} us{'bytes':>9}")
    for kind, surface in cells:
        row = rows[f"{kind} {surface}"]
        row["of_embed"] = round(statistics.median(turn["rate"] / json_turn["rate"] for turn, json_turn in
                                                  zip(turns[kind, surface], turns[kind, "embed"])), 3)
        print(f"{kind + ' ' + surface:24}{row['rate']:12.1f}{row['of_embed']:10.2f}{row['client_cpu_us']:12.0f}"
              f"{row['server_cpu_us']:12.0f}   {row['bytes']:9.0f}")
        if surface == "batch":
            goals.append((f"batch call, of /embed's requests/s, {kind}", row["of_embed"], ">=", 1))
    return rows, goals


def streams(options, level):
    """Many streams open at once, silent, then two texts on each."""
    bench = Bench(options)
    try:
        for _ in range(3):
            bench.calls("grpc", "--connections", CLIENTS, "--seconds", 0.5)     # it has all its buffers
        row = bench.run("--streams", level.streams)
        again = bench.run("--streams", level.streams)
    finally:
        bench.stop()
    row["bytes_a_stream"] = round((row["resident_open"] - row["resident_before"]) / row["streams"])
    row["growth_again"] = again["resident_after"] - row["resident_after"]
    row["wrong"] += again["wrong"]
    print(f"{row['streams']} streams on {row['connections']} connections: resident MiB before "
          f"{row['resident_before'] / 2**20:.1f}, open {row['resident_open'] / 2**20:.1f} ({row['bytes_a_stream']} bytes "
          f"a stream), answered {row['resident_answered'] / 2**20:.1f}, after {row['resident_after'] / 2**20:.1f}, after "
          f"as many again {again['resident_after'] / 2**20:.1f}; opened in {row['open_s']:.2f} s, {row['texts']} texts "
          f"on each in {row['ask_s']:.1f} s, {row['wrong']} wrong")
    return row, [("bytes of an open stream", row["bytes_a_stream"], "<=", STREAM_BYTES),
                 ("streams with a wrong answer", row["wrong"], "<=", 0)]


PARTS = {"latency": latency, "throughput": throughput, "batch": batch, "streams": streams}


def show(goals):
    """True where all hold."""
    good = True
    print(f"\n{'goals':52}{'is':>10}   {'goal':>8}")
    for name, value, sign, goal in goals:
        holds = value <= goal if sign == "<=" else value >= goal
        good = good and holds
        print(f"{name:52}{value:10.5g} {sign} {goal:<8g} {'holds' if holds else 'NOT REACHED'}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("bertd", "bench", "bare", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("model")
    options = parser.parse_args()
    level = QUICK if options.quick else FULL
    path = os.path.join(options.out, "surfaces.json")
    result = {"machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
              "level": level._asdict()}
    goals = []
    for part in options.parts.split(","):
        begin = time.monotonic()
        result[part], more = PARTS[part](options, level)
        goals += more
        say(f"  {part}: {time.monotonic() - begin:.0f} s")
    result["goals"] = [dict(zip(("name", "value", "sign", "goal"), goal)) for goal in goals]
    show(goals)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    if "latency" in result:
        plot.draw(os.path.join(options.out, "surfaces.svg"), result["latency"], OWN, BEYOND)


if __name__ == "__main__":
    main()
