"""What can be told from the syntax tree of a statement before it is executed."""

from collections.abc import Iterator
from typing import Any

from openqasm3 import ast

_MEASURES = (ast.QuantumMeasurement, ast.QuantumReset, ast.FunctionCall)


def nodes(tree: Any, but: type) -> Iterator[Any]:
    """The nodes of a syntax tree from the top, without those of one kind and what is in them."""
    parts = [tree]
    while parts:
        part = parts.pop()
        if isinstance(part, list | tuple):
            parts += part
        elif isinstance(part, ast.QASMNode) and not isinstance(part, but):
            yield part
            parts += vars(part).values()


def may_measure(node: Any) -> bool:
    """Whether it measures, resets or calls anything that might."""
    return any(isinstance(each, _MEASURES) for each in nodes(node, but=ast.SubroutineDefinition))
