"""The circuit as text: its language, without comments, and with no include left to open."""

import re
from dataclasses import dataclass
from typing import Literal

from tasks_app.circuits.errors import CircuitError

Language = Literal["OpenQASM 2", "OpenQASM 3"]
LIBRARIES = ("stdgates.inc", "qelib1.inc")

_MAX_NESTING = 100
_NO_BRACKETS = re.compile(r"[^()\[\]{}]+")
_FORBIDDEN = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_COMMENT_OR_STRING = re.compile(r"""//[^\n]*|/\*|"[^"\n]*"|'[^'\n]*'""")
_VERSION = re.compile(r"\s*OPENQASM\s+([0-9]+)(?:\.[0-9]+)?\s*;")
_VERSION_WORD = re.compile(r"\s*OPENQASM\b")
_INCLUDE = re.compile(r"""\binclude\b\s*(?:"([^"\n]*)"|'([^'\n]*)')?""")


@dataclass(frozen=True, slots=True)
class Source:
    """A program safe to hand to a parser.

    `text` has the lines and columns of the submission with every comment blanked: what was
    checked here is what a parser sees.
    """

    text: str
    language: Language
    libraries: frozenset[str]


def read_source(circuit: str) -> Source:
    """Detect the language, blank the comments and refuse what no parser should see.

    Raises CircuitError. Takes time linear in the length of the circuit.
    """
    if bad := _FORBIDDEN.search(circuit):
        line, column = position(circuit, bad.start())
        raise CircuitError(
            "invalid_character",
            f"The circuit holds the character U+{ord(bad.group()):04X}; remove it.",
            line=line,
            column=column,
        )
    text = _blank_comments(circuit.replace("\ufeff", " ", 1) if circuit[0] == "\ufeff" else circuit)
    if not text.strip():
        raise CircuitError("empty_circuit", "The circuit is all comment; send an OpenQASM program.")
    return Source(text, _language(text), _libraries(text))


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, both from 1."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _blank_comments(circuit: str) -> str:
    if "//" not in circuit and "/*" not in circuit:
        return circuit
    pieces = []
    done = 0
    while match := _COMMENT_OR_STRING.search(circuit, done):
        start, end = match.span()
        pieces.append(circuit[done:start])
        if match.group() == "/*":
            end = circuit.find("*/", end) + 2
            if end == 1:
                line, column = position(circuit, start)
                raise CircuitError(
                    "syntax_error", "This comment has no end; add */.", line=line, column=column
                )
        kept = circuit[start] in "\"'"
        comment = circuit[start:end]
        pieces.append(
            comment if kept else "\n".join(" " * len(line) for line in comment.split("\n"))
        )
        done = end
    pieces.append(circuit[done:])
    return "".join(pieces)


def _language(text: str) -> Language:
    match = _VERSION.match(text)
    if match is None:
        if word := _VERSION_WORD.match(text):
            line, column = position(text, word.end() - len("OPENQASM"))
            raise CircuitError(
                "unsupported_version",
                "The version line must read OPENQASM 2.0; or OPENQASM 3.0;",
                line=line,
                column=column,
            )
        return "OpenQASM 3"
    if match[1] == "2":
        return "OpenQASM 2"
    if match[1] == "3":
        return "OpenQASM 3"
    line, column = position(text, match.start(1))
    raise CircuitError(
        "unsupported_version",
        f"OpenQASM {match[1][:20]} is not supported; write OPENQASM 2.0; or OPENQASM 3.0;",
        line=line,
        column=column,
    )


def _libraries(text: str) -> frozenset[str]:
    found = set()
    for match in _INCLUDE.finditer(text):
        name = match[1] or match[2]
        if name not in LIBRARIES:
            line, column = position(text, match.start())
            raise CircuitError(
                "include_not_allowed",
                "Only stdgates.inc and qelib1.inc can be included; "
                "paste the definitions of another library into the circuit.",
                line=line,
                column=column,
            )
        found.add(name)
    return frozenset(found)


def check_nesting(text: str) -> None:
    """Refuse brackets nested so deeply that a parser would hang or crash on them.

    Raises CircuitError. Takes time linear in the length of the text.
    """
    brackets = _NO_BRACKETS.sub("", text)
    for _ in range(_MAX_NESTING):
        shorter = brackets.replace("()", "").replace("[]", "").replace("{}", "")
        if len(shorter) == len(brackets):
            break
        brackets = shorter
    # What is left is either nested deeper or does not match, which a parser tells better.
    if len(brackets) > 2 * _MAX_NESTING:
        raise CircuitError(
            "too_deeply_nested",
            f"Brackets are nested deeper than {_MAX_NESTING} levels or do not match.",
        )
