#!/usr/bin/env python3
"""Fit the element functions' coefficients and print schemas/accel.json with them in its "functions".

    python3 tests/accel/fit_functions.py > schemas/accel.json        (needs numpy)

Every polynomial is a discrete minimax fit in binary64 (Lawson's weights on least squares), rounded to binary32 once.
What the rounded polynomials achieve is measured by tests/accel/test_functions.c, not here.
"""
import sys

if {"-h", "--help"} & set(sys.argv[1:]):
    sys.exit(print(__doc__))    # before what may not be installed

import json
import math
import os
import re

import numpy as np

POINTS = 2001
ROUNDS = 600


def minimax(basis, target, weight):
    """Coefficients c that nearly minimise max |(basis c - target) * weight|."""
    a, b = basis * weight[:, None], target * weight
    share = np.full(len(b), 1 / len(b))
    best = (math.inf, None)
    for _ in range(ROUNDS):
        root = np.sqrt(share)
        c = np.linalg.lstsq(a * root[:, None], b * root, rcond=None)[0]
        error = np.abs(a @ c - b)
        best = min(best, (error.max(), tuple(c)))
        share = share * error
        share /= share.sum()
    return np.array(best[1])


def hex32(value):
    """The nearest binary32 as C and JSON readers take it."""
    text = float(np.float32(value)).hex()
    mantissa, exponent = text.split("p")
    return (mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa) + "p" + exponent


def fit_exp():
    """exp(r) = 1 + r c1 + r^2 c2 + ..., relative error, |r| <= ln(2)/2 with room for a rounded n."""
    half = math.log(2) / 2 * 1.0001
    r = np.linspace(-half, half, POINTS)
    basis = np.stack([r**j for j in range(1, 6)], 1)
    c = minimax(basis, np.expm1(r), np.exp(-r))
    high = float.fromhex("0x1.62e4p-1")  # 15 bits: n * high is exact for |n| < 512
    return {
        "lowest": hex32(-87.0),
        "log2e": hex32(1 / math.log(2)),
        "ln2_high": hex32(high),
        "ln2_low": hex32(math.log(2) - high),
        "polynomial": [hex32(1)] + [hex32(v) for v in c],
    }


WIDTH, SEGMENTS, DEGREE = 0.78125, 8, 5


def fit_tail(tail):
    """q(u) with activation(x) = max(x, 0) - |x| q(|x|): polynomials in u, error weighted with u (so: absolute).

    Segment k is the u whose u / WIDTH rounds to k. The last segment is 0: beyond it the function is exactly 0 or x.
    """
    rows = []
    for k in range(SEGMENTS - 1):
        u = np.linspace(max(0.0, (k - 0.5) * WIDTH), (k + 0.5) * WIDTH, POINTS)
        target = np.array([tail(v) for v in u])
        row = [0.0] * (DEGREE + 1)
        for j in range(DEGREE, -1, -1):  # round the highest, fit the rest again around it
            scaled = u / u[-1]
            c = minimax(np.stack([scaled**i for i in range(j + 1)], 1), target, u)
            row[j] = float(np.float32(c[j] / u[-1] ** j))
            target = target - row[j] * u**j
        rows.append(row)
    rows.append([0.0] * (DEGREE + 1))
    return [[hex32(row[j]) for row in rows] for j in range(DEGREE + 1)]


def tail_erf(u):
    return 0.5 * math.erfc(u / math.sqrt(2))


def tail_tanh(u):
    return 1 / (1 + math.exp(2 * math.sqrt(2 / math.pi) * (u + 0.044715 * u**3)))


def main():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../schemas/accel.json")
    with open(path, encoding="utf-8") as f:
        schema = json.load(f)
    tail = {"limit": hex32((SEGMENTS - 1) * WIDTH), "per_width": hex32(1 / WIDTH)}
    tail["gelu"] = fit_tail(tail_erf)
    tail["gelu_new"] = fit_tail(tail_tanh)
    schema["functions"] = {"rounder": hex32(1.5 * 2**23), "exp": fit_exp(), "tail": tail}
    text = json.dumps(schema, indent=2)
    print(re.sub(r"\[[^\[\]]*\]", lambda row: "[" + ", ".join(row[0][1:-1].replace(",", " ").split()) + "]", text))


main()
