"""Milliseconds of one text by its length, on each kind of board, from what docs/bench has of them."""
import json
import os

BENCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "docs", "bench")
KERNELS = "zen4-avx512vnni"
MODELS = {"minilm": {"words": "MiniLM", "counted": "all-MiniLM-L6-v2", "layers": 6, "width": 384},
          "base": {"words": "BERT-base", "counted": "BERT-base", "layers": 12, "width": 768}}
CORES = {"avx512vnni": ("AVX-512 VNNI", "zen4-avx512vnni"), "avx2": ("AVX2", "zen3-avx2")}    # and whose peers.json


def read(name):
    with open(os.path.join(BENCH, name), encoding="utf-8") as file:
        return json.load(file)


def only(rows, **wanted):
    """The row that has these values."""
    found = [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]
    if len(found) != 1:
        raise SystemExit(f"error: docs/bench has {len(found)} rows with {wanted}, where one is wanted")
    return found[0]


def of_core(model, instruction_set):
    """A core that is an emulated board. 512 tokens follow from 128 by the ratio that the comparison with peers has."""
    words, peers = CORES[instruction_set]
    name = "minilm" if model == "minilm" else "bert-base"
    measured, compared = read(f"{KERNELS}/kernels.json")["boards"], read(f"{peers}/peers.json")["rows"]
    ms = {str(n): only(measured, model=name, shape=f"1x{n}", instruction_set=instruction_set, threads=1)["best_ms"]
          for n in (8, 16, 128)}
    long, short = (only(compared, model=name, engine="bertd", batch=1, tokens=n)["ms"] for n in (512, 128))
    ms["512"] = round(ms["128"] * long / short, 3)
    return {"words": f"{MODELS[model]['words']}, a core with {words}", "core": True, "ms": ms,
            "source": f"measured: docs/bench/{KERNELS}/kernels.json, one thread with {words}; "
                      f"512 tokens by the ratio to 128 of docs/bench/{peers}/peers.json"}


def of_card(model):
    """The whole engine, with a memory that never stalls: cycles, and the rows in and out."""
    counted = read("rtl.json")
    rows = [row for row in counted["rows"] if row["stalled_per_mille"] == 0 and "boards" not in row]
    rows = [row for row in rows if row["macs_per_cycle"] == max(row["macs_per_cycle"] for row in rows)]
    ms = {}
    for n in (16, 128, 512):
        row = only(rows, model=MODELS[model]["counted"], batch=str(n))
        ms[str(n)] = round(row["ms"] + row["transfer_ms"], 3)
    return {"words": f"{MODELS[model]['words']}, a card", "ms": ms,
            "source": f"counted: docs/bench/rtl.json, at {counted['clock_mhz']} MHz, with transfers; "
                      "no card has run this"}


def kinds():
    """{name: {words, layers, width, source, ms: {tokens: milliseconds}}}; `core` where the board is a core."""
    found = {f"{model}-{name}": of_core(model, name) for name in CORES for model in MODELS}
    found |= {f"{model}-card": of_card(model) for model in ("base", "minilm")}
    for name, kind in found.items():
        model = MODELS[name.split("-")[0]]
        kind |= {"layers": model["layers"], "width": model["width"]}
    return found


def ms_of(kind, tokens):
    """As board_time.c has it."""
    table = sorted((int(length), ms) for length, ms in kind["ms"].items())
    if tokens <= table[0][0]:
        return table[0][1]
    for (low, low_ms), (high, high_ms) in zip(table, table[1:]):
        if tokens <= high or high == table[-1][0]:
            return low_ms + (high_ms - low_ms) * (tokens - low) / (high - low)
    return None
