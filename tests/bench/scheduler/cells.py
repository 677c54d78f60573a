"""Part (a): auto against every forced placement, cell by cell, all servers alive at once and taking short turns, so that
what else happens on the machine hits all alike."""
import statistics

from server import Server, load, mean_tokens

PLACEMENTS = ["auto", "replicate", "split", "pipeline"]
MOST_LOSS = 0.10
LOOP_TOKENS = "16-64"
LEARNING = 3        # slices

CELLS = {
    **{f"lone {tokens}": [f"name=lone,tokens={tokens}"] for tokens in (8, 32, 128, 512)},
    **{f"loop {clients}": [f"name=loop,clients={clients},tokens={LOOP_TOKENS},variants=64"]
       for clients in (1, 4, 16, 64)},
    "mixed": ["name=short,clients=8,tokens=8-64,variants=64", "name=bulk,clients=2,texts=16,tokens=16-128",
              "name=long,clients=1,tokens=256-512"],
}


def lone(cell):
    return cell.startswith("lone")


def score(cell, turns, tokens):
    """What is to be high: answers (mixed: tokens) a second; for lone requests, those that the median allows."""
    if lone(cell):
        median = statistics.median(ms for groups in turns for ms in groups["lone"].ok_ms)
        return 1e3 / median
    if cell == "mixed":
        return statistics.mean(sum(group.rate * tokens[name] for name, group in groups.items())
                               for groups in turns)
    return statistics.mean(groups["loop"].rate for groups in turns)


def turn(generator, server, cell, seconds):
    groups = load(generator, server, seconds, *CELLS[cell], options=["--warmup", "0" if lone(cell) else "0.2"])
    for group in groups.values():
        if group.failed or not group.rate:
            raise SystemExit(f"error: {cell}: {group.failed} requests failed: {group.statuses}")
    return groups


def measure_cell(generator, servers, cell, level):
    """({placement: score}, {group: tokens of a request}).

    First auto may try its ways of running loads of this size, which does not count.
    """
    seconds, rounds = (level.lone_slice, level.lone_rounds) if lone(cell) else (level.slice, level.rounds)
    turn(generator, servers["auto"], cell, seconds * LEARNING)
    turns = {placement: [] for placement in PLACEMENTS}
    for number in range(rounds):
        for i in range(len(PLACEMENTS)):
            placement = PLACEMENTS[(number + i) % len(PLACEMENTS)]
            turns[placement].append(turn(generator, servers[placement], cell, seconds))
    tokens = mean_tokens([groups for of_placement in turns.values() for groups in of_placement])
    return {placement: score(cell, turns[placement], tokens) for placement in PLACEMENTS}, tokens


def measure(bertd, generator, model, level, say):
    servers = {placement: Server(bertd, model, "--placement", placement) for placement in PLACEMENTS}
    rows = []
    try:
        for cell in CELLS:
            say(f"  placements, {cell}")
            rows.append(row(cell, *measure_cell(generator, servers, cell, level)))
    finally:
        for server in servers.values():
            server.stop()
    return rows


def row(cell, scores, tokens):
    forced = {placement: value for placement, value in scores.items() if placement != "auto"}
    best = max(forced, key=forced.get)
    ratio = scores["auto"] / forced[best]
    return {"cell": cell, "tokens_per_request": tokens,
            **{placement: round(value, 2) for placement, value in scores.items()},
            "best": best, "auto_over_best": round(ratio, 3), "reached": ratio >= 1 - MOST_LOSS}


def show(rows):
    lines = [f"  {'':9}" + "".join(f"{placement:>11}" for placement in PLACEMENTS) +
             f"{'auto/best':>11}{'tokens a request, as counted':>43}"]
    for entry in rows:
        lines.append(f"  {entry['cell']:9}" + "".join(f"{entry[placement]:11.1f}" for placement in PLACEMENTS) +
                     f"{entry['auto_over_best']:11.2f}  {'reached' if entry['reached'] else 'NOT REACHED':13}" +
                     ", ".join(f"{name} {tokens:g}" for name, tokens in entry["tokens_per_request"].items()))
    return "\n".join(lines)
