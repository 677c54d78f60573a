"""The result of a run as JSON, as a table and as a plot."""
import datetime
import importlib.metadata
import json
import math
import os
import statistics

LAYERS = {"minilm": (6, 384, 1536), "bert-base": (12, 768, 3072), "bert-large": (24, 1024, 4096)}
TITLES = {"minilm": "MiniLM-L6", "bert-base": "BERT-base shape (random weights)",
          "bert-large": "BERT-large shape (random weights)"}
GENERATIONS = {("AuthenticAMD", 25, range(0x00, 0x10)): "zen3", ("AuthenticAMD", 25, range(0x10, 0x20)): "zen4",
               ("AuthenticAMD", 25, range(0x20, 0x60)): "zen3", ("AuthenticAMD", 25, range(0x60, 0xb0)): "zen4",
               ("AuthenticAMD", 26, range(0x100)): "zen5", ("GenuineIntel", 6, range(106, 109)): "icelake",
               ("GenuineIntel", 6, range(143, 144)): "sapphirerapids",
               ("GenuineIntel", 6, range(207, 208)): "emeraldrapids",
               ("GenuineIntel", 6, range(173, 175)): "graniterapids"}
PACKAGES = ("onnxruntime", "openvino", "nncf", "torch", "transformers")
INTERESTING_FLAGS = ("avx2", "fma", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "amx_int8")


def cell_name(cell):
    return f"{cell[0]}x{cell[1]}"


def multiplications(model, seqs, tokens):
    """Of one pass: linear layers, scores and context once each."""
    layers, hidden, inner = LAYERS[model]
    rows = seqs * tokens
    return layers * (rows * hidden * (4 * hidden + 2 * inner) + 2 * rows * tokens * hidden)


def weight_bytes(model):
    """int8 weights of the linear layers: each is read once a pass where it does not stay in a cache."""
    layers, hidden, inner = LAYERS[model]
    return layers * hidden * (4 * hidden + 2 * inner)


def limit_of(model, cell, machine):
    """(ms, what it is bound by): no pass takes less on this machine, unless its weights stay in a cache."""
    products = multiplications(model, *cell) / machine["int8_peak_gmacs"] / 1e6
    reading = weight_bytes(model) / machine["read_gb_s"] / 1e6
    return (products, "products") if products >= reading else (reading, "weights")


def read_processor():
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
        info = dict(line.split(":", 1) for line in f.read().split("\n\n")[0].split("\n") if ":" in line)
    return {key.strip(): value.strip() for key, value in info.items()}


def name_machine(isa, held_to=None):
    """The folder of docs/bench for machines of this kind, or for one that was held to an older instruction set."""
    isa = f"as-{held_to}" if held_to else isa
    info = read_processor()
    vendor, family, model = info.get("vendor_id", "unknown"), int(info.get("cpu family", 0)), int(info.get("model", 0))
    for (its_vendor, its_family, models), generation in GENERATIONS.items():
        if (vendor, family) == (its_vendor, its_family) and model in models:
            return f"{generation}-{isa}"
    return f"{vendor.lower()}-{family}-{model}-{isa}"


def describe_machine(limits, other_load, held_to=None, left_out=None):
    info = read_processor()
    flags = info.get("flags", "").split()
    return {"cpu": info.get("model name", "unknown"), "family": info.get("cpu family"), "model": info.get("model"),
            "flags": " ".join(flag for flag in INTERESTING_FLAGS if flag in flags), "cores": limits.threads,
            "bertd_kernels": limits.isa, **({"held_to": held_to, "left_out": left_out} if held_to else {}),
            "int8_peak_gmacs": round(limits.gmacs, 1), "read_gb_s": round(limits.read_gb_s, 1),
            "other_load": round(other_load, 3), "measured": datetime.date.today().isoformat()}


def describe_set(machine):
    """bertd's kernels, and whether that is all that engines were allowed."""
    return machine["bertd_kernels"] + (", to which all are held" if machine.get("held_to") else "")


def make_rows(times, settings, fidelity):
    rows = []
    for (engine, model, cell), ms in times.items():
        mean, least = fidelity.get(engine, (None, None)) if model == "minilm" else (None, None)
        rows.append({"model": model, "batch": cell[0], "tokens": cell[1], "engine": engine, "ms": round(ms, 3),
                     "cosine_mean": mean and round(mean, 6), "cosine_min": least and round(least, 6),
                     "setting": settings.get((engine, model, cell))})
    return rows


def ratios_of(times):
    """{(model, cell): (ours / best peer, its name)}"""
    ratios = {}
    for (engine, model, cell), ms in times.items():
        if engine != "bertd":
            continue
        peers = {name: other for (name, m, c), other in times.items() if (m, c) == (model, cell) and name != "bertd"}
        if peers:
            best = min(peers, key=peers.get)
            ratios[model, cell] = (ms / peers[best], best)
    return ratios


