#!/usr/bin/env python3
"""tables.py [FLEET_JSON] [--write [PAGE]]: the tables of docs/capacity.md from docs/bench/fleet.json.

Prints each, or puts it into the page: between the line <!-- table: NAME --> and the next <!-- end of table -->.
"""
import argparse
import json
import math
import os
import re
import sys
import textwrap

from boards import kinds, ms_of, only

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
PAGE, RESULTS = os.path.join(ROOT, "docs", "capacity.md"), os.path.join(ROOT, "docs", "bench", "fleet.json")
PART = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end of table -->\n)", re.S)
LOAD = 0.7          # that boards and cores are planned for
CARDS = {"BERT-base": "base-card", "MiniLM": "minilm-card"}
MODELS = {name.split("-")[0]: words for words, name in CARDS.items()}
KINDS = ("minilm-avx2", "minilm-avx512vnni", "base-avx2", "base-avx512vnni", "base-card", "minilm-card")
POLICIES = ("roundrobin", "random2", "leastconn")
WANTED = ((20, "base"), (100, "minilm"), (500, "base"), (1000, "minilm"), (5000, "base"), (10000, "minilm"),
          (100000, "minilm"))
SERVER = {"avx512vnni": 64, "card": 8}      # boards of one server


def number(value, digits=2):
    """With so many significant digits, and thousands apart."""
    if value <= 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(value))
    return f"{round(value, places):,.{max(0, places)}f}"


def table(*rows):
    head, *body = [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]
    return [head, "|" + "---|" * len(rows[0]), *body]


def rate(results, name, tokens=128):
    """Texts a second of one board that is always busy."""
    return 1e3 / ms_of(results["boards"][name], tokens)


def a_core_at_load(results, cost):
    """Requests a second."""
    return LOAD * 1e6 / results["costs"][cost]


def room(rows):
    """The largest server whose lock is free for half of the time."""
    return max((row for row in rows if row["full"]["lock_busy"] <= 0.5), key=lambda row: row["boards"])


def machine(results):
    here = results["machine"]
    return [f"The simulation ran on {here['cores']} cores of an {here['processor']} on {here['measured']}; "
            f"{here['state']}."]


def rules(results):
    p99 = {n: multiple(results, "base-card", n, LOAD, "p99_ms") for n in (1, 8)}
    fastest = room(results["one_server"]["minilm-card"])
    bullets = (f"Plan for {LOAD:.0%} load. One board then has a p99 of {p99[1]} times the text's own time; 8 boards "
               f"have {p99[8]} times.",
               f"Each {number(a_core_at_load(results, 'front_us'))} requests a second need a core for HTTP in servers, "
               f"each {number(a_core_at_load(results, 'balancer_us'))} a core for haproxy (both at {LOAD:.0%}).",
               f"One server has room for {fastest['boards']} of the fastest boards here, which do "
               f"{number(fastest['full']['texts_per_s'], 3)} texts a second.")
    return [line for bullet in bullets for line in textwrap.wrap(f"- {bullet}", 120, subsequent_indent="  ")]


def boards(results):
    rows = [("board", "16 tokens", "128 tokens", "512 tokens", "tokens/s at 128", "source")]
    for name in KINDS:
        kind = results["boards"][name]
        source = re.sub(r"docs/(bench/[\w./-]+/|bench/)([\w-]+\.json)", r"[\2](\1\2)", kind["source"].split(";")[0])
        rows.append((kind["words"], *(number(rate(results, name, n), 3) for n in (16, 128, 512)),
                     number(128 * rate(results, name), 3), source))
    return table(*rows)


def wanted(results):
    rows = [("wanted, texts/s", "model", "cores, AVX2", "cores, AVX-512 VNNI", "cards",
             f"servers of {SERVER['avx512vnni']} such cores", f"servers of {SERVER['card']} cards", "cores for HTTP")]
    for texts, model in WANTED:
        n = {kind: math.ceil(texts / (LOAD * rate(results, f"{model}-{kind}")))
             for kind in ("avx2", "avx512vnni", "card")}
        http = texts / a_core_at_load(results, "front_us")
        rows.append((f"{texts:,}", MODELS[model], *(f"{count:,}" for count in n.values()),
                     *(math.ceil(n[kind] / size) for kind, size in SERVER.items()),
                     math.ceil(http) if http > 1 else "under 1"))
    return table(*rows)


def multiple(results, name, n_boards, load, quantile):
    row = only(results["loads"][name], boards=n_boards, load=load)
    return number(row[quantile] / ms_of(results["boards"][name], 128))


def loads(results):
    rows = [("boards", "p50 at 50%", "70%", "85%", "p99 at 50%", "70%", "85%")]
    for n in (1, 2, 4, 8, 64):
        rows.append((n, *(multiple(results, "base-card", n, load, quantile)
                          for quantile in ("p50_ms", "p99_ms") for load in (0.5, 0.7, 0.85))))
    return table(*rows)


def placements(results):
    rows = [("", "lone, ms", "full, texts/s")]
    for words, name, n in (("BERT-base, 2 cards", "base-card", 2),
                           ("MiniLM, 4 cores with AVX-512 VNNI", "minilm-avx512vnni", 4)):
        for placement in ("replicate", "pipeline", "split", "auto"):
            row = only(results["placements"][name], boards=n, placement=placement)
            rows.append((f"{words}: {placement}" if placement == "replicate" else placement,
                         f"{row['lone']['p50_ms']:.1f}", number(row["full"]["texts_per_s"], 3)))
    return table(*rows)


