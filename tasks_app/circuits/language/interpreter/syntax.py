"""What can be told from the syntax tree of a block before it is executed."""

from collections.abc import Sequence
from typing import Any

from openqasm3 import ast

from tasks_app.circuits.language.parse import inner_blocks


def called(expression: Any) -> set[str]:
    """Names of the functions that an expression calls."""
    found: set[str] = set()
    parts = [expression]
    while parts:
        part = parts.pop()
        if isinstance(part, ast.FunctionCall):
            found.add(part.name.name)
        if isinstance(part, list | tuple):
            parts += part
        elif isinstance(part, ast.QASMNode):
            parts += vars(part).values()
    return found


def leaves(block: Sequence[Any], branched: bool = False) -> set[type]:
    """Which of break and continue a branch of the loop with this block may decide."""
    found: set[type] = set()
    for statement in block:
        if isinstance(statement, ast.BreakStatement | ast.ContinueStatement):
            if branched or found:  # Those before it decide if it is reached.
                found.add(type(statement))
            break
        if not isinstance(statement, ast.WhileLoop | ast.ForInLoop):  # They have their own.
            branches = isinstance(statement, ast.BranchingStatement | ast.SwitchStatement)
            for inner in inner_blocks(statement):
                found |= leaves(inner, branched or branches or bool(found))
    return found


def assigned(block: Sequence[Any]) -> set[str]:
    """Names from outside of the block that it may assign to."""
    found: set[str] = set()
    own: set[str] = set()
    for statement in block:
        if isinstance(statement, ast.ClassicalDeclaration):
            own.add(statement.identifier.name)
            continue
        names = {name for inner in inner_blocks(statement) for name in assigned(inner)}
        if isinstance(statement, ast.ForInLoop):
            names.discard(statement.identifier.name)
        target = None
        if isinstance(statement, ast.ClassicalAssignment):
            target = statement.lvalue
        elif isinstance(statement, ast.QuantumMeasurementStatement):
            target = statement.target
        if isinstance(target, ast.IndexedIdentifier):
            target = target.name
        if isinstance(target, ast.Identifier):
            names.add(target.name)
        found |= names - own
    return found
