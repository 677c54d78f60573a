#!/usr/bin/env python3
"""The tables of accel/rtl/README.md and accel/rtl/syn/README.md say what they were made of. Usage: pages.py

Cycles, milliseconds and shares of docs/bench/rtl.json and rtl-half.json; the synthesis' line of the whole engine and the
shares of cards that follow from it.
"""
import importlib.machinery
import importlib.util
import json
import os
import sys

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
MODELS = {"MiniLM": "all-MiniLM-L6-v2", "BERT-base": "BERT-base"}
STALLS = ("cycles", "array_steps", "wait_rows", "wait_drain", "wait_weights", "no_job")
failures = []


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def cells(line):
    return [cell.strip(" *") for cell in line.strip("|").split("|")]


def need(line, said, counted):
    if said != counted:
        failures.append(f"{line}: {said}, but by the results {counted}")


def results(name):
    """(model, batch, stalled) -> its row, of whole models."""
    rows = json.loads(read(f"docs/bench/{name}"))["rows"]
    return {(row["model"], row["batch"], row["stalled_per_mille"]): row for row in rows if "cycles" in row}


def rate(row, engines):
    return f"{engines * row['sequences'] / row['cycles'] * 300e6:,.0f}"


def check_counts():
    full, half = results("rtl.json"), results("rtl-half.json")
    tables = set()
    for line in read("accel/rtl/README.md").splitlines():
        cell = cells(line)
        if cell[0] not in MODELS or len(cell) not in (6, 8, 10):
            continue
        key = MODELS[cell[0]], {"long-tailed": "tail"}.get(cell[1], cell[1].replace(" ", ""))
        row, name = full[(*key, 0)], f"{cell[0]} {cell[1]}"
        tables.add(len(cell))
        if len(cell) == 10:
            need(name, cell[4:8] + cell[9:],
                 [f"{row['cycles']:,}", f"{row['roofline_cycles']:,}", f"{100 * row['utilisation']:.0f}%",
                  f"{row['ms'] + row['transfer_ms']:.2f}", f"{full[(*key, 250)]['cycles']:,}"])
        elif len(cell) == 8:
            need(name, cell[2:], [f"{row['stalls'][what]:,}" for what in STALLS])
        else:
            of_half = half[(*key, 0)]
            need(name, cell[2:], [f"{row['ms']:.2f}", rate(row, 1), f"{of_half['ms']:.2f}", rate(of_half, 2)])
    need("tables of counts", tables, {6, 8, 10})


def check_synthesis():
    loader = importlib.machinery.SourceFileLoader("run", os.path.join(ROOT, "accel/rtl/syn/run"))
    run = importlib.util.module_from_spec(importlib.util.spec_from_loader("run", loader))
    loader.exec_module(run)
    lines = [cells(line) for line in read("accel/rtl/syn/README.md").splitlines()]
    _, _, lut, memory, ff, _, dsp, bram, uram, _ = next(cell for cell in lines if cell[0] == "bertd_engine")
    numbers = [int(number.replace(",", "")) for number in (lut, memory, ff, dsp, bram, uram)]
    have = [numbers[0] + numbers[1], *numbers[2:]]
    card = next(cell for cell in lines if cell[0] == f"{run.FULL} of a card")
    need(card[0], card[1:6], [f"{n:,}" for n in have])
    for said, (luts, *others, _) in zip(card[6:], run.CARDS.values()):
        need(card[0], said, ", ".join(f"{100 * n / of:.0f}" for n, of in zip(have, (luts, 2 * luts, *others))))


def main():
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        return 0
    sys.dont_write_bytecode = True
    check_counts()
    check_synthesis()
    print("\n".join(failures) or "the pages say what was counted")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
