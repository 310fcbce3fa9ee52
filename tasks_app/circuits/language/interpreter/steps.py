"""What can be told from the syntax tree of a statement before it is executed."""

from typing import Any

from openqasm3 import ast

_MEASURES = (ast.QuantumMeasurement, ast.QuantumReset, ast.FunctionCall)


def may_measure(node: Any) -> bool:
    """Whether it measures, resets or calls anything that might."""
    parts = [] if isinstance(node, ast.SubroutineDefinition) else [node]
    while parts:
        part = parts.pop()
        if isinstance(part, _MEASURES):
            return True
        if isinstance(part, list | tuple):
            parts += part
        elif isinstance(part, ast.QASMNode):
            parts += vars(part).values()
    return False