def one_server(results):
    rows = [("cards", "BERT-base: boards alone, texts/s", "server", "lock held", "MiniLM: boards alone", "server",
             "lock held", "locked")]
    for base, small in zip(*(results["one_server"][name] for name in CARDS.values())):
        if base["boards"] == 4:
            continue
        cells = [cell for row in (base, small) for cell in (f"{row['capacity_texts_per_s']:,}",
                 f"{row['full']['texts_per_s']:,.0f}", f"{row['full']['lock_busy']:.0%}")]
        locked = ", ".join(f"{small['full'][call]['locked_us']:.1f}" for call in ("submits", "returns"))
        rows.append((base["boards"], *cells, locked))
    return table(*rows)


def limits(results):
    rows = [("", *(f"{words} cards" for words in CARDS))]
    servers = [results["one_server"][name] for name in CARDS.values()]
    most = [max(server, key=lambda row: row["full"]["texts_per_s"]) for server in servers]
    rows += [("most boards whose lock is held for at most half of the time", *(room(one)["boards"] for one in servers)),
             ("texts/s there", *(number(room(one)["full"]["texts_per_s"], 3) for one in servers)),
             ("most texts/s of one server", *(number(row["full"]["texts_per_s"], 3) for row in most)),
             ("lock held there", *(f"{row['full']['lock_busy']:.0%}" for row in most)),
             ("a launch that returns there: under the lock, µs",
              *(f"{row['full']['returns']['locked_us']:.1f}" for row in most)),
             ("of that the planner, µs", *(f"{row['full']['returns']['planned_us']:.1f}" for row in most))]
    return table(*rows)


def costs(results):
    rows = [("", "µs a request", "requests/s of a core at 70%", "cores for 100,000 requests/s, all busy",
             *(f"{words} cards at 70% to a core" for words in CARDS))]
    haproxy = results["costs"]["haproxy"].split("-")[0]
    for words, cost in (("bertd, all but computing", "front_us"), (f"haproxy {haproxy}", "balancer_us")):
        requests = a_core_at_load(results, cost)
        rows.append((words, results["costs"][cost], number(requests, 3), number(results["costs"][cost] / 10),
                     *(number(requests / (LOAD * rate(results, name))) for name in CARDS.values())))
    return table(*rows)


def fleets(results):
    rows = [("servers", "texts/s", "roundrobin", "random of two", "leastconn", "haproxy's cores, busy")]
    for n in sorted({row["servers"] for row in results["fleets"]}):
        by_policy = [only(results["fleets"], servers=n, policy=policy) for policy in POLICIES]
        done = by_policy[-1]["texts_per_s"]
        rows.append((n, f"{done:,.0f}", *(f"{row['p50_ms']:.1f}, {row['p99_ms']:.1f}" for row in by_policy),
                     f"{done * results['costs']['balancer_us'] / 1e6:.1f}"))
    return table(*rows)


def balancers(results):
    rows = [("balancers", "roundrobin", "random of two", "leastconn")]
    for n in sorted({row["balancers"] for row in results["balancers"]}):
        rows.append((n, *(f"{only(results['balancers'], balancers=n, policy=policy)['p99_ms']:.1f}"
                          for policy in POLICIES)))
    return table(*rows)


def shapes(results):
    servers = sorted({row["servers"] for row in results["shapes"]})
    rows = [("load", "1 server", *servers[1:])]
    for load in sorted({row["load"] for row in results["shapes"]}):
        cells = [only(results["shapes"], servers=n, load=load) for n in servers]
        rows.append((f"{load:.0%}", *(f"{row['p99_ms']:.2f}" for row in cells)))
    return table(*rows)


TABLES = {make.__name__: make for make in (machine, rules, boards, wanted, loads, placements, one_server, limits, costs,
                                           fleets, balancers, shapes)}


def filled(page, results):
    """The page's text with each of its tables made anew."""
    names = [name for _, name, _ in PART.findall(page)]
    if sorted(names) != sorted(TABLES):
        raise SystemExit(f"error: the page has the tables {sorted(names)}, and these are made: {sorted(TABLES)}")
    return PART.sub(lambda part: part[1] + "\n" + "\n".join(TABLES[part[2]](results)) + "\n\n" + part[3], page)


def of_other_boards(results):
    """Kinds of boards of which something else is measured or counted by now."""
    return [name for name, kind in kinds().items() if results["boards"].get(name, {}).get("ms") != kind["ms"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fleet_json", nargs="?", default=RESULTS)
    parser.add_argument("--write", nargs="?", const=PAGE, metavar="PAGE")
    arguments = parser.parse_args()
    with open(arguments.fleet_json, encoding="utf-8") as file:
        results = json.load(file)
    if not arguments.write:
        for name, make in TABLES.items():
            print(f"{name}\n", *make(results), "", sep="\n")
        return
    stale = of_other_boards(results)
    if stale:
        print(f"note: {arguments.fleet_json} has other times than docs/bench now of {', '.join(stale)}: to simulate "
              "these, tests/bench/fleet/run --simulation --out docs/bench", file=sys.stderr)
    with open(arguments.write, encoding="utf-8") as file:
        page = file.read()
    page = filled(page, results)
    with open(arguments.write, "w", encoding="utf-8") as file:
        file.write(page)


if __name__ == "__main__":
    sys.exit(main())
