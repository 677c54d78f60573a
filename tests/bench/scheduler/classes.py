"""Part (b): an interactive client beside four bulk clients, on bertd and on ONNX Runtime behind a FIFO."""
import atexit
import os
import statistics
import subprocess
import time

from server import Server, load, mean_tokens, quantile, ROOT

LEAST_BULK = 0.85
QUICK = "name=quick,mode=open,rate=50,clients=64,tokens=8-16"
BULK = "name=bulk,clients=4,texts=32,tokens=64"
PHASES = {"idle": [QUICK], "bulk": [BULK], "both": [QUICK, BULK]}
CURVE = [i / 20 for i in range(20)] + [0.99]    # quantiles that are plotted


class Fifo:
    """fifo.py, with what Server offers."""

    def __init__(self, words, python, onnx, model, threads):
        self.words = words
        self.process = subprocess.Popen(
            [python, os.path.join(ROOT, "tests", "bench", "scheduler", "fifo.py"), onnx, model, str(threads)],
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
        self.loads = []

    def add(self, phase, groups):
        if phase == "both":
            self.loads.append(groups)
        if "quick" in groups:
            self.latencies[phase] += groups["quick"].ok_ms
        if "bulk" in groups:
            self.bulk[phase].append(groups["bulk"].rate)

    def row(self):
        idle, both = sorted(self.latencies["idle"]), sorted(self.latencies["both"])
        alone, beside = statistics.median(self.bulk["bulk"]), statistics.median(self.bulk["both"])
        return {"idle_p50_ms": round(quantile(idle, 0.5), 3), "idle_p99_ms": round(quantile(idle, 0.99), 3),
                "p50_ms": round(quantile(both, 0.5), 3), "p99_ms": round(quantile(both, 0.99), 3),
                "tokens_per_request": mean_tokens(self.loads),
                "bulk_alone": round(alone, 3), "bulk_beside": round(beside, 3),
                "bulk_share": round(beside / alone, 3) if alone else 0.0}

    def quantiles(self):
        """{phase: latencies to plot}"""
        return {phase: [round(quantile(sorted(values), share), 3) for share in CURVE]
                for phase, values in self.latencies.items()}


class Boards:
    """What a server's boards did while something ran, over all rounds."""

    def __init__(self, server):
        self.server = server
        self.busy = self.launches = self.seconds = 0.0

    def read(self):
        return (self.server.metric("bertd_board_busy_seconds_total"), self.server.metric("bertd_board_flights_total"),
                time.monotonic())

    def watch(self, run):
        before = self.read()
        result = run()
        busy, launches, seconds = (now - then for now, then in zip(self.read(), before))
        self.busy, self.launches, self.seconds = self.busy + busy, self.launches + launches, self.seconds + seconds
        return result

    def launch_ms(self):
        """For bulk work a launch is a layer."""
        return self.busy / self.launches * 1e3 if self.launches else 0.0

    def busy_share(self):
        return self.busy / (self.seconds * self.server.metric("bertd_boards_ready"))


def measure_phases(generator, engines, level, say):
    """(meters of the engines, bertd's boards in each phase)"""
    meters = {name: Meter() for name in engines}
    boards = {phase: Boards(engines["bertd"]) for phase in PHASES}
    for turn in range(level.class_rounds):
        say(f"  classes, round {turn + 1} of {level.class_rounds}")
        for phase, groups in PHASES.items():
            for name, engine in engines.items():
                def run(engine=engine, groups=groups):
                    return load(generator, engine, level.phase, *groups, options=["--warmup", "0.5"])
                meters[name].add(phase, boards[phase].watch(run) if name == "bertd" else run())
    return meters, boards


def judge(meter, boards):
    """The row of bertd."""
    row = meter.row()
    row["interactive_busy_share"] = round(boards["idle"].busy_share(), 3)
    row["bulk_layer_ms"] = round(boards["bulk"].launch_ms(), 3)
    row["p99_limit_ms"] = round(row["idle_p99_ms"] + 2 * row["bulk_layer_ms"], 3)
    row["p99_reached"] = row["p99_ms"] <= row["p99_limit_ms"]
    row["bulk_reached"] = row["bulk_share"] >= LEAST_BULK
    return row


def measure(bertd, generator, model, fifo, level, say):
    """{"classes": row of bertd, with the FIFO "classes_onnxruntime_fifo", "latencies_ms": to plot}"""
    server = Server(bertd, model)
    engines = {"bertd": server}
    try:
        if fifo:
            engines["fifo"] = Fifo(server.words, *fifo)
        meters, boards = measure_phases(generator, engines, level, say)
        result = {"classes": judge(meters["bertd"], boards)}
    finally:
        for engine in engines.values():
            engine.stop()
    if fifo:
        result["classes_onnxruntime_fifo"] = meters["fifo"].row()
    result["latencies_ms"] = {f"{name}, {phase}": values for name, meter in meters.items()
                              for phase, values in meter.quantiles().items()}
    return result


def show(result):
    row, fifo = result["classes"], result.get("classes_onnxruntime_fifo")
    word = {True: "reached", False: "NOT REACHED"}
    text = (f"  interactive beside bulk: p50 {row['p50_ms']:.1f} ms, p99 {row['p99_ms']:.1f} ms; idle p99 "
            f"{row['idle_p99_ms']:.1f} ms + two bulk layers of {row['bulk_layer_ms']:.1f} ms = "
            f"{row['p99_limit_ms']:.1f} ms  {word[row['p99_reached']]}\n"
            f"  bulk: {row['bulk_beside']:.2f} of {row['bulk_alone']:.2f} requests/s alone: "
            f"{row['bulk_share']:.0%}  {word[row['bulk_reached']]}; the interactive client alone keeps the boards busy "
            f"{row['interactive_busy_share']:.0%} of the time, which leaves {1 - row['interactive_busy_share']:.0%}\n"
            f"  tokens a request, as counted: interactive {row['tokens_per_request']['quick']:g}, bulk "
            f"{row['tokens_per_request']['bulk']:g}")
    if fifo:
        text += (f"\n  ONNX Runtime int8 behind a FIFO: idle p99 {fifo['idle_p99_ms']:.1f} ms, beside bulk p50 "
                 f"{fifo['p50_ms']:.1f} ms, p99 {fifo['p99_ms']:.1f} ms; bulk {fifo['bulk_beside']:.2f} of "
                 f"{fifo['bulk_alone']:.2f} requests/s: {fifo['bulk_share']:.0%}")
    return text
