"""The figure: where a lone request's time goes, in the loop and over HTTP."""

WIDTH, LEFT, TOP, ROW = 760, 150, 44, 30
PARTS = (("computing", "#1f618d"), ("to the boards and back", "#ba4a00"), ("the server's own", "#7fb3d5"),
         ("what the client sees beyond", "#d6dbdf"))


def text(x, y, words, anchor="start", size=11):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{words}</text>'


def handing_over(result, inference, busy):
    """Nothing where boards may have computed beside each other."""
    return max(inference - busy, 0) if result["boards"] == 1 else 0


def rows_of(result):
    """(name, the parts)"""
    boards = f"{result['boards']} board{'s' if result['boards'] > 1 else ''}"
    loop = next(row for row in result["scenes"] if row["what"] == "loop")
    handing = handing_over(result, loop["inference_us"], loop["busy_us"])
    yield f"{boards}, loop", [loop["inference_us"] - handing, handing, 0, loop["wall_us"] - loop["inference_us"]]
    for row in result["http"]:
        handing = handing_over(result, row["inference_mean"], row["busy_mean"])
        pause = f", pause {row['pause_us'] / 1000:g} ms" if row["pause_us"] else ""
        yield f"{boards}, HTTP{pause}", [row["inference"] - handing, handing, row["own"], row["beyond"]]


def draw(path, results, tokens):
    rows = [row for result in results for row in rows_of(result)]
    scale = (WIDTH - LEFT - 60) / max(sum(parts) for _, parts in rows)
    out = [text(10, 18, f"A text of {tokens} tokens of MiniLM, alone: microseconds", size=13)]
    x = 10
    for name, colour in PARTS:
        out += [f'<rect x="{x}" y="26" width="10" height="10" fill="{colour}"/>', text(x + 14, 35, name)]
        x += 30 + 6 * len(name)
    for i, (name, parts) in enumerate(rows):
        x, y = LEFT, TOP + ROW * i
        out.append(text(LEFT - 8, y + 14, name, "end"))
        for part, (_, colour) in zip(parts, PARTS):
            out.append(f'<rect x="{x:.1f}" y="{y}" width="{part * scale:.1f}" height="{ROW - 10}" fill="{colour}"/>')
            x += part * scale
        out.append(text(x + 5, y + 14, f"{sum(parts):.0f}"))
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{TOP + ROW * len(rows) + 6}" '
                   f'font-family="sans-serif"><rect width="100%" height="100%" fill="white"/>{"".join(out)}</svg>\n')
