"""Where a top-level statement of OpenQASM 3 ends, found without parsing it."""

from __future__ import annotations

import re

_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"[A-Za-z_]\w*")
_LINE = re.compile(r"(?:@|#?\s*pragma\b)[^\n]*")
_ELSE = re.compile(r"\s*else\b")
_IN = re.compile(r"\bin\b\s*")
_BRACKET = re.compile(r"""[(\[{]|[)\]}]|;|"[^"\n]*"|'[^'\n]*'""")


def statement_end(text: str, start: int) -> int | None:
    """The offset behind the statement at ``start``; ``None`` if only space is left.

    A text that is no statement ends anywhere behind its start: a parser will refuse it.
    """
    start = _after_space(text, start)
    while line := _LINE.match(text, start):  # An annotation belongs to what follows.
        start = _after_space(text, line.end())
        if not line.group().startswith("@"):
            return line.end()
    return None if start == len(text) else _end(text, start)


def _end(text: str, start: int) -> int:
    start = _after_space(text, start)
    if text.startswith("{", start):
        return _after_group(text, start)
    word = match.group() if (match := _WORD.match(text, start)) else ""
    if word in ("if", "while", "switch"):
        end = _end(text, _after_group(text, text.find("(", start)))
        while word == "if" and (otherwise := _ELSE.match(text, end)):
            end = _end(text, otherwise.end())
        return end
    if word == "for" and (match := _IN.search(text, start)):
        start = match.end()
        if text.startswith(("[", "{"), start):
            return _end(text, _after_group(text, start))
        name = _WORD.match(text, start)
        return _end(text, name.end() if name else start + 1)
    if word in ("gate", "def", "box", "cal", "defcal"):
        return _after_group(text, text.find("{", start))
    return _after_semicolon(text, start)


def _after_space(text: str, start: int) -> int:
    match = _SPACE.match(text, start)
    assert match is not None
    return match.end()


def _after_group(text: str, start: int) -> int:
    """Behind the bracket that closes the one at ``start``."""
    if start < 0:
        return len(text)
    depth = 0
    for match in _BRACKET.finditer(text, start):
        depth += (match.group() in "([{") - (match.group() in ")]}")
        if depth == 0:
            return match.end()
    return len(text)


def _after_semicolon(text: str, start: int) -> int:
    depth = 0
    for match in _BRACKET.finditer(text, start):
        depth += (match.group() in "([{") - (match.group() in ")]}")
        if match.group() == ";" and depth <= 0:
            return match.end()
    return len(text)
