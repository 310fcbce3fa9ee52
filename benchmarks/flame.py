"""A flame graph as a plain SVG: a rectangle for each function, as wide as its share of the time."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from zlib import crc32

WIDTH, ROW, CHARACTER = 1200, 16, 6.2
LEAST = 0.003  # narrower rectangles are left out


@dataclass(slots=True)
class Frame:
    """A function, called by what is below it."""

    samples: int = 0
    calls: dict[str, "Frame"] = field(default_factory=dict)

    def add(self, stack: Iterable[str], samples: int) -> None:
        self.samples += samples
        frame = self
        for name in stack:
            frame = frame.calls.setdefault(name, Frame())
            frame.samples += samples

    def depth(self, least: float) -> int:
        return 1 + max(
            (each.depth(least) for each in self.calls.values() if each.samples >= least), default=0
        )


def colour(name: str) -> str:
    """Ours blue, the rest warm, each function always the same."""
    shade = crc32(name.encode()) % 40
    ours = "tasks_app" in name or "quantumtasks" in name
    return f"hsl({205 + shade // 4 if ours else 15 + shade},{70}%,{65 + shade % 15}%)"


def svg(root: Frame, title: str) -> str:
    least = LEAST * root.samples
    height = ROW * (root.depth(least) + 1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="monospace" font-size="10"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="4" y="11" font-size="11">{escape(title)}</text>'
    ]

    def draw(name: str, frame: Frame, left: float, row: int) -> None:
        width = WIDTH * frame.samples / root.samples
        share = 100 * frame.samples / root.samples
        text = name[: int(width / CHARACTER)] if width > 4 * CHARACTER else ""
        parts.append(
            f"<g><title>{escape(name)}: {share:.1f} %</title>"
            f'<rect x="{left:.1f}" y="{row * ROW}" width="{max(width - 0.5, 0.5):.1f}" '
            f'height="{ROW - 1}" fill="{colour(name)}"/>'
            f'<text x="{left + 2:.1f}" y="{row * ROW + 11}">{escape(text)}</text></g>'
        )
        for callee, each in sorted(frame.calls.items()):
            if each.samples >= least:
                draw(callee, each, left, row + 1)
            left += WIDTH * each.samples / root.samples

    left = 0.0
    for name, frame in sorted(root.calls.items()):
        draw(name, frame, left, 1)
        left += WIDTH * frame.samples / root.samples
    return "\n".join([*parts, "</svg>\n"])
