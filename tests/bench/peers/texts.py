"""The texts that fidelity is measured on and OpenVINO is calibrated with, and the lengths of the ragged mix."""
import glob
import json
import math
import os
import random
import statistics

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
MAX_TOKENS = 512


def golden_path():
    return os.path.join(os.environ.get("BERTD_GOLDEN_DIR", os.path.join(ROOT, "..", "shared", "golden")), "embed.jsonl")


def load(model_dir):
    """(ids of each text, reference embeddings or None, a word on where they come from)."""
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(os.path.join(model_dir, "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    if os.path.exists(golden_path()):
        with open(golden_path(), encoding="utf-8") as f:
            lines = [json.loads(line) for line in f]
        return ([tokenizer.encode(line["text"]).ids for line in lines], [line["embedding"] for line in lines],
                f"{len(lines)} golden texts")
    texts = []
    for path in [os.path.join(ROOT, "README.md"), *sorted(glob.glob(os.path.join(ROOT, "docs", "*.md")))]:
        with open(path, encoding="utf-8") as f:
            texts += [part.strip() for part in f.read().split("\n\n") if part.strip()]
    return ([tokenizer.encode(text).ids for text in texts[:128]], None,
            f"{min(len(texts), 128)} paragraphs of the repository's documents against torch fp32, "
            f"as there is no golden data at {golden_path()}")


def ragged_lengths(count):
    """Token counts of a long-tailed mix: log-normal, median 25, p90 120, at most 512; even quantiles, shuffled."""
    normal = statistics.NormalDist()
    sigma = math.log(120 / 25) / normal.inv_cdf(0.9)
    quantiles = [normal.inv_cdf((i + 0.5) / count) for i in range(count)]
    lengths = [min(MAX_TOKENS, max(3, round(25 * math.exp(sigma * q)))) for q in quantiles]
    random.Random(1).shuffle(lengths)
    return lengths
