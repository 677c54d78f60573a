"""One peer as a process that stays alive and answers one command a line, as bench-engine_cells does for bertd.

    serve.py ENGINE THREADS JSON      with JSON the models' paths that models.py made: "ok SET", SET the newest
                                      instruction set that it finds, or "all" where nothing is hidden from it

    tune MODEL SEQS TOKENS SECONDS    try the engine's settings for this cell and keep the best: "setting NAME"
    tune-ragged MODEL LENGTH ...      the same for a ragged mix
    time MODEL SEQS TOKENS COUNT      "ms T T T ..."
    ragged MODEL COUNT LENGTH ...     the texts sorted by length, in padded batches: "ms T T T ..."
    embed MODEL ID ID ...             "values V V V ..."
"""
import sys

if {"-h", "--help"} & set(sys.argv[1:]):
    sys.exit(print(__doc__))    # before what may not be installed

import concurrent.futures
import ctypes
import gc
import json
import os
import time

import numpy as np

RAGGED_BATCHES = (8, 16, 32)


def inputs_of(rows, rng=np.random.default_rng(1)):
    """Padded ids and mask for texts of these lengths."""
    ids = np.zeros((len(rows), max(rows)), dtype=np.int64)
    mask = np.zeros_like(ids)
    for i, n in enumerate(rows):
        ids[i, :n] = rng.integers(1000, 30000, n)
        mask[i, :n] = 1
    return ids, mask


class OnnxRuntime:
    """Settings: the plain or the fused graph; one pass on all threads, or `streams`: a pass a thread, side by side."""

    def __init__(self, paths, threads, forms):
        import onnxruntime
        self.runtime, self.paths, self.threads, self.forms = onnxruntime, paths, threads, forms
        self.pool = concurrent.futures.ThreadPoolExecutor(threads)
        self.settings = [*forms, *(f"{form}, streams" for form in forms)]

    def prepare(self, setting, _shape):
        form, _, streams = setting.partition(", ")
        options = self.runtime.SessionOptions()
        options.intra_op_num_threads = 1 if streams else self.threads
        session = self.runtime.InferenceSession(self.paths[self.forms[form]], options,
                                                providers=["CPUExecutionProvider"])

        def one(pair):
            return session.run(None, {"input_ids": pair[0], "attention_mask": pair[1]})[0]
        if streams:
            return lambda pairs: list(self.pool.map(one, pairs))
        return lambda pairs: [one(pair) for pair in pairs]


class OpenVino:
    """Settings: any shape or compiled for this one, for latency; `streams`: for throughput. `precision`: of a model
    that is not int8; that of an int8 model's other layers is OpenVINO's own choice."""

    def __init__(self, paths, threads, form, precision=None):
        import openvino
        self.core, self.path, self.threads = openvino.Core(), paths[form], threads
        self.queue_class, self.precision = openvino.AsyncInferQueue, precision
        self.settings = ["any shape", "any shape, streams"]
        if form == "openvino-int8":      # with fp32 each shape would hold hundreds of megabytes again
            self.settings.append("this shape")

    def prepare(self, setting, shape):
        model = self.core.read_model(self.path)
        if setting == "this shape":
            model.reshape({port: list(shape) for port in model.inputs})
        streams = "streams" in setting
        options = {"PERFORMANCE_HINT": "THROUGHPUT" if streams else "LATENCY", "INFERENCE_NUM_THREADS": self.threads}
        if self.precision:
            options["INFERENCE_PRECISION_HINT"] = self.precision
        compiled = self.core.compile_model(model, "CPU", options | ({"NUM_STREAMS": self.threads} if streams else {}))
        if not streams:
            request = compiled.create_infer_request()
            return lambda pairs: [request.infer(list(pair), share_inputs=True)[0] for pair in pairs]
        queue = self.queue_class(compiled, self.threads)

        def run(pairs):
            results = [None] * len(pairs)

            def keep(request, index):
                results[index] = request.get_output_tensor(0).data.copy()
            queue.set_callback(keep)
            for index, pair in enumerate(pairs):
                queue.start_async(list(pair), index, share_inputs=True)
            queue.wait_all()
            return results
        return run


class Torch:
    def __init__(self, paths, threads, precision="float32"):
        import torch
        import models
        torch.set_num_threads(threads)
        self.torch = torch
        self.module = models.make_torch(paths["dir"], "sdpa").to(getattr(torch, precision))
        self.settings = ["eager"]

    def prepare(self, _setting, _shape):
        def run(pairs):
            with self.torch.inference_mode():
                return [self.module(*(self.torch.from_numpy(part) for part in pair)).float().numpy() for pair in pairs]
        return run


