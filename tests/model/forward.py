#!/usr/bin/env python3
"""BERT's encoder in NumPy, binary64, written from the definition of the model and nothing else: what the C server is
checked against. No int8, no code in common with it.

    forward.py make DIR --hidden 312 --heads 12 ...   a model directory with random weights
    forward.py hidden DIR --lengths 7,64 --out OUT    random ids -> OUT.ids (uint32) and OUT.f32, last_hidden_state
    forward.py golden DIR --texts FILE --out FILE     texts -> ids and embeddings (mean pooling, normalised), as JSON
    forward.py check DIR --cases FILE                 this file's tokenizer against JSON lines of {"text", "ids"}
"""
import argparse
import json
import math
import os
import struct
import sys
import unicodedata

import numpy as np

# ---------------------------------------------------------------- functions

ERF_STEP = 2.0**-10
ERF_END = 6.0  # 1 - erf(6) is 2e-17


def erf(x):
    """Cubic Hermite interpolation in a table of math.erf and its exact derivative; error below 1e-13."""
    knots = np.arange(int(ERF_END / ERF_STEP) + 2) * ERF_STEP
    values = erf.values
    if values is None:
        values = erf.values = np.array([math.erf(v) for v in knots])
    slopes = 2.0 / math.sqrt(math.pi) * np.exp(-knots * knots) * ERF_STEP
    magnitude = np.minimum(np.abs(x), ERF_END)
    index = (magnitude / ERF_STEP).astype(np.int64)
    t = magnitude / ERF_STEP - index
    left, right = values[index], values[index + 1]
    m0, m1 = slopes[index], slopes[index + 1]
    y = left + t * (m0 + t * (3 * (right - left) - 2 * m0 - m1 + t * (2 * (left - right) + m0 + m1)))
    return np.copysign(y, x)


erf.values = None


def gelu(x):
    return 0.5 * x * (1.0 + erf(x / math.sqrt(2.0)))


def gelu_new(x):
    return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))


def relu(x):
    return np.maximum(x, 0.0)


ACTIVATIONS = {"gelu": gelu, "gelu_new": gelu_new, "gelu_pytorch_tanh": gelu_new, "relu": relu}


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# ---------------------------------------------------------------- the model


def read_safetensors(path):
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] not in ("F32", "F16", "BF16"):
            continue
        raw = data[entry["data_offsets"][0] : entry["data_offsets"][1]]
        if entry["dtype"] == "BF16":
            values = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(raw, "<f4" if entry["dtype"] == "F32" else "<f2")
        tensors[name.removeprefix("bert.")] = values.reshape(entry["shape"])
    return tensors


class Bert:
    def __init__(self, directory):
        with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
            self.config = json.load(file)
        self.tensors = read_safetensors(os.path.join(directory, "model.safetensors"))

    def get(self, name):
        return self.tensors[name].astype(np.float64)

    def linear(self, name, x):
        return x @ self.get(name + ".weight").T + self.get(name + ".bias")

    def norm(self, name, x):
        mean = x.mean(axis=-1, keepdims=True)
        var = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
        scaled = (x - mean) / np.sqrt(var + self.config["layer_norm_eps"])
        return scaled * self.get(name + ".weight") + self.get(name + ".bias")

    def attention(self, name, x):
        heads = self.config["num_attention_heads"]
        width = x.shape[1] // heads

        def split(part):
            return self.linear(name + ".self." + part, x).reshape(len(x), heads, width).transpose(1, 0, 2)

        query, key, value = split("query"), split("key"), split("value")
        context = softmax(query @ key.transpose(0, 2, 1) / math.sqrt(width)) @ value
        context = context.transpose(1, 0, 2).reshape(len(x), -1)
        return self.norm(name + ".output.LayerNorm", self.linear(name + ".output.dense", context) + x)

    def hidden(self, ids):
        """last_hidden_state [len(ids)][hidden] of one sequence, token types all 0."""
        x = self.get("embeddings.word_embeddings.weight")[ids]
        x = x + self.get("embeddings.position_embeddings.weight")[: len(ids)]
        x = x + self.get("embeddings.token_type_embeddings.weight")[0]
        x = self.norm("embeddings.LayerNorm", x)
        activation = ACTIVATIONS[self.config.get("hidden_act", "gelu")]
        for layer in range(self.config["num_hidden_layers"]):
            name = f"encoder.layer.{layer}"
            x = self.attention(name + ".attention", x)
            inner = activation(self.linear(name + ".intermediate.dense", x))
            x = self.norm(name + ".output.LayerNorm", self.linear(name + ".output.dense", inner) + x)
        return x


