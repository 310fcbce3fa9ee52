"""The circuit as text: its language, and without comments."""

import re
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from tasks_app.circuits.errors import CircuitError

Language = Literal["OpenQASM 2", "OpenQASM 3"]

_MAX_NESTING = 200
_NO_BRACKETS = re.compile(r"[^()\[\]{}]+")
_FORBIDDEN = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_COMMENT_OR_STRING = re.compile(r"""//[^\n]*|/\*[\s\S]*?\*/|/\*|"[^"\n]*"|'[^'\n]*'""")
# In OpenQASM 3 an annotation and a pragma reach to the end of their line, whatever it holds. Any
# other @ belongs to a statement that has begun, as in `ctrl @x`.
_COMMENT_STRING_OR_LINE = re.compile(
    _COMMENT_OR_STRING.pattern
    + r"|(?:^|(?<=[;{}/]))[ \t]*@(?P<annotation>[^\W\d]\w*(?:\.[^\W\d]\w*)*)[^\n]*"
    r"|(?:#|\b)pragma\b(?P<pragma>[^\n]*)|@(?=[^\W\d])",
    re.MULTILINE,
)
_CHANGES_THE_PROGRAM = re.compile(r"\s*braket\s+(?:unitary|noise)\b")
_OPENQASM_2 = re.compile(r"(?>\s+|//[^\n]*|/\*.*?\*/)*+OPENQASM\s+2\b", re.DOTALL)
_VERSION = re.compile(r"\s*(OPENQASM)\b(?:\s+([0-9]+)(?:\.[0-9]+)?\s*;)?")


@dataclass(frozen=True, slots=True)
class Source:
    """A program as its submission had it, line by line, with comments and version blanked."""

    text: str
    language: Language
    notes: tuple[str, ...] = ()
    """What was left out, in sentences for the result's metadata."""


def read_source(circuit: str) -> Source:
    """Detect the language, blank the comments and refuse what no parser should see.

    Raises CircuitError. Takes time linear in the length of the circuit.
    """
    if bad := _FORBIDDEN.search(circuit):
        message = f"The circuit holds the character U+{ord(bad.group()):04X}; remove it."
        raise error_at(circuit, bad.start(), "invalid_character", message)
    notes: dict[str, None] = {}
    text = circuit.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    text = _blanked(text, notes)
    if not text.strip():
        raise CircuitError("empty_circuit", "The circuit is all comment; send an OpenQASM program.")
    version = _VERSION.match(text)
    language = _language(text, version)
    if version:
        text = _blank(version[0]) + text[version.end() :]
    return Source(text, language, tuple(notes))


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, both from 1."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def error_at(text: str, offset: int, code: str, message: str) -> CircuitError:
    line, column = position(text, offset)
    return CircuitError(code, message, line=line, column=column)


def _blanked(circuit: str, notes: dict[str, None]) -> str:
    """The text without comments, annotations and pragmas, every other character in its place."""
    if not any(sign in circuit for sign in ("//", "/*", "@", "pragma")):
        return circuit

    def blanked(match: re.Match[str]) -> str:
        text = match.group()
        if text == "/*":
            message = "This comment has no end; add */."
            raise error_at(circuit, match.start(), "syntax_error", message)
        if text == "@":
            return "@ "  # Without the space its grammar takes it for an annotation.
        if match.lastgroup:
            notes[_left_out(circuit, match)] = None
        return text if text[0] in "\"'" else _blank(text)

    what = _COMMENT_OR_STRING if _OPENQASM_2.match(circuit) else _COMMENT_STRING_OR_LINE
    return what.sub(blanked, circuit)


def _blank(text: str) -> str:
    return "\n".join(" " * len(line) for line in text.split("\n"))


def _left_out(circuit: str, match: re.Match[str]) -> str:
    """The note on an annotation or a pragma, which the specification says to ignore."""
    if match["annotation"]:
        return f"The annotation @{match['annotation'][:80]} was ignored."
    pragma = match["pragma"].strip()[:80]
    if _CHANGES_THE_PROGRAM.match(match["pragma"]):
        message = (
            f"This pragma changes what the program does: {pragma!r} is not supported; "
            "define the gate with `gate`, or send `noise` with the task."
        )
        raise error_at(circuit, match.start(), "unsupported_feature", message)
    line, _ = position(circuit, match.start())
    return f"The pragma {pragma!r} on line {line} was ignored."


def _language(text: str, match: re.Match[str] | None) -> Language:
    if match is None or match[2] == "3":
        return "OpenQASM 3"
    if match[2] == "2":
        return "OpenQASM 2"
    if match[2]:
        what = f"OpenQASM {match[2][:20]} is not supported; write OPENQASM 2.0; or OPENQASM 3.0;"
        raise error_at(text, match.start(2), "unsupported_version", what)
    what = "The version line must read OPENQASM 2.0; or OPENQASM 3.0;"
    raise error_at(text, match.start(1), "unsupported_version", what)


def check_nesting(text: str) -> None:
    """Refuse brackets nested so deeply that a parser would hang or crash on them.

    Raises CircuitError. Takes time linear in the length of the text.
    """
    brackets = _NO_BRACKETS.sub("", text)
    depths = accumulate(1 if sign in "([{" else -1 for sign in brackets)
    if max(depths, default=0) > _MAX_NESTING:
        raise CircuitError(
            "too_deeply_nested",
            f"Brackets are nested deeper than {_MAX_NESTING} levels, or are not closed.",
        )
