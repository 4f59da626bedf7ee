"""Draws `docs/images/augmentation.svg` from the table of `docs/benchmarks/augmentation.md`.

    python tools/augmentation_figure.py

Each row of the figure is a corruption, and each mark the accuracy after a kind of training.
"""

from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE, FIGURE = ROOT / "docs/benchmarks/augmentation.md", ROOT / "docs/images/augmentation.svg"
# The columns of the table that are drawn: color and words of the legend.
KINDS = {
    "none": ("#8a8f98", "no augmentation"),
    "randaugment": ("#c98500", "RandAugment"),
    "augmix": ("#b0548c", "AugMix"),
    "adaptive": ("#1668b5", "adapt=True"),
    "oracle": ("#2b2f36", "trained on the corruption, with labels"),
}
DATA = {"fashion": "Fashion-MNIST", "digits": "MNIST"}
LEFT, WIDTH, ROW, TOP = 190, 470, 24, 64  # in pixels: names, plot, height of a row, legend


def rows():
    """Returns `(data set, corruption, accuracy by kind)` for each corruption of the table."""
    lines = PAGE.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| target | none |"))
    names = cells(lines[start])[1:]
    found, data = [], ""
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return found
        target, *values = cells(line)
        if ": " in target:
            data, target = target.split(": ")
        if target != "mean" and not target.startswith("clean"):
            accuracy = dict(zip(names, map(float, values), strict=True))
            found.append((data, target.replace("_", " "), accuracy))
    return found


def cells(line):
    """Returns the cells of a row of a table in Markdown, without bold type."""
    return [cell.strip(" *") for cell in line.strip("|").split("|")]


def text(x, y, words, anchor="start", color="#2b2f36", weight="normal"):
    """Returns words as SVG, with their base line at `(x, y)`."""
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{color}" font-weight="{weight}">'
        f"{words}</text>"
    )


def mark(kind, x, y):
    """Returns the mark of a kind of training as SVG, with its center at `(x, y)`."""
    color = KINDS[kind][0]
    if kind == "oracle":  # a tick: the best that is possible
        return f'<path d="M{x} {y - 7}v14" stroke="{color}" stroke-width="2"/>'
    radius = 6 if kind == "adaptive" else 4.5
    return f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{color}"/>'


def figure():
    """Returns the figure as SVG."""
    found = rows()
    groups = list(dict.fromkeys(data for data, *_ in found))
    height = TOP + ROW * (len(found) + len(groups)) + 34
    width = LEFT + WIDTH + 30

    def across(accuracy):
        return LEFT + WIDTH * accuracy / 100

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="13">',
        "<title>Accuracy on corrupted images after five kinds of training</title>",
        f'<rect width="{width}" height="{height}" rx="6" fill="#fff"/>',
    ]
    x, y = 16, 24
    for kind, (_, words) in KINDS.items():
        if kind == "oracle":
            x, y = 16, 46
        parts += [mark(kind, x + 6, y - 4), text(x + 18, y, words)]
        x += 40 + 7.2 * len(words)
    bottom = height - 34
    for tick in range(0, 101, 20):
        parts.append(f'<path d="M{across(tick)} {TOP}V{bottom}" stroke="#e3e6ea"/>')
        parts.append(text(across(tick), bottom + 18, f"{tick} %", "middle", "#5b616b"))
    y, data = TOP, ""
    for name, corruption, accuracy in found:
        if name != data:
            data = name
            parts.append(text(16, y + ROW / 2 + 4, DATA[data], weight="bold"))
            y += ROW
        middle = y + ROW / 2
        parts.append(text(LEFT - 12, middle + 4, corruption, "end"))
        parts.append(f'<path d="M{LEFT} {middle}h{WIDTH}" stroke="#eef0f3"/>')
        parts += [mark(kind, round(across(accuracy[kind]), 1), middle) for kind in KINDS]
        y += ROW
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    FIGURE.write_text(figure())
    print(f"wrote {FIGURE.relative_to(ROOT)}")