def embed(model, ids):
    mean = model.hidden(ids).mean(axis=0)
    return mean / np.linalg.norm(mean)


# ---------------------------------------------------------------- the tokenizer


def is_punctuation(c):
    ascii_ranges = ((33, 47), (58, 64), (91, 96), (123, 126))
    return any(low <= ord(c) <= high for low, high in ascii_ranges) or unicodedata.category(c).startswith("P")


def is_ideograph(c):
    ranges = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F))
    ranges += ((0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))
    return any(low <= ord(c) <= high for low, high in ranges)


def words_of(text):
    """The uncased normaliser and pre-tokenizer, plainly: good for the texts of tests/golden."""
    spaced = []
    for c in text:
        if c in "\t\n\r" or unicodedata.category(c) == "Zs":
            spaced.append(" ")
        elif is_ideograph(c):
            spaced.append(f" {c} ")
        elif c != "\0" and c != "\ufffd" and not unicodedata.category(c).startswith("C"):
            spaced.append(c)
    folded = "".join(c for c in unicodedata.normalize("NFD", "".join(spaced)) if unicodedata.category(c) != "Mn")
    return "".join(f" {c} " if is_punctuation(c) else c for c in folded.lower()).split()


def wordpiece(word, vocab):
    pieces, start = [], 0
    while start < len(word):
        for stop in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:stop]
            if piece in vocab:
                break
        else:
            return [vocab["[UNK]"]]
        pieces.append(vocab[piece])
        start = stop
    return pieces if len(word) <= 100 else [vocab["[UNK]"]]


def read_vocab(directory):
    with open(os.path.join(directory, "vocab.txt"), encoding="utf-8", newline="\n") as file:
        return {line.rstrip("\n"): i for i, line in enumerate(file)}


def encode(text, vocab, limit=512):
    ids = [piece for word in words_of(text) for piece in wordpiece(word, vocab)]
    return [vocab["[CLS]"]] + ids[: limit - 2] + [vocab["[SEP]"]]


# ---------------------------------------------------------------- random models


