"""Part (b): an interactive client beside four bulk clients, on bertd and on ONNX Runtime behind a FIFO."""
import atexit
import os
import statistics
import subprocess

from server import Server, load, quantile, ROOT

LEAST_BULK = 0.85
QUICK = "name=quick,mode=open,rate=50,clients=64,tokens=8-16"
BULK = "name=bulk,clients=4,texts=32,tokens=64"
PHASES = {"idle": [QUICK], "bulk": [BULK], "both": [QUICK, BULK]}


class Fifo:
    """fifo.py, with what Server offers."""

    def __init__(self, python, onnx, tokenizer, threads):
        self.process = subprocess.Popen(
            [python, os.path.join(ROOT, "tests", "bench", "scheduler", "fifo.py"), onnx, tokenizer, str(threads)],
            stdout=subprocess.PIPE, text=True)
        atexit.register(self.process.kill)
        self.port = int(self.process.stdout.readline())

    def stop(self):
        self.process.kill()
        self.process.wait()


class Meter:
    """Of one engine, over all rounds."""

    def __init__(self):
        self.latencies = {"idle": [], "both": []}
        self.bulk = {"bulk": [], "both": []}
        self.layer_ms = []

    def add(self, phase, groups):
        if "quick" in groups:
            self.latencies[phase] += groups["quick"].ok_ms
        if "bulk" in groups:
            self.bulk[phase].append(groups["bulk"].rate)

    def row(self):
        idle, both = sorted(self.latencies["idle"]), sorted(self.latencies["both"])
        alone, beside = statistics.median(self.bulk["bulk"]), statistics.median(self.bulk["both"])
        return {"idle_p50_ms": round(quantile(idle, 0.5), 3), "idle_p99_ms": round(quantile(idle, 0.99), 3),
                "p50_ms": round(quantile(both, 0.5), 3), "p99_ms": round(quantile(both, 0.99), 3),
                "bulk_alone": round(alone, 3), "bulk_beside": round(beside, 3),
                "bulk_share": round(beside / alone, 3) if alone else 0.0}


def bulk_layer_ms(server, run):
    """The boards' time for one launch, which for bulk work is a layer, while `run` runs."""
    names = ("bertd_board_busy_seconds_total", "bertd_board_flights_total")
    before = [server.metric(name) for name in names]
    result = run()
    busy, flights = (server.metric(name) - value for name, value in zip(names, before))
    return result, busy / flights * 1e3 if flights else 0.0


def measure(bertd, generator, model, fifo, level, say):
    """(row of bertd, row of the FIFO or None, sorted latencies to plot)"""
    engines = {"bertd": Server(bertd, model)}
    if fifo:
        engines["fifo"] = Fifo(*fifo)
    meters = {name: Meter() for name in engines}
    try:
        for turn in range(level.class_rounds):
            say(f"  classes, round {turn + 1} of {level.class_rounds}")
            for phase, groups in PHASES.items():
                for name, engine in engines.items():
                    def run(engine=engine, groups=groups):
                        return load(generator, engine.port, level.phase, *groups, options=["--warmup", "0.5"])
                    if name == "bertd" and phase == "bulk":
                        result, layer = bulk_layer_ms(engine, run)
                        meters[name].layer_ms.append(layer)
                    else:
                        result = run()
                    meters[name].add(phase, result)
    finally:
        for engine in engines.values():
            engine.stop()
    row = meters["bertd"].row()
    row["bulk_layer_ms"] = round(statistics.median(meters["bertd"].layer_ms), 3)
    row["p99_limit_ms"] = round(row["idle_p99_ms"] + 2 * row["bulk_layer_ms"], 3)
    row["p99_reached"] = row["p99_ms"] <= row["p99_limit_ms"]
    row["bulk_reached"] = row["bulk_share"] >= LEAST_BULK
    curves = {f"{name}, {phase}": sorted(values) for name, meter in meters.items()
              for phase, values in meter.latencies.items()}
    return row, meters["fifo"].row() if fifo else None, curves


def show(row, fifo):
    word = {True: "reached", False: "NOT REACHED"}
    text = (f"  interactive beside bulk: p50 {row['p50_ms']:.1f} ms, p99 {row['p99_ms']:.1f} ms; idle p99 "
            f"{row['idle_p99_ms']:.1f} ms + two bulk layers of {row['bulk_layer_ms']:.1f} ms = "
            f"{row['p99_limit_ms']:.1f} ms  {word[row['p99_reached']]}\n"
            f"  bulk: {row['bulk_beside']:.2f} of {row['bulk_alone']:.2f} requests/s alone: "
            f"{row['bulk_share']:.0%}  {word[row['bulk_reached']]}")
    if fifo:
        text += (f"\n  ONNX Runtime int8 behind a FIFO: idle p99 {fifo['idle_p99_ms']:.1f} ms, beside bulk p50 "
                 f"{fifo['p50_ms']:.1f} ms, p99 {fifo['p99_ms']:.1f} ms; bulk {fifo['bulk_beside']:.2f} of "
                 f"{fifo['bulk_alone']:.2f} requests/s: {fifo['bulk_share']:.0%}")
    return text
