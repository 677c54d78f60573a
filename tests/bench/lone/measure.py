"""A lone request against the loop, by part: measure.py [--quick] [--publish] --out FOLDER BUILD MODEL. Run it by
tests/bench/lone/run.

In each round every program starts anew, since a process may be some percent faster than another for where its memory
lies; medians of the rounds count.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
from collections import namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(HERE, "..", "scheduler"), os.path.join(HERE, "..", "peers")]
import plot                         # noqa: E402
import report                       # noqa: E402
import server as servers            # noqa: E402
from texts import ragged_lengths    # noqa: E402

Level = namedtuple("Level", "rounds passes turns seconds many_rounds many_s")
FULL = Level(4, 25, 2, 0.5, 3, 1)
QUICK = Level(1, 10, 1, 0.3, 1, 0.5)
TOKENS = 16
PAUSES = (100, 1000, 5000)              # microseconds before a pass; before a request also none
CLIENTS, MIX = 64, 512
GOAL = 1.05                             # inference over HTTP, of the loop's


def median(rows, key):
    return round(statistics.median(row[key] for row in rows), 2)


def medians(rows):
    return {key: median(rows, key) if isinstance(value, float) else value for key, value in rows[0].items()}


class Bench:
    def __init__(self, build, model):
        self.build, self.model, self.isa = build, model, ""

    def program(self, name):
        return os.path.join(self.build, "tests", "bench", "bench-" + name)

    def json_of(self, name, *arguments):
        command = [self.program(name), *map(str, arguments)]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)

    def alone(self, level, boards, placement):
        """The engine and the boards without HTTP; {(what, pause, microseconds): row}."""
        found = self.json_of("lone", "--model", self.model, "--boards", boards, "--tokens", TOKENS, "--passes",
                             level.passes, "--rounds", level.turns, "--pauses", ",".join(map(str, PAUSES)),
                             "--placement", placement)
        self.isa = found["isa"]
        return {(row["what"], row["pause"], row["pause_us"]): row for row in found["scenes"]}

    def over_http(self, server, boards, seconds, pause_us):
        """One client. What of inference is handing over, the means of it and of the boards' own time tell."""
        names = ("bertd_board_busy_seconds_total", "te_request_inference_duration_sum",
                 "te_request_inference_duration_count")
        before = [server.metric(name) for name in names]
        row = self.json_of("surfaces", "--port", server.port, "--pid", server.pid, "--words", ",".join(server.words),
                           "--surface", "embed", "--lengths", TOKENS, "--seconds", seconds, "--warmup", 0.1, "--pause",
                           pause_us)
        if row["failed"] or not row["requests"]:
            raise SystemExit(f"error: {row['failed']} of {row['requests']} requests failed")
        busy, inference, n = (server.metric(name) - was for name, was in zip(names, before))
        kept = {key: row[f"{key}_p50_us"] for key in ("client", "own", "beyond", "queue", "inference")}
        kept |= {"busy_mean": busy * 1e6 / n / boards, "inference_mean": inference * 1e6 / n}
        return kept | {"server_cpu": row["server_cpu_us"], "client_cpu": row["client_cpu_us"]}


def lone(bench, level, boards):
    alone, split, http = [], [], {pause: [] for pause in (0, *PAUSES)}
    for _ in range(level.rounds):
        alone.append(bench.alone(level, boards, "auto"))
        if boards > 1:
            split.append(bench.alone(level, boards, "split")["loop", "none", 0])
        server = servers.Server(os.path.join(bench.build, "bertd"), bench.model, "--boards", str(boards))
        try:
            for pause, rows in http.items():
                rows.append(bench.over_http(server, boards, level.seconds, pause))
        finally:
            server.stop()
    scenes = [medians([turn[key] for turn in alone]) for key in alone[0]]
    result = {"boards": boards, "scenes": scenes,
              "http": [{"pause_us": pause} | medians(rows) for pause, rows in http.items()]}
    return result | ({"split": medians(split)} if split else {})