def random_tensors(args, rng):
    """Variances of a trained BERT rather than of a fresh one: attention that prefers some tokens, biases that matter,
    and a few channels much larger than the rest."""
    hidden, inner = args.hidden, args.intermediate

    def normal(*shape, std):
        return rng.standard_normal(shape, np.float32) * np.float32(std)

    def linear(name, rows, columns, gain):
        yield name + ".weight", normal(rows, columns, std=gain / math.sqrt(columns))
        yield name + ".bias", normal(rows, std=0.1)

    def norm(name):
        gamma = 0.8 + normal(hidden, std=0.1)
        gamma[rng.choice(hidden, max(1, hidden // 128), replace=False)] *= 3
        yield name + ".weight", gamma
        yield name + ".bias", normal(hidden, std=0.1)

    yield "embeddings.word_embeddings.weight", normal(args.vocab, hidden, std=0.05)
    yield "embeddings.position_embeddings.weight", normal(args.positions, hidden, std=0.02)
    yield "embeddings.token_type_embeddings.weight", normal(args.types, hidden, std=0.02)
    yield from norm("embeddings.LayerNorm")
    for layer in range(args.layers):
        name = f"encoder.layer.{layer}"
        yield from linear(name + ".attention.self.query", hidden, hidden, 2.0)
        yield from linear(name + ".attention.self.key", hidden, hidden, 2.0)
        yield from linear(name + ".attention.self.value", hidden, hidden, 1.0)
        yield from linear(name + ".attention.output.dense", hidden, hidden, 1.0)
        yield from norm(name + ".attention.output.LayerNorm")
        yield from linear(name + ".intermediate.dense", inner, hidden, 1.0)
        yield from linear(name + ".output.dense", hidden, inner, 1.0)
        yield from norm(name + ".output.LayerNorm")


def to_bytes(values, dtype):
    if dtype == "F16":
        return values.astype("<f2").tobytes()
    if dtype == "BF16":
        bits = values.astype("<f4").view(np.uint32)
        return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2").tobytes()
    return values.astype("<f4").tobytes()


def write_safetensors(path, tensors, dtype):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    width = 4 if dtype == "F32" else 2
    for name, values in tensors.items():
        header[name] = {"dtype": dtype, "shape": values.shape, "data_offsets": [offset, offset + values.size * width]}
        offset += values.size * width
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for values in tensors.values():
            file.write(to_bytes(values, dtype))


def write_json(directory, name, value):
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)


def make(args):
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": args.hidden,
        "num_hidden_layers": args.layers,
        "num_attention_heads": args.heads,
        "intermediate_size": args.intermediate,
        "vocab_size": args.vocab,
        "max_position_embeddings": args.positions,
        "type_vocab_size": args.types,
        "hidden_act": args.act,
        "layer_norm_eps": args.eps,
        "position_embedding_type": "absolute",
        "pad_token_id": 0,
    }
    write_json(args.dir, "config.json", config)
    kinds = ["Transformer"] + (["Pooling"] if args.pooling else []) + (["Normalize"] if args.normalize else [])
    modules = [
        {"idx": i, "name": str(i), "path": f"{i}_{kind}" if i else "", "type": "sentence_transformers.models." + kind}
        for i, kind in enumerate(kinds)
    ]
    write_json(args.dir, "modules.json", modules)
    if args.pooling:
        fields = {"cls": "cls_token", "mean": "mean_tokens", "max": "max_tokens"}
        pooling = {"pooling_mode_" + field: mode == args.pooling for mode, field in fields.items()}
        write_json(args.dir, "1_Pooling/config.json", {"word_embedding_dimension": args.hidden} | pooling)
    write_json(args.dir, "sentence_bert_config.json", {"max_seq_length": args.positions, "do_lower_case": False})
    write_json(args.dir, "tokenizer_config.json", {"do_lower_case": True, "model_max_length": args.positions})
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + letters + ["##" + c for c in letters]
    vocab += [f"word{i}" for i in range(len(vocab), args.vocab)]
    with open(os.path.join(args.dir, "vocab.txt"), "w", encoding="utf-8") as file:
        file.write("".join(word + "\n" for word in vocab[: args.vocab]))
    tensors = dict(random_tensors(args, np.random.default_rng(args.seed)))
    write_safetensors(os.path.join(args.dir, "model.safetensors"), tensors, args.dtype)


# ---------------------------------------------------------------- commands


def hidden(args):
    model = Bert(args.dir)
    rng = np.random.default_rng(args.seed)
    ids = [rng.integers(0, model.config["vocab_size"], n) for n in map(int, args.lengths.split(","))]
    np.concatenate(ids).astype("<u4").tofile(args.out + ".ids")
    np.concatenate([model.hidden(sequence) for sequence in ids]).astype("<f4").tofile(args.out + ".f32")


def golden(args):
    model, vocab = Bert(args.dir), read_vocab(args.dir)
    with open(args.texts, encoding="utf-8") as file:
        texts = file.read().splitlines()
    entries = []
    for text in texts:
        ids = encode(text, vocab)
        values = ",".join(f"{v:.7g}" for v in embed(model, ids))
        entries.append(f'{{"text":{json.dumps(text)},"ids":{json.dumps(ids)},\n"embedding":[{values}]}}')
    with open(args.out, "w", encoding="ascii") as file:
        file.write("[\n" + ",\n".join(entries) + "\n]\n")


def check(args):
    vocab, different, total = read_vocab(args.dir), 0, 0
    with open(args.cases, encoding="utf-8") as file:
        for line in file:
            case = json.loads(line)
            total += 1
            different += encode(case["text"], vocab, limit=10**9) != case["ids"]
    print(f"{different} of {total} texts differ")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, run in (("make", make), ("hidden", hidden), ("golden", golden), ("check", check)):
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        command.add_argument("dir")
        command.add_argument("--seed", type=int, default=1)
        if name == "make":
            for field, default in (("hidden", 128), ("layers", 2), ("heads", 2), ("intermediate", 512), ("types", 2)):
                command.add_argument("--" + field, type=int, default=default)
            command.add_argument("--vocab", type=int, default=1000)
            command.add_argument("--positions", type=int, default=512)
            command.add_argument("--act", choices=ACTIVATIONS, default="gelu")
            command.add_argument("--eps", type=float, default=1e-12)
            command.add_argument("--pooling", choices=("cls", "mean", "max"))
            command.add_argument("--normalize", action="store_true")
            command.add_argument("--dtype", choices=("F32", "F16", "BF16"), default="F32")
        if name == "hidden":
            command.add_argument("--lengths", required=True)
        if name == "golden":
            command.add_argument("--texts", required=True)
        if name == "check":
            command.add_argument("--cases", required=True)
        if name in ("hidden", "golden"):
            command.add_argument("--out", required=True)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    sys.exit(main())