ENGINES = {
    "onnxruntime-int8": lambda paths, threads: OnnxRuntime(paths, threads, {"fused": "onnx-fused-int8",
                                                                            "plain": "onnx-int8"}),
    "onnxruntime-fp32": lambda paths, threads: OnnxRuntime(paths, threads, {"fused": "onnx-fused"}),
    "openvino-int8": lambda paths, threads: OpenVino(paths, threads, "openvino-int8"),
    "openvino-bf16": lambda paths, threads: OpenVino(paths, threads, "onnx-sdpa", "bf16"),
    "openvino-fp32": lambda paths, threads: OpenVino(paths, threads, "onnx-sdpa", "f32"),
    "torch-bf16": lambda paths, threads: Torch(paths, threads, "bfloat16"),
    "torch-fp32": Torch,
}


class Model:
    """One model on one engine, with the setting chosen for each cell."""

    def __init__(self, engine, threads):
        self.engine, self.threads = engine, threads
        self.ready = {}      # (setting, shape or None) -> how to run pairs
        self.chosen = {}     # (seqs, tokens) or "ragged" -> (setting, texts in a batch)

    def runner(self, setting, shape):
        key = (setting, shape if setting == "this shape" else None)
        if key not in self.ready:
            self.ready[key] = self.engine.prepare(setting, shape)
        return self.ready[key]

    def forget(self, setting, shape):
        if setting == "this shape" and self.ready.pop((setting, shape), None):
            gc.collect()
            ctypes.CDLL(None).malloc_trim(0)         # or a dozen shapes of BERT-base fill a machine

    def cell(self, setting, seqs, tokens):
        parts = min(self.threads, seqs) if "streams" in setting else 1
        pairs = [inputs_of([tokens] * (seqs // parts)) for _ in range(parts)]
        shape = (seqs, tokens)
        return lambda run=self.runner(setting, shape): run(pairs)

    def ragged(self, setting, batch, lengths):
        order = sorted(lengths, reverse=True)        # the longest first, so that streams end together
        pairs = [inputs_of(order[i:i + batch]) for i in range(0, len(order), batch)]
        return lambda run=self.runner(setting, None): run(pairs)

    def tune(self, seqs, tokens, seconds):
        best = {}
        for setting in self.engine.settings:
            if "streams" in setting and seqs < self.threads:
                continue
            work = self.cell(setting, seqs, tokens)
            work()
            times, end = [], time.perf_counter() + seconds
            while len(times) < 2 or time.perf_counter() < end and len(times) < 200:
                times.append(timed(work))
            best[setting] = float(np.median(times))
        setting = min(best, key=best.get)
        for other in best:
            if other != setting:
                self.forget(other, (seqs, tokens))
        self.chosen[seqs, tokens] = setting
        return setting

    def tune_ragged(self, lengths):
        """The best setting with batches of 16, then the best size of a batch for it, on a part of the texts."""
        some = lengths[:max(32, len(lengths) // 4)]

        def time_of(setting, batch):
            work = self.ragged(setting, batch, some)
            work()
            return timed(work)
        settings = [setting for setting in self.engine.settings if setting != "this shape"]
        setting = min(settings, key=lambda setting: time_of(setting, 16))
        batch = min(RAGGED_BATCHES, key=lambda batch: time_of(setting, batch))
        self.chosen["ragged"] = (setting, batch)
        return f"{setting}, batches of {batch}"


def timed(work):
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1e3


def answer(models, words):
    name, model, numbers = words[0], models[words[1]], words[2:]
    if name == "tune":
        return f"setting {model.tune(int(numbers[0]), int(numbers[1]), float(numbers[2]))}"
    numbers = [int(number) for number in numbers]
    if name == "tune-ragged":
        return f"setting {model.tune_ragged(numbers)}"
    if name == "embed":
        ids = np.array([numbers])
        values = model.runner(model.engine.settings[0], None)([(ids, np.ones_like(ids))])[0][0]
        return "values " + " ".join(f"{value:.8g}" for value in values)
    if name == "time":
        seqs, tokens, count = numbers
        work = model.cell(model.chosen[seqs, tokens], seqs, tokens)
    elif name == "ragged":
        count, lengths = numbers[0], numbers[1:]
        work = model.ragged(*model.chosen["ragged"], lengths)
    else:
        raise ValueError(f"not a command: {name}")
    return "ms " + " ".join(f"{timed(work):.4f}" for _ in range(count))


def newest_seen():
    """The newest instruction set that this process finds, where hide.c is loaded."""
    try:
        ask = ctypes.CDLL(None).hide_newest_seen
    except AttributeError:
        return "all"
    ask.restype = ctypes.c_char_p
    return ask().decode()


def main():
    name, threads, paths = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)                                    # what a library prints is no answer
    models = {model: Model(ENGINES[name](forms, threads), threads) for model, forms in paths.items()}
    print("ok", newest_seen(), file=answers, flush=True)
    for line in sys.stdin:
        words = line.split()
        if words == ["quit"]:
            break
        print(answer(models, words), file=answers, flush=True)


if __name__ == "__main__":
    main()
