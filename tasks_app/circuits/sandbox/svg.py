"""Whether a text is a drawing and nothing else: it is shown in the pages of the service.

A child that was taken over may answer whatever it likes. So what is let through is not what looks
harmless but what a drawing needs: a few elements with a few attributes, whose values have no
character that an address, a script or a style would need.
"""

import re
from itertools import starmap

MAX_SVG = 2_000_000  # Characters.
_SPACE = "http://www.w3.org/2000/svg"
_ELEMENTS = frozenset(("svg", "g", "rect", "line", "circle", "path", "text"))
_ATTRIBUTES = frozenset(
    (
        *("width", "height", "viewBox", "role", "d", "r", "rx"),
        *("x", "y", "x1", "y1", "x2", "y2", "cx", "cy"),
        *("fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-dasharray"),
        *("font-family", "font-size", "text-anchor"),
    )
)
_TOKEN = re.compile(
    r"""<(?P<end>/)?(?P<element>[a-z]+)(?P<attributes>(?:\ [a-zA-Z0-9-]+="[^"<>&]*")*)(?P<empty>/)?>
    |(?P<text>(?:[^<>&\x00-\x1f\ud800-\udfff]|&(?:lt|gt|amp);)+)""",
    re.VERBOSE,
)
_ATTRIBUTE = re.compile(r' ([a-zA-Z0-9-]+)="([^"]*)"')
_VALUE = re.compile(r"[-+.,# 0-9A-Za-z]*", re.ASCII)
_MAX_DEPTH = 8


def is_drawing(text: str) -> bool:
    """In time linear in its length."""
    if len(text) > MAX_SVG or not text.startswith(f'<svg xmlns="{_SPACE}" '):
        return False
    open_elements: list[str] = []
    place = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None or (place and not open_elements):
            return False
        place = token.end()
        element = token["element"]
        if element is None:
            continue
        attributes = _ATTRIBUTE.findall(token["attributes"])
        if element not in _ELEMENTS or not all(starmap(_is_allowed, attributes)):
            return False
        if token["end"]:
            if token["attributes"] or token["empty"] or open_elements.pop() != element:
                return False
        elif not token["empty"]:
            open_elements.append(element)
        if len(open_elements) > _MAX_DEPTH:
            return False
    return not open_elements


def _is_allowed(name: str, value: str) -> bool:
    if name == "xmlns":
        return value == _SPACE
    return name in _ATTRIBUTES and _VALUE.fullmatch(value) is not None
