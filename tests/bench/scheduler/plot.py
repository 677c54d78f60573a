"""The figure: auto over the best forced placement, and how long interactive requests take."""
import math

from classes import CURVE

WIDTH, PANEL, LEFT, TOP = 900, 240, 60, 40
COLOURS = {"bertd, idle": "#7fb3d5", "bertd, both": "#1f618d", "fifo, idle": "#f0b27a", "fifo, both": "#ba4a00"}
LABELS = {"bertd, idle": "bertd, idle", "bertd, both": "bertd, beside bulk", "fifo, idle": "ONNX Runtime FIFO, idle",
          "fifo, both": "ONNX Runtime FIFO, beside bulk"}


def text(x, y, words, anchor="middle", size=11):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{words}</text>'


def line(x1, y1, x2, y2, colour="#999", dash=""):
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{dashes}/>'


def bars(rows, top, title):
    height, least = PANEL - 90, 0.0
    out = [text(LEFT, top, title, "start", 13)]

    def y_of(ratio):
        return top + 20 + height * (1 - min(1.4, max(least, ratio)) / 1.4)
    for ratio in (0, 0.5, 1):
        out += [line(LEFT, y_of(ratio), WIDTH - 20, y_of(ratio), "#ddd"),
                text(LEFT - 6, y_of(ratio) + 4, f"{ratio:g}", "end")]
    step = (WIDTH - 20 - LEFT) / len(rows)
    for i, row in enumerate(rows):
        x, ratio = LEFT + step * i + step * 0.25, row["auto_over_best"]
        colour = "#1f618d" if row["reached"] else "#ba4a00"
        out += [f'<rect x="{x:.1f}" y="{y_of(ratio):.1f}" width="{step / 2:.1f}" '
                f'height="{y_of(0) - y_of(ratio):.1f}" fill="{colour}"/>',
                text(x + step / 4, y_of(ratio) - 4, f"{ratio:.2f}"),
                text(x + step / 4, y_of(0) + 14, row["cell"]), text(x + step / 4, y_of(0) + 27, row["best"], size=9)]
    out.append(line(LEFT, y_of(0.9), WIDTH - 20, y_of(0.9), "#ba4a00", "4 3"))
    return out


def curves_of(curves, top, title):
    height, right = PANEL - 90, WIDTH - 240
    values = [value for curve in curves.values() for value in curve if value > 0]
    low, high = math.log10(min(values)), math.log10(max(values))
    span = (high - low) or 1.0
    out = [text(LEFT, top, title, "start", 13)]

    def x_of(value):
        return LEFT + (right - LEFT) * (math.log10(value) - low) / span
    for power in range(math.ceil(low), math.floor(high) + 1):
        out += [line(x_of(10.0 ** power), top + 20, x_of(10.0 ** power), top + 20 + height, "#ddd"),
                text(x_of(10.0 ** power), top + 34 + height, f"{10.0 ** power:g} ms")]
    for share in (0, 0.5, 0.99):
        y = top + 20 + height * (1 - share)
        out += [line(LEFT, y, right, y, "#ddd"), text(LEFT - 6, y + 4, f"{share:.0%}", "end")]
    for i, (name, curve) in enumerate(curves.items()):
        if not curve:
            continue
        points = " ".join(f"{x_of(value):.1f},{top + 20 + height * (1 - share):.1f}"
                          for share, value in zip(CURVE, curve))
        out += [f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>',
                line(right + 15, top + 30 + 20 * i, right + 35, top + 30 + 20 * i, COLOURS[name]),
                text(right + 40, top + 34 + 20 * i, LABELS[name], "start")]
    return out


def write(path, results):
    out, top = [], TOP
    for model, result in results.items():
        if "placements" in result:
            out += bars(result["placements"], top,
                        f"{model}: auto over the best forced placement (goal: 0.9; below each cell the best one)")
            top += PANEL
        if "latencies_ms" in result:
            out += curves_of(result["latencies_ms"], top, f"{model}: share of interactive requests answered within")
            top += PANEL
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" font-family="sans-serif">\n'
                   f'<rect width="{WIDTH}" height="{top}" fill="white"/>\n' + "\n".join(out) + "\n</svg>\n")
