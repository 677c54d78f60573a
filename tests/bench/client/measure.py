"""measure.py [--quick] BERTD BENCH_FOLDER MODEL_DIR OUT: libbertd and a raw client by turns, on one server.

The raw client (bench-http) writes HTTP by hand and reads no vector, so it is the most that a client on this machine can
be served. Each turn's ratio is of two runs right after each other; the order changes with every turn.
"""
import json
import os
import platform
import re
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scheduler"))
import server as servers     # noqa: E402

FULL = {"connections": [4, 16], "turns": 6, "seconds": 4, "calls": 5000}
QUICK = {"connections": [4], "turns": 1, "seconds": 0.5, "calls": 100}
GOALS = {"throughput": 0.95, "over_libcurl_us": 60}


def rate(bench, server, connections, seconds, *options):
    command = [bench, "--port", str(server.port), "--connections", str(connections), "--words", "8", "--seconds",
               str(seconds), *options]
    line = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.search(r"([\d.]+) requests/s .* failed (\d+)", line)
    if not found or found[2] != "0":
        raise SystemExit(f"error: the load failed: {line}")
    return float(found[1])


def compare(benches, server, plan, connections):
    ours, raw = [], []
    for turn in range(plan["turns"]):
        both = [lambda: ours.append(rate(benches + "/bench-client", server, connections, plan["seconds"], "--calls", "0")),
                lambda: raw.append(rate(benches + "/bench-http", server, connections, plan["seconds"]))]
        for run in both if turn % 2 else reversed(both):
            run()
    return {"connections": connections, "libbertd": ours, "raw": raw,
            "ratio": statistics.mean(ours) / statistics.mean(raw)}


def one_call(benches, server, calls):
    """Microseconds of a call by the library over one by libcurl."""
    command = [benches + "/bench-client", "--port", str(server.port), "--connections", "1", "--words", "8", "--seconds",
               "0.1", "--calls", str(calls)]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return float(re.search(r": (-?[\d.]+) us more", said)[1])


def main():
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.exit(print(__doc__))
    arguments = [argument for argument in sys.argv[1:] if argument != "--quick"]
    plan = QUICK if "--quick" in sys.argv else FULL
    bertd, benches, model, out = arguments
    server = servers.Server(bertd, model)
    rows = []
    try:
        print(f"{'connections':>12}{'raw':>8}{'libbertd':>10}{'ratio':>8}   requests/s, goal {GOALS['throughput']}")
        for connections in plan["connections"]:
            row = compare(benches, server, plan, connections)
            rows.append(row)
            print(f"{connections:12}{statistics.mean(row['raw']):8.0f}{statistics.mean(row['libbertd']):10.0f}"
                  f"{row['ratio']:8.3f}", flush=True)
        over = one_call(benches, server, plan["calls"])
        print(f"one call: {over:.1f} us over libcurl, goal {GOALS['over_libcurl_us']}")
    finally:
        server.stop()
    with open(out, "w", encoding="utf-8") as file:
        json.dump({"machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
                   "plan": plan, "goals": GOALS, "rows": rows, "over_libcurl_us": over}, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
