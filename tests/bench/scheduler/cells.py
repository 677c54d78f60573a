"""Part (a): auto against every forced placement, cell by cell, all servers alive at once and taking turns."""
import statistics

from server import Server, load, quantile

PLACEMENTS = ["auto", "replicate", "split", "pipeline"]
MOST_LOSS = 0.10
LOOP_TOKENS = "16-64"

CELLS = {
    **{f"lone {tokens}": [f"name=lone,tokens={tokens}"] for tokens in (8, 32, 128, 512)},
    **{f"loop {clients}": [f"name=loop,clients={clients},tokens={LOOP_TOKENS},variants=64"]
       for clients in (1, 4, 16, 64)},
    "mixed": ["name=short,clients=8,tokens=8-64,variants=64", "name=bulk,clients=2,texts=32,tokens=16-128",
              "name=long,clients=1,tokens=256-512"],
}
MEAN_TOKENS = {"short": 36, "bulk": 32 * 72, "long": 384}      # of a request of the mixed load


def score(cell, groups):
    """What is to be high: answers (mixed: tokens) a second; for lone requests, those that the median allows."""
    if cell.startswith("lone"):
        median = quantile(groups["lone"].ok_ms, 0.5)
        return 1e3 / median if median else 0
    if cell == "mixed":
        return sum(group.rate * MEAN_TOKENS[name] for name, group in groups.items())
    return groups["loop"].rate


def check_answers(cell, placement, groups):
    for group in groups.values():
        if group.failed:
            raise SystemExit(f"error: {cell} on {placement}: {group.failed} requests failed: {group.statuses}")


def measure(bertd, generator, model, level, say):
    servers = {placement: Server(bertd, model, "--placement", placement) for placement in PLACEMENTS}
    scores = {(cell, placement): [] for cell in CELLS for placement in PLACEMENTS}
    try:
        for turn in range(level.rounds):
            say(f"  placements, round {turn + 1} of {level.rounds}")
            for cell, groups in CELLS.items():
                for i in range(len(PLACEMENTS)):
                    placement = PLACEMENTS[(turn + i) % len(PLACEMENTS)]
                    seconds = level.slice * (2 if cell in ("loop 64", "mixed") else 1)
                    result = load(generator, servers[placement].port, seconds, *groups, options=["--warmup", "0.2"])
                    check_answers(cell, placement, result)
                    scores[cell, placement].append(score(cell, result))
    finally:
        for server in servers.values():
            server.stop()
    return [row(cell, scores) for cell in CELLS]


def row(cell, scores):
    medians = {placement: statistics.median(scores[cell, placement]) for placement in PLACEMENTS}
    forced = {placement: value for placement, value in medians.items() if placement != "auto"}
    best = max(forced, key=forced.get)
    ratio = medians["auto"] / forced[best] if forced[best] else 0.0
    return {"cell": cell, **{placement: round(value, 2) for placement, value in medians.items()},
            "best": best, "auto_over_best": round(ratio, 3), "reached": ratio >= 1 - MOST_LOSS}


def show(rows):
    lines = [f"  {'':9}" + "".join(f"{placement:>11}" for placement in PLACEMENTS) + f"{'auto/best':>11}"]
    for entry in rows:
        lines.append(f"  {entry['cell']:9}" + "".join(f"{entry[placement]:11.1f}" for placement in PLACEMENTS) +
                     f"{entry['auto_over_best']:11.2f}  {'reached' if entry['reached'] else 'NOT REACHED'}")
    return "\n".join(lines)
