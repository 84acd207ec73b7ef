#!/usr/bin/env python3
"""Draws the two pictures of ARCHITECTURE.md from text.

    scripts/draw-architecture.py           writes docs/architecture/{crates,line}.svg
    scripts/draw-architecture.py --check   fails if they are not what the text gives

crates.svg comes from docs/architecture/crates.txt (rows and words) and from the Cargo.toml files (who
depends on whom); line.svg from docs/architecture/line.txt. Needs Python 3.11, nothing else.
"""

import sys
import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "architecture"

# Not shipped, so not in the picture.
TESTS = {"testkit", "e2e", "architecture", "bench", "hot"}

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2937 }
  .name { font-weight: 600 }
  .what, .row { font-size: 11px; fill: #6b7280 }
  .box { fill: #ffffff; stroke: #9ca3af }
  .lane { fill: #f3f4f6; stroke: none }
  .edge { fill: none; stroke: #9ca3af; stroke-width: 1.2 }
  .tip { fill: #9ca3af }
  @media (prefers-color-scheme: dark) {
    text { fill: #e5e7eb }
    .what, .row { fill: #9ca3af }
    .box { fill: #1f2937; stroke: #6b7280 }
    .lane { fill: #111827 }
    .edge { stroke: #6b7280 }
    .tip { fill: #6b7280 }
  }
"""


def read_groups(path, keyword):
    """[(title, [(name, text)])] of a file with `keyword TITLE` and `name: text` lines."""
    groups = []
    for line in path.read_text(encoding="utf-8").splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith(keyword + " "):
            groups.append((line.removeprefix(keyword + " "), []))
        else:
            name, text = line.split(":", 1)
            groups[-1][1].append((name, text.strip()))
    return groups


def short(package):
    return package.removeprefix("logtally-")


def read_dependencies():
    """Each shipped crate with those of ours that it needs to be built."""
    members = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["members"]
    found = {}
    for member in members:
        manifest = tomllib.loads((ROOT / member / "Cargo.toml").read_text(encoding="utf-8"))
        name = short(manifest["package"]["name"])
        if name in TESTS:
            continue
        ours = {short(d) for d in manifest.get("dependencies", {}) if d.startswith("logtally-")}
        found[name] = ours - TESTS
    return found


def below(dependencies, name):
    found = set()
    waiting = list(dependencies[name])
    while waiting:
        next_one = waiting.pop()
        if next_one not in found:
            found.add(next_one)
            waiting.extend(dependencies[next_one])
    return found


def direct(dependencies, name):
    """The dependencies that do not follow from another one: those are drawn."""
    own = dependencies[name]
    return sorted(d for d in own if not any(d in below(dependencies, o) for o in own if o != d))


def check_rows(rows, dependencies):
    level = {name: i for i, (_, crates) in enumerate(rows) for name, _ in crates}
    wrong = [f"{name} is not in crates.txt" for name in sorted(set(dependencies) - set(level))]
    wrong += [f"{name} is not a crate" for name in sorted(set(level) - set(dependencies))]
    if not wrong:
        for name, own in sorted(dependencies.items()):
            wrong += [f"{name} → {d} points upward" for d in sorted(own) if level[d] <= level[name]]
    if wrong:
        sys.exit("docs/architecture/crates.txt: " + "; ".join(wrong))


def box(x, y, width, height, name, lines):
    parts = [f'<rect class="box" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>']
    middle = x + width / 2
    parts.append(f'<text class="name" x="{middle:g}" y="{y + 19}" text-anchor="middle">{escape(name)}</text>')
    for i, line in enumerate(lines):
        parts.append(
            f'<text class="what" x="{middle:g}" y="{y + 35 + 14 * i}" text-anchor="middle">{escape(line)}</text>'
        )
    return parts


def svg(width, height, title, parts):
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{escape(title)}">'
    )
    tip = (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path class="tip" d="M0 0 L8 4 L0 8 z"/></marker></defs>'
    )
    return "\n".join([head, f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>", tip, *parts, "</svg>", ""])


def draw_crates():
    rows = read_groups(FOLDER / "crates.txt", "row")
    dependencies = read_dependencies()
    check_rows(rows, dependencies)
    width, box_width, box_height, step = 900, 190, 46, 96
    places = {}
    for i, (_, crates) in enumerate(rows):
        gap = (width - box_width * len(crates)) / (len(crates) + 1)
        for j, (name, _) in enumerate(crates):
            places[name] = (gap + j * (box_width + gap), 24 + i * step)
    edges, boxes = [], []
    for name, (x, y) in places.items():
        for other in direct(dependencies, name):
            to_x, to_y = places[other]
            x1, y1, x2, y2 = x + box_width / 2, y + box_height, to_x + box_width / 2, to_y
            bend = min(40, (y2 - y1) / 2)
            edges.append(
                f'<path class="edge" marker-end="url(#tip)" d="M{x1:g} {y1:g} '
                f'C{x1:g} {y1 + bend:g} {x2:g} {y2 - bend:g} {x2:g} {y2 - 2:g}"/>'
            )
    for i, (title, crates) in enumerate(rows):
        boxes.append(f'<text class="row" x="8" y="{18 + i * step}">{escape(title)}</text>')
        for name, what in crates:
            x, y = places[name]
            boxes += box(round(x, 1), y, box_width, box_height, name, [what])
    return svg(width, 24 + len(rows) * step - 30, "The crates and who depends on whom", edges + boxes)


def wrap(text, width):
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) + 1 > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def draw_line():
    lanes = read_groups(FOLDER / "line.txt", "lane")
    box_width, box_height, gap, top = 150, 92, 26, 40
    back, parts, x = [], [], 16
    count = sum(len(things) for _, things in lanes)
    last = 0
    for title, things in lanes:
        lane_width = len(things) * (box_width + gap) - gap + 16
        back.append(
            f'<rect class="lane" x="{x - 8}" y="10" width="{lane_width}" height="{top + box_height + 2}" rx="8"/>'
        )
        parts.append(f'<text class="row" x="{x}" y="28">{escape(title)}</text>')
        for name, text in things:
            what, where = (part.strip() for part in text.split("|"))
            parts += box(x, top, box_width, box_height, name, [*wrap(what, 24), f"[{where}]"])
            last += 1
            if last < count:
                y = top + box_height / 2
                parts.append(
                    f'<path class="edge" marker-end="url(#tip)" d="M{x + box_width} {y:g} L{x + box_width + gap - 2} {y:g}"/>'
                )
            x += box_width + gap
    return svg(x - gap + 16, top + box_height + 24, "The way of a line from a file to Prometheus", back + parts)


def main():
    checking = sys.argv[1:] == ["--check"]
    stale = []
    for name, draw in (("crates", draw_crates), ("line", draw_line)):
        path, text = FOLDER / f"{name}.svg", draw()
        if not checking:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.relative_to(ROOT).as_posix())
    if stale:
        sys.exit(f"not what the text gives: {', '.join(stale)}; run scripts/draw-architecture.py")


main()
