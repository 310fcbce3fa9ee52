"""Branches and loops: decided now where they can be, else part of the circuit."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from openqasm3 import ast
from qiskit.circuit.classical import expr

from tasks_app.circuits.language.interpreter import arithmetic, measured
from tasks_app.circuits.language.interpreter.evaluation import (
    coerced,
    condition,
    integer,
    known,
    type_of,
    value,
)
from tasks_app.circuits.language.interpreter.parts import range_of
from tasks_app.circuits.language.interpreter.run import (
    ProgramEnd,
    Run,
    Steered,
    statement,
)
from tasks_app.circuits.language.interpreter.values import (
    INT,
    Array,
    Type,
    Variable,
    Word,
    failure,
)


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


@statement(ast.CompoundStatement)
def _block(run: Run, node: ast.CompoundStatement) -> None:
    with run.scope():
        run.run_block(node.statements)


@contextmanager
def _decided_at_run_time(run: Run) -> Iterator[None]:
    """The scope of a block that may run never, once or many times."""
    run.depth += 1
    run.tie()
    try:
        with run.scope():
            yield
    finally:
        run.depth -= 1


@statement(ast.BranchingStatement)
def _if(run: Run, node: Any) -> None:
    branches: list[tuple[Any, Sequence[Any]]] = []
    default: Sequence[Any] = [node]
    while len(default) == 1 and isinstance(default[0], ast.BranchingStatement):
        link = default[0]
        called = run.called
        holds = condition(run, link.condition)
        if isinstance(getattr(link.condition, "lhs", None), ast.IndexExpression):
            run.note_beyond("a condition on one bit")
        if branches and run.called > called:  # It is not called where one before it holds.
            raise Steered
        default = link.else_block
        if holds is True:
            default = link.if_block
            break
        if holds is not False:
            branches.append((holds, link.if_block))
    _run_one(run, branches, default)


@contextmanager
def branch(run: Run, holds: Any) -> Iterator[Any]:
    """A block that runs if something of the simulator's holds; what it gives begins the other."""
    with run.circuit.if_test(expr.lift(holds)) as otherwise, _decided_at_run_time(run):
        yield otherwise


def _run_one(run: Run, branches: list[tuple[Any, Sequence[Any]]], default: Sequence[Any]) -> None:
    """Run the first block whose condition holds."""
    if not branches:
        with run.scope():
            run.run_block(default)
    elif len(branches) == 1:
        holds, block = branches[0]
        with branch(run, holds) as otherwise:
            run.run_block(block)
        if default:
            with otherwise, _decided_at_run_time(run):
                run.run_block(default)
    else:  # All decided before any of the blocks, which may change what they depend on.
        flags, any_before = [], run.keep(False)
        for holds, _ in branches:
            flags.append(run.keep(measured.both(holds, measured.negate(any_before))))
            run.store((any_before,), (measured.either(any_before, flags[-1]),))
        blocks = [block for _, block in branches]
        if default:
            flags.append(run.keep(measured.negate(any_before)))
            blocks.append(default)
        for flag, block in zip(flags, blocks, strict=True):
            with branch(run, flag):
                run.run_block(block)


@statement(ast.SwitchStatement)
def _switch(run: Run, node: ast.SwitchStatement) -> None:
    target = value(run, node.target)
    cases = [([integer(run, each) for each in labels], body) for labels, body in node.cases]
    _check_labels(target, [label for labels, _ in cases for label in labels])
    default = [] if node.default is None else node.default.statements
    if measured.is_runtime(target):
        branches = [(measured.any_equal(target, labels), body.statements) for labels, body in cases]
        _run_one(run, [(holds, body) for holds, body in branches if holds is not False], default)
        return
    chosen = arithmetic.exact(target)
    block = next((body.statements for labels, body in cases if chosen in labels), default)
    with run.scope():
        run.run_block(block)


def _check_labels(target: Any, labels: list[int]) -> None:
    if measured.is_runtime(target):
        bits = measured.bits_of(target)
        kind = Type("int" if bits[-1] is False else "uint", len(bits))
    elif isinstance(target, Word) and target.type.kind in ("int", "uint", "bit"):
        kind = target.type
    elif isinstance(target, int):
        kind = INT if not isinstance(target, bool) else Type("uint", 1)
    else:
        raise failure("A switch takes a whole number.")
    highest = (1 << (kind.width - (kind.kind == "int"))) - 1
    lowest = -highest - 1 if kind.kind == "int" else 0
    seen: set[int] = set()
    for label in labels:
        if label in seen or not lowest <= label <= highest:
            shown = label if label.bit_length() < 200 else "a very large one"
            raise failure(
                f"A case stands twice, or is no value from {lowest} to {highest}: {shown}."
            )
        seen.add(label)


@statement(ast.ForInLoop)
def _for(run: Run, node: ast.ForInLoop) -> None:
    declared = type_of(run, node.type)
    for each in _loop_values(run, node.set_declaration):
        run.count_steps(1)
        with run.scope():
            held = known(coerced(run, each, declared))
            run.define(node.identifier.name, Variable(held, declared, depth=run.depth))
            if not _iterate(run, node.block):
                break


def _iterate(run: Run, block: Sequence[Any]) -> bool:
    """Run the body of a loop once; False when it is left."""
    outer, run.began.loop = run.began.loop, run.depth
    try:
        run.run_block(block)
    except _Break:
        return False
    except _Continue:
        pass
    finally:
        run.began.loop = outer
    return True


def _loop_values(run: Run, node: Any) -> Any:
    if isinstance(node, ast.RangeDefinition):
        return range_of(run, node)
    if isinstance(node, ast.DiscreteSet):
        return [value(run, item) for item in node.values]
    found = known(value(run, node))
    if isinstance(found, Word) and found.type.kind == "bit":
        return [bool(found.number >> place & 1) for place in range(found.type.width)]
    if not isinstance(found, Array) or found.items.ndim != 1:
        raise failure("A loop goes over a range, a set, bits or an array of one dimension.")
    return list(found.items)


@statement(ast.WhileLoop)
def _while(run: Run, node: ast.WhileLoop) -> None:
    while True:
        called, operations = run.called, len(run.circuit.data)
        holds = condition(run, node.while_condition)
        if not isinstance(holds, bool):
            # What the condition does by the way would have to be done again.
            if run.called > called or len(run.circuit.data) > operations:
                raise Steered
            with run.circuit.while_loop(holds), _decided_at_run_time(run):
                _iterate_at_run_time(run, node.block)
            return
        run.count_steps(1)
        if not holds:
            return
        with run.scope():
            if not _iterate(run, node.block):
                return


def _iterate_at_run_time(run: Run, block: Sequence[Any]) -> None:
    outer, run.began.loop = run.began.loop, -1  # No statement of ours can leave it.
    try:
        run.run_block(block)
    finally:
        run.began.loop = outer


@statement(ast.BreakStatement)
def _break(run: Run, node: ast.BreakStatement) -> None:
    if run.depth != run.began.loop:
        raise Steered
    raise _Break


@statement(ast.ContinueStatement)
def _continue(run: Run, node: ast.ContinueStatement) -> None:
    if run.depth != run.began.loop:
        raise Steered
    raise _Continue


@statement(ast.EndStatement)
def _end(run: Run, node: ast.EndStatement) -> None:
    if run.depth:
        raise Steered
    raise ProgramEnd
