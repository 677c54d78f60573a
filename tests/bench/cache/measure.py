"""measure.py [--quick] BERTD BENCH_HTTP MODEL_DIR OUT: the same Zipf load on servers with caches of several sizes.

A load on the boards alone goes on at T requests a second. With a share h of hits, and H requests a second where all are
hits, 1 / ((1 - h) / T + h / H) are to be expected.
"""
import json
import os
import platform
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scheduler"))
import server as servers     # noqa: E402

MIB = 1 << 20
FULL = {"texts": 100000, "words": 24, "connections": 16, "warmup": 10, "seconds": 20, "mib": [1, 4, 16, 64, 256]}
QUICK = {"texts": 2000, "words": 8, "connections": 4, "warmup": 1, "seconds": 2, "mib": [1, 4]}
NAMES = ("hits", "misses", "coalesced", "evictions")


def rate(bench, server, plan, texts, seconds):
    """Requests answered a second."""
    command = [bench, "--port", str(server.port), "--connections", str(plan["connections"]), "--words",
               str(plan["words"]), "--seconds", str(seconds), "--texts", str(texts)]
    line = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.search(r"([\d.]+) requests/s .* failed (\d+)", line)
    if not found or found[2] != "0":
        raise SystemExit(f"error: the load failed: {line}")
    return float(found[1])


def counts(server):
    return {name: server.metric(f"bertd_cache_{name}_total") for name in NAMES}


def measure(bertd, bench, model, plan, mib):
    """A row; of 0 MiB without anything that only a cache has."""
    server = servers.Server(bertd, model, *(["--cache-bytes", str(mib * MIB)] if mib else []))
    try:
        row = {"cache_mib": mib}
        if mib:
            rate(bench, server, plan, 1, 1)
            row["all_hits_rate"] = rate(bench, server, plan, 1, plan["seconds"] / 4)
        rate(bench, server, plan, plan["texts"], plan["warmup"])
        before = counts(server)
        row["rate"] = rate(bench, server, plan, plan["texts"], plan["seconds"])
        done = {name: value - before[name] for name, value in counts(server).items()}
        asked = sum(done[name] for name in ("hits", "misses", "coalesced"))
        row["hit_share"] = (done["hits"] + done["coalesced"]) / asked if asked else 0.0
        row["coalesced_share"] = done["coalesced"] / asked if asked else 0.0
        row["evictions"] = done["evictions"]
        row["entries"] = server.metric("bertd_cache_entries")
        row["bytes"] = server.metric("bertd_cache_bytes")
        return row
    finally:
        server.stop()


def main():
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.exit(print(__doc__))
    arguments = [argument for argument in sys.argv[1:] if argument != "--quick"]
    plan = QUICK if "--quick" in sys.argv else FULL
    bertd, bench, model, out = arguments
    rows = []
    print(f"{'cache MiB':>10}{'hits':>8}{'in flight':>11}{'requests/s':>12}{'expected':>10}{'gain':>7}{'entries':>10}")
    for mib in (0, *plan["mib"]):
        row = measure(bertd, bench, model, plan, mib)
        base = rows[0]["rate"] if rows else row["rate"]
        share = row["hit_share"]
        row["expected_rate"] = 1 / ((1 - share) / base + share / row.get("all_hits_rate", base))
        rows.append(row)
        print(f"{mib:10}{share:8.1%}{row['coalesced_share']:11.1%}{row['rate']:12.0f}{row['expected_rate']:10.0f}"
              f"{row['rate'] / base:7.2f}{row['entries']:10.0f}", flush=True)
    with open(out, "w", encoding="utf-8") as file:
        json.dump({"machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
                   "plan": plan, "rows": rows}, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