def summarize_ragged(settings, ragged, uniform, lengths):
    summary = {}
    for model, texts in lengths.items():
        rates = {engine: round(rate, 1) for (engine, m), rate in ragged.items() if m == model}
        peers = {engine: rate for engine, rate in rates.items() if engine != "bertd"}
        best = max(peers, key=peers.get)
        summary[model] = {
            "texts": len(texts), "tokens": sum(texts), "tokens_per_s": rates, "best_peer": best,
            "settings": {engine: settings.get((engine, model, "ragged")) for engine in peers},
            "ratio": round(rates["bertd"] / peers[best], 3),
            "uniform_8x128_tokens_per_s": round(statistics.median(equal for equal, _ in uniform[model]), 1),
            "of_uniform_8x128": round(statistics.median(mix / equal for equal, mix in uniform[model]), 3)}
    return summary


def of_model(ratios, model):
    return [ratio for (its_model, _), (ratio, _) in ratios.items() if its_model == model]


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def assemble(times, settings, fidelity, fidelity_on, ragged, uniform, split, lengths, machine):
    ratios = ratios_of(times)
    summary = {"note": "ms is the fastest turn of each engine; ratios are bertd's time by that of the best peer of the "
                       "cell; BERT-base and BERT-large have random weights, so fidelity is MiniLM's alone; "
                       "a limit is the time of all products at the int8 peak, or of reading all weights; "
                       "share is the limit by bertd's time; of_uniform_8x128 is the median of turns of both, one right "
                       "after the other and as long", "fidelity_on": fidelity_on}
    if ratios:
        worst = max(ratios, key=lambda key: ratios[key][0])
        values = [ratio for ratio, _ in ratios.values()]
        summary |= {
            "geomean_ratio": round(geometric_mean(values), 3),
            "worst_ratio": round(ratios[worst][0], 3), "worst_cell": f"{worst[0]} {cell_name(worst[1])}",
            "cells_not_slower": f"{sum(value <= 1 for value in values)} of {len(values)}",
            "geomean_of_models": {model: round(geometric_mean(of_model(ratios, model)), 3)
                                  for model in dict.fromkeys(model for model, _ in ratios)},
            "ratios": {f"{model} {cell_name(cell)}": {"ratio": round(ratio, 3), "best_peer": best}
                       for (model, cell), (ratio, best) in ratios.items()}}
    summary["limits"] = {}
    for (engine, model, cell), ms in times.items():
        limit, bound_by = limit_of(model, cell, machine)
        if engine == "bertd":
            summary["limits"][f"{model} {cell_name(cell)}"] = {"ms": round(limit, 3), "bound_by": bound_by,
                                                               "share": round(limit / ms, 3)}
    summary["ragged"] = summarize_ragged(settings, ragged, uniform, lengths)
    summary["split"] = {f"{model} {seqs}x{tokens}": {"ms_one_board": round(one, 3), "ms_all_boards": round(all_, 3),
                                                     "speedup": round(one / all_, 3)}
                        for (model, seqs, tokens), (one, all_) in split.items()}
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"machine": machine, "versions": versions, "summary": summary, "rows": make_rows(times, settings, fidelity)}


def cells_of(result, model):
    """(engines, cells, {(engine, cell): ms}) in the order of the run."""
    rows = [row for row in result["rows"] if row["model"] == model]
    ms = {(row["engine"], (row["batch"], row["tokens"])): row["ms"] for row in rows}
    return list(dict.fromkeys(row["engine"] for row in rows)), list(dict.fromkeys(cell for _, cell in ms)), ms


def print_table(result):
    machine, summary = result["machine"], result["summary"]
    print("\n{cpu} (family {family}, model {model}; {flags}), {cores} cores; int8 peak {int8_peak_gmacs} GMAC/s, "
          "reads {read_gb_s} GB/s; bertd's kernels: {kernels}".format(**machine, kernels=describe_set(machine)))
    for name, why in machine.get("left_out", {}).items():
        print(f"{name} is left out: {why}")
    if machine["other_load"] > 0.05:
        print(f"WARNING: other programs kept {machine['other_load']:.0%} of the machine busy: "
              "these times are no measure of anything")
    for model in dict.fromkeys(row["model"] for row in result["rows"]):
        engines, cells, ms = cells_of(result, model)
        print(f"\n{TITLES[model]}: milliseconds\n" + "batch x tokens".ljust(16) +
              "".join(engine.rjust(18) for engine in engines) + "ours / best peer".rjust(18) + "limit, its share".rjust(24))
        for cell in cells:
            ratio = summary.get("ratios", {}).get(f"{model} {cell_name(cell)}", {}).get("ratio")
            limit = summary["limits"][f"{model} {cell_name(cell)}"]
            print(cell_name(cell).ljust(16) + "".join(f"{ms[engine, cell]:18.2f}" for engine in engines) +
                  (f"{ratio:18.2f}" if ratio else " " * 18) +
                  "{ms:10.2f} {bound_by:>8} {share:4.0%}".format(**limit))
    print("\nMiniLM's cosine to fp32, mean / least, on", summary["fidelity_on"])
    for row in {row["engine"]: row for row in result["rows"] if row["cosine_mean"]}.values():
        print(f"  {row['engine']:18} {row['cosine_mean']:.5f} / {row['cosine_min']:.5f}")
    if "geomean_ratio" in summary:
        print("\nRatios: geometric mean {geomean_ratio}, worst {worst_ratio} ({worst_cell}); not slower in "
              "{cells_not_slower} cells;".format(**summary),
              ", ".join(f"{model} {mean}" for model, mean in summary["geomean_of_models"].items()))
    for model, mix in summary["ragged"].items():
        print(f"Ragged mix, {model}, tokens/s: " +
              ", ".join(f"{engine} {rate:.0f}" for engine, rate in mix["tokens_per_s"].items()) +
              f"; ours / best peer {mix['ratio']}, of our uniform 8x128 {mix['of_uniform_8x128']}")
    for cell, split in summary["split"].items():
        print("Boards, {cell}: {ms_one_board} ms on one, {ms_all_boards} on all: {speedup}x".format(cell=cell, **split))


