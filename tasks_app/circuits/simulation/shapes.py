"""The parts of a circuit's drawing, and their SVG."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape

ROW, BOX, MARGIN, SMALL = 46, 30, 12, 9.5
_TEXT = re.compile("<text.*?</text>", re.DOTALL)
LETTER, SMALL_LETTER = 7.3, 5.6  # Widths, of letters of 12 and of `SMALL` pixels.


@dataclass(frozen=True, slots=True)
class Part:
    """What stands in one column of a drawing, on some rows."""

    rows: Sequence[int]
    width: float
    draw: Callable[[float], str]
    """Its SVG, given the middle of the column."""
    boxed: Sequence[int] = ()
    """Rows whose wires it interrupts."""


def middle(row: int) -> int:
    """The height of its wire."""
    return MARGIN + row * ROW + ROW // 2


def svg(width: float, height: float, pieces: Iterable[str]) -> str:
    """Everything takes the colour of the text around it, unless it has one of its own."""
    drawn = "".join(pieces)
    words = "".join(_TEXT.findall(drawn))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" font-family="monospace" '
        f'font-size="12"><g fill="none" stroke="currentColor">{_TEXT.sub("", drawn)}</g>'
        f'<g fill="currentColor" text-anchor="middle">{words}</g></svg>'
    )


def text(x: float, y: float, words: str, *, size: float = 12, anchor: str = "middle") -> str:
    printable = "".join(letter if letter.isprintable() else "·" for letter in words)
    other = "" if anchor == "middle" else f' text-anchor="{anchor}"'
    other += "" if size == 12 else f' font-size="{size:g}"'
    return f'<text x="{x:.1f}" y="{y:.1f}"{other}>{escape(printable)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, style: str = "") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"{style}/>'


def wire(x1: float, x2: float, row: int, *, double: bool) -> str:
    heights = [middle(row) + off for off in ((-1.5, 1.5) if double else (0,))]
    return "".join(line(x1, y, x2, y, ' stroke-opacity="0.5"') for y in heights)


def frame(x: float, y: float, width: float, height: float) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="6" '
        'stroke-opacity="0.6" stroke-dasharray="5 4"/>'
    )


def _box(
    x: float, rows: Sequence[int], width: float, lines: Sequence[str], colour: str, *, more: int = 0
) -> str:
    """A title and perhaps a small line below it, from the first row to the last."""
    top, height = middle(min(rows)) - BOX / 2 - more, (max(rows) - min(rows)) * ROW + BOX
    title, small = (*lines, "")[:2]
    centre = middle(min(rows)) + (height - BOX) / 2
    words = text(x, centre + (-1 if small else 4), title) if title else ""
    return (
        f'<rect x="{x - width / 2:.1f}" y="{top:.1f}" width="{width:.1f}" '
        f'height="{height + 2 * more:.1f}" rx="4" stroke="{colour}" '
        f'fill="{colour}" fill-opacity="0.16"/>{words}'
    ) + (text(x, centre + 10, small, size=SMALL) if small else "")


def gate(
    controls: Sequence[int], targets: Sequence[int], title: str, angles: str, colour: str
) -> Part:
    """One box on neighbouring rows; else a box on each, and lines between."""
    width = max(len(title) * LETTER, len(angles) * SMALL_LETTER, 18) + 14
    low, high = min(targets), max(targets)
    boxes = [range(low, high + 1)] if high - low < len(targets) else [[row] for row in targets]

    def draw(x: float) -> str:
        parts = [_links(x, [*controls, *targets], boxes)]
        parts += [_dot(x, middle(row)) for row in controls]
        parts += [_box(x, rows, width, (title, angles), colour) for rows in boxes]
        if len(targets) > 1:  # Which of its qubits is which.
            left = x - width / 2 + 5
            parts += [text(left, middle(r) + 12, str(i), size=8) for i, r in enumerate(targets)]
        return "".join(parts)

    return Part([*controls, *targets], width, draw, targets)


def signs(controls: Sequence[int], targets: Sequence[int], base: str) -> Part:
    """A dot for each control, and for each target the sign of a gate that `SIGNS` has."""
    rows = [*controls, *targets]

    def draw(x: float) -> str:
        parts = [_links(x, rows, ()), *(SIGNS[base](x, middle(row)) for row in targets)]
        return "".join([*parts, *(_dot(x, middle(row)) for row in controls)])

    return Part(rows, 20, draw)


def _dot(x: float, y: float) -> str:
    return f'<circle cx="{x:.1f}" cy="{y}" r="4" fill="currentColor"/>'


def _plus(x: float, y: float) -> str:
    circle = f'<circle cx="{x:.1f}" cy="{y}" r="10"/>'
    return circle + line(x - 10, y, x + 10, y) + line(x, y - 10, x, y + 10)


def _cross(x: float, y: float) -> str:
    return line(x - 6, y - 6, x + 6, y + 6) + line(x - 6, y + 6, x + 6, y - 6)


SIGNS = {"x": _plus, "z": _dot, "swap": _cross}  # A controlled Z has the same sign on all qubits.


def meter(row: int, target: int, index: str, colour: str) -> Part:
    """A measurement, with an arrow to the wire of its bit."""
    y, end = middle(row), middle(target)

    def draw(x: float) -> str:
        arc = f'<path d="M {x - 8:.1f} {y + 6} A 8 8 0 0 1 {x + 8:.1f} {y + 6}"/>'
        tip = f"M {x - 4:.1f} {end - 9} L {x + 4:.1f} {end - 9} L {x:.1f} {end - 2} Z"
        return (
            _box(x, [row], BOX, [""], colour)
            + arc
            + line(x, y + 6, x + 6, y - 6)
            + line(x, y + BOX / 2, x, end - 9)
            + f'<path d="{tip}" fill="currentColor"/>'
            + text(x + 7, end - 5, index, size=SMALL, anchor="start")
        )

    return Part([row, target], BOX + 6, draw, [row])


def barrier(rows: Sequence[int]) -> Part:
    def draw(x: float) -> str:
        half = ROW / 2
        dashed = ' stroke-dasharray="4 3"'
        return "".join(line(x, middle(r) - half, x, middle(r) + half, dashed) for r in rows)

    return Part(rows, 6, draw)


def tab(rows: Sequence[int], label: str, colour: str, depth: int) -> Part:
    """The beginning of a frame."""
    width = len(label) * SMALL_LETTER + 14
    more = max(6 - 2 * depth, 0)

    def draw(x: float) -> str:
        shape = _box(x, rows, width, [""], colour, more=more)
        return shape + text(x, (middle(rows[0]) + middle(rows[-1])) / 2 + 3, label, size=SMALL)

    return Part(rows, width, draw, rows)


def _links(x: float, rows: Sequence[int], boxes: Sequence[Sequence[int]]) -> str:
    """A line through the rows, but for where it would cross one of the boxes."""
    edge = {row: BOX / 2 for box in boxes for row in box}
    whole = {row for box in boxes if len(box) > 1 for row in box}
    return "".join(
        line(x, middle(upper) + edge.get(upper, 0), x, middle(lower) - edge.get(lower, 0))
        for upper, lower in pairwise(sorted(rows))
        if not {upper, lower} <= whole
    )