def many(bench, level):
    """64 clients with texts of mixed lengths, and the boards alone with the same."""
    lengths, boards = ragged_lengths(MIX), os.cpu_count()
    texts = ",".join(map(str, lengths))
    rows = []
    for _ in range(level.many_rounds):
        ask = f"open mix {bench.model} {boards}\n" + \
            f"loop mix {int(level.many_s * 1500)} {CLIENTS} {texts.replace(',', ' ')}\n" * 2
        said = subprocess.run([bench.program("engine_cells")], input=ask, stdout=subprocess.PIPE, text=True, check=True)
        bare = float(said.stdout.split()[-1])
        server = servers.Server(os.path.join(bench.build, "bertd"), bench.model, "--boards", str(boards))
        try:
            http = bench.json_of("surfaces", "--port", server.port, "--pid", server.pid, "--words",
                                 ",".join(server.words), "--surface", "embed", "--lengths", texts, "--connections",
                                 CLIENTS, "--seconds", level.many_s, "--warmup", level.many_s * 2)
        finally:
            server.stop()
        rows.append({"bare_tokens_per_s": bare, "http_tokens_per_s": http["tokens_per_s"],
                     "of_bare": http["tokens_per_s"] / bare, "client_cpu_us": http["client_cpu_us"],
                     "server_cpu_us": http["server_cpu_us"]})
    return {"clients": CLIENTS, "boards": boards} | {key: round(statistics.median(row[key] for row in rows), 3)
                                                     for key in rows[0]}


def find(result, what, pause="none", pause_us=0):
    return next(row for row in result["scenes"] if (row["what"], row["pause"], row["pause_us"]) ==
                (what, pause, pause_us))


def show(result):
    print(f"\n{result['boards']} board{'s' if result['boards'] > 1 else ''}: microseconds")
    print(f"{'':28}{'pass':>9}{'GHz':>7}{'wall':>9}{'inference':>11}{'boards':>9}")
    for row in result["scenes"]:
        name = f"{row['what']}, {row['pause']} {row['pause_us'] or ''}"
        if row["what"] == "engine":
            print(f"{name:28}{row['wall_us']:9.1f}{row['ghz']:7.2f}")
        else:
            print(f"{name:44}{row['wall_us']:9.1f}{row['inference_us']:11.1f}{row['busy_us']:9.1f}")
    if "split" in result:
        row = result["split"]
        print(f"{'loop, always split':44}{row['wall_us']:9.1f}{row['inference_us']:11.1f}{row['busy_us']:9.1f}")
    for row in result["http"]:
        print(f"{'HTTP, pause ' + str(row['pause_us']):44}{row['client']:9.1f}{row['inference']:11.1f}"
              f"{row['busy_mean']:9.1f}  own {row['own']:.0f}, beyond {row['beyond']:.0f}, mean inference "
              f"{row['inference_mean']:.1f}")
    share = result["http"][0]["inference"] / find(result, "loop")["inference_us"]
    print(f"inference over HTTP, of the loop's: {share:.3f} (goal {GOAL}{'' if share <= GOAL else ': NOT REACHED'})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--publish", action="store_true")
    parser.add_argument("--out", required=True)
    parser.add_argument("build")
    parser.add_argument("model")
    options = parser.parse_args()
    level = QUICK if options.quick else FULL
    bench = Bench(options.build, options.model)
    results = [lone(bench, level, boards) for boards in (1, 2)]
    for result in results:
        show(result)
    together = many(bench, level)
    print(f"\n{CLIENTS} clients, mixed lengths: {together['http_tokens_per_s']:.0f} tokens/s over HTTP, "
          f"{together['bare_tokens_per_s']:.0f} of the bare boards: {together['of_bare']:.3f}")
    out = options.out
    if options.publish:
        out = os.path.join(HERE, "..", "..", "..", "docs", "bench", report.name_machine(bench.isa))
        os.makedirs(out, exist_ok=True)
    processor = report.read_processor()
    machine = {"processor": processor.get("model name"), "cores": os.cpu_count(), "isa": bench.isa}
    with open(os.path.join(out, "lone.json"), "w", encoding="utf-8") as file:
        json.dump({"machine": machine, "tokens": TOKENS, "level": level._asdict(), "lone": results, "many": together},
                  file, indent=1)
        file.write("\n")
    plot.draw(os.path.join(out, "lone.svg"), results, TOKENS)


if __name__ == "__main__":
    main()