# The plot ----------------------------------------------------------------------------------------------------------

COLOURS = {"bertd": "#c0392b", "openvino-int8": "#1f618d", "onnxruntime-int8": "#1e8449", "openvino-bf16": "#5b2c6f",
           "torch-bf16": "#7b7d7d", "openvino-fp32": "#85c1e9",
           "onnxruntime-fp32": "#82e0aa", "torch-fp32": "#b2babb"}
WIDTH, PANEL, LEFT, RIGHT, TOP, GAP = 960, 300, 70, 20, 90, 70


def svg_text(x, y, text, anchor="middle", size=13, colour="#222"):
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">{text}</text>'


def svg_panel(result, model, top):
    engines, cells, ms = cells_of(result, model)
    low = math.floor(math.log10(min(ms.values())))
    high = math.ceil(math.log10(max(ms.values())))

    def place(value):
        return top + PANEL * (high - math.log10(value)) / (high - low)
    parts = [svg_text(LEFT, top - 12, f"{TITLES[model]}: milliseconds a pass, less is better", "start", 15)]
    for power in range(low, high + 1):
        for step in range(1, 10):
            value = step * 10 ** power
            if value > 10 ** high:
                break
            parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{place(value):.1f}" y2="{place(value):.1f}" '
                         f'stroke="{"#bbb" if step == 1 else "#eee"}"/>')
            if step in (1, 3):
                parts.append(svg_text(LEFT - 8, place(value) + 4, f"{value:g}", "end", 12, "#555"))
    slot = (WIDTH - LEFT - RIGHT) / len(cells)
    for number, cell in enumerate(cells):
        middle = LEFT + slot * (number + 0.5)
        ratio = result["summary"].get("ratios", {}).get(f"{model} {cell_name(cell)}", {}).get("ratio")
        parts.append(svg_text(middle, top + PANEL + 18, cell_name(cell)))
        if ratio:
            parts.append(svg_text(middle, top + PANEL + 34, f"{ratio:.2f}", size=12, colour=COLOURS["bertd"]))
        for index, engine in enumerate(sorted(engines, key=list(COLOURS).index)):
            width = slot * 0.8 / len(engines)
            x, y = middle - slot * 0.4 + width * index, place(ms[engine, cell])
            parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width - 1:.1f}" height="{top + PANEL - y:.1f}" '
                         f'fill="{COLOURS[engine]}"><title>{engine} {cell_name(cell)}: {ms[engine, cell]} ms'
                         '</title></rect>')
    parts.append(svg_text(LEFT - 8, top + PANEL + 34, "ratio", "end", 12, COLOURS["bertd"]))
    return parts


def draw(result):
    shown = list(dict.fromkeys(row["model"] for row in result["rows"]))
    height = TOP + len(shown) * (PANEL + GAP)
    machine = result["machine"]
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
             f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
             svg_text(LEFT, 24, "bertd's emulated boards and its peers on {cores} cores: {cpu} (family {family}, "
                      "model {model}), {kernels}".format(**machine, kernels=describe_set(machine)), "start", 15)]
    used = [engine for engine in COLOURS if any(row["engine"] == engine for row in result["rows"])]
    for index, engine in enumerate(used):
        x = LEFT + index * 110
        parts += [f'<rect x="{x}" y="38" width="12" height="12" fill="{COLOURS[engine]}"/>',
                  svg_text(x + 17, 49, engine, "start")]
    for number, model in enumerate(shown):
        parts += svg_panel(result, model, TOP + number * (PANEL + GAP))
    return "\n".join([*parts, "</svg>", ""])


def write(result, folder):
    os.makedirs(folder, exist_ok=True)
    rows = ",\n    ".join(json.dumps(row) for row in result["rows"])
    head = json.dumps({key: value for key, value in result.items() if key != "rows"}, indent=2)
    with open(os.path.join(folder, "peers.json"), "w", encoding="utf-8") as f:
        f.write(head.removesuffix("\n}") + f',\n  "rows": [\n    {rows}\n  ]\n}}\n')
    with open(os.path.join(folder, "peers.svg"), "w", encoding="utf-8") as f:
        f.write(draw(result))
