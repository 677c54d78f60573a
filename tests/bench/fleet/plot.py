"""The figure: one server by its boards, a fleet by its servers, a pool cut into servers."""
import math

WIDTH, PANEL, LEFT, RIGHT, TOP = 900, 250, 70, 250, 40
COLOURS = ("#1f618d", "#ba4a00", "#1e8449", "#7d3c98", "#7fb3d5", "#f0b27a")


def text(x, y, words, anchor="middle", size=11):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{words}</text>'


def line(x1, y1, x2, y2, colour="#ddd"):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def short(value):
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def powers(low, high):
    return [10.0 ** power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def panel(top, title, across, curves):
    """Curves {name: [(x, y)]} with both axes by powers of ten; `across` names the one below."""
    points = [point for curve in curves.values() for point in curve]
    height, right = PANEL - 90, WIDTH - RIGHT
    xs, ys = [x for x, _ in points], powers(min(y for _, y in points), max(y for _, y in points))
    low_x, high_x = math.log10(min(xs)), math.log10(max(xs))
    low_y, high_y = math.log10(ys[0]), math.log10(ys[-1])

    def at(x, y):
        return (LEFT + (right - LEFT) * (math.log10(x) - low_x) / ((high_x - low_x) or 1),
                top + 20 + height * (1 - (math.log10(y) - low_y) / ((high_y - low_y) or 1)))
    out = [text(LEFT, top, title, "start", 13), text((LEFT + right) / 2, top + 52 + height, across)]
    for y in ys:
        out += [line(LEFT, at(xs[0], y)[1], right, at(xs[0], y)[1]),
                text(LEFT - 6, at(xs[0], y)[1] + 4, short(y), "end")]
    for x in sorted(set(xs)):
        out += [line(at(x, ys[0])[0], top + 20, at(x, ys[0])[0], top + 20 + height),
                text(at(x, ys[0])[0], top + 35 + height, f"{x:g}")]
    for colour, (i, (name, curve)) in zip(COLOURS, enumerate(curves.items())):
        path = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in curve)
        out += [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
                line(right + 15, top + 30 + 20 * i, right + 35, top + 30 + 20 * i, colour),
                text(right + 40, top + 34 + 20 * i, name, "start")]
    return out


def write(path, results):
    panels = []
    for name, rows in results["one_server"].items():
        panels.append((f"{name}, texts of 128 tokens, one server: texts a second", "boards", {
            "boards alone": [(row["boards"], row["capacity_texts_per_s"]) for row in rows],
            "with the lock, all there can be": [(row["boards"], row["full"]["texts_per_s"]) for row in rows]}))
        panels.append((f"{name}: microseconds under the lock", "boards", {
            "a submission, 70% load": [(row["boards"], row["at_70"]["submits"]["locked_us"]) for row in rows],
            "a return, 70% load": [(row["boards"], row["at_70"]["returns"]["locked_us"]) for row in rows],
            "a submission, full": [(row["boards"], row["full"]["submits"]["locked_us"]) for row in rows],
            "a return, full": [(row["boards"], row["full"]["returns"]["locked_us"]) for row in rows]}))
    policies = sorted({row["policy"] for row in results["fleets"]})
    panels.append(("Servers of 2 boards behind a balancer, mixed lengths, 85% load: p99, ms", "servers", {
        policy: [(row["servers"], row["p99_ms"]) for row in results["fleets"] if row["policy"] == policy]
        for policy in policies}))
    loads = sorted({row["load"] for row in results["shapes"]})
    panels.append(("64 boards cut into servers, leastconn, texts of 128 tokens: p99, ms", "servers", {
        f"{load:.0%} load": [(row["servers"], row["p99_ms"]) for row in results["shapes"] if row["load"] == load]
        for load in loads}))
    out = []
    for i, (title, across, curves) in enumerate(panels):
        out += panel(TOP + PANEL * i, title, across, curves)
    height = TOP + PANEL * len(panels)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">\n'
                   f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n' + "\n".join(out) + "\n</svg>\n")
