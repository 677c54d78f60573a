#!/usr/bin/env python3
"""short.py BENCH_FLEET: what must hold of a simulated fleet, with nothing measured: the same every time.

bench-fleet itself fails where a text is lost, computed twice or not at all, or an invariant of a scheduler is broken.
"""
import argparse
import json
import subprocess

CARD = "16:0.5,64:0.6,128:1.2,512:6"
CASES = [
    {"boards": 1, "clients": 5, "tokens": 0},
    {"boards": 7, "rate": 3000, "tokens": 0, "texts": 9, "requests": 500},
    {"boards": 64, "rate": 40000},
    {"boards": 130, "clients": 1000, "tokens": 0},
    {"boards": 1000, "clients": 5000},
    {"boards": 1000, "rate": 300, "tokens": 0, "texts": 40, "requests": 300},
    {"boards": 6, "clients": 30, "placement": "pipeline"},
    {"boards": 100, "clients": 3, "placement": "split", "requests": 300},
    {"servers": 20, "boards": 3, "rate": 30000, "tokens": 0, "balancers": 3},
]


def run(program, **options):
    options = {"times": CARD, "requests": 3000, "width": 16, **options}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return subprocess.run([program, *words], stdout=subprocess.PIPE, text=True, check=True).stdout


def expect(holds, words):
    if not holds:
        raise SystemExit(f"failed: {words}")


def every_text_is_computed_once(program):
    for case in CASES:
        first, again = run(program, **case), run(program, **case)
        expect(first == again, f"the same run twice: {case}")
        expect(json.loads(first)["refused"] == 0, f"nothing is refused: {case}")


def boards_are_not_idle_while_there_is_work(program):
    rates = [json.loads(run(program, boards=n, clients=4 * n, requests=40 * n))["texts_per_s"] for n in (64, 640)]
    expect(rates[1] > 9 * rates[0], f"ten times the boards compute ten times as much: {rates}")


def the_least_busy_server_answers_sooner(program):
    p99 = {policy: json.loads(run(program, servers=10, boards=4, tokens=0, rate=25000, requests=10000,
                                  policy=policy))["p99_ms"] for policy in ("roundrobin", "random2", "leastconn")}
    expect(p99["leastconn"] <= min(p99.values()), p99)


def what_can_be_done_in_time_is_not_refused(program):
    """At one and a half times the capacity, with little time: of 64 boards and of 80, which are forecast by parts."""
    for boards in (64, 80):
        capacity, limit_ms = boards / 1.2e-3, 20
        done = json.loads(run(program, boards=boards, rate=1.5 * capacity, requests=100 * boards,
                              **{"limit-ms": limit_ms}))
        expect(done["refused"] > 0, f"{boards} boards: not all can be done in time")
        expect(done["texts_per_s"] > 0.8 * capacity, f"{boards} boards do what they can: {done['texts_per_s']:.0f}")
        expect(done["p99_ms"] < 2 * limit_ms, f"{boards} boards take what can be done: {done['p99_ms']} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench_fleet")
    program = parser.parse_args().bench_fleet
    every_text_is_computed_once(program)
    boards_are_not_idle_while_there_is_work(program)
    the_least_busy_server_answers_sooner(program)
    what_can_be_done_in_time_is_not_refused(program)


if __name__ == "__main__":
    main()
