"""The figure: of a call with a short text, the server's own microseconds and those that the client sees beyond."""

WIDTH, LEFT, TOP, ROW = 760, 120, 50, 34
SCALE_US = 220.0
OWN_COLOUR, BEYOND_COLOUR, GOAL_COLOUR = "#1f618d", "#7fb3d5", "#ba4a00"


def text(x, y, words, anchor="start", size=11):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{words}</text>'


def bar(x, y, width, colour):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{ROW - 14}" fill="{colour}"/>'


def x_of(us):
    return LEFT + (WIDTH - LEFT - 30) * min(us, SCALE_US) / SCALE_US


def draw(path, rows, own_goals, beyond_goal):
    height = TOP + ROW * len(rows) + 30
    out = [text(10, 20, "A short text on one board: microseconds of a call besides waiting for the board and its work",
                size=13),
           text(10, 38, f"dark: the server's own; light: what the client sees beyond (goal {beyond_goal}); "
                        "line: the goal for the server's own")]
    for i, row in enumerate(rows):
        y, own, beyond = TOP + ROW * i, row["own_p50_us"], row["beyond_p50_us"]
        goal = x_of(own_goals[row["surface"]])
        out += [text(LEFT - 8, y + 15, row["surface"], "end", 12), bar(LEFT, y, x_of(own) - LEFT, OWN_COLOUR),
                bar(x_of(own), y, x_of(own + beyond) - x_of(own), BEYOND_COLOUR),
                text(x_of(own + beyond) + 5, y + 15, f"{own:.0f} + {beyond:.0f}"),
                f'<line x1="{goal:.1f}" y1="{y - 3}" x2="{goal:.1f}" y2="{y + ROW - 11}" stroke="{GOAL_COLOUR}"/>']
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
                   f'font-family="sans-serif"><rect width="100%" height="100%" fill="white"/>{"".join(out)}</svg>\n')
