"""Branches and loops: decided now where they can be, else part of the circuit."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from openqasm3 import ast
from qiskit.circuit.classical import expr

from tasks_app.circuits.language.interpreter import arithmetic, measured
from tasks_app.circuits.language.interpreter.declarations import check_constant
from tasks_app.circuits.language.interpreter.deferred import decided
from tasks_app.circuits.language.interpreter.measured import Steered
from tasks_app.circuits.language.interpreter.parts import range_of
from tasks_app.circuits.language.interpreter.run import Leave, ProgramEnd, Run, handles
from tasks_app.circuits.language.interpreter.values import (
    INT,
    Array,
    Type,
    Variable,
    Word,
    failure,
    wrapped,
)


class _Break(Leave):
    pass


class _Continue(Leave):
    pass


@handles(ast.CompoundStatement, ast.Box)
def _block(run: Run, node: Any) -> None:
    with run.scope():
        run.run_block(node.body if isinstance(node, ast.Box) else node.statements)


@contextmanager
def _decided_at_run_time(run: Run) -> Iterator[None]:
    """The scope of a block that may run never, once or many times."""
    run.depth += 1
    run.tie()
    try:
        with run.scope():
            yield
    except Leave:
        raise Steered from None
    finally:
        run.depth -= 1


@handles(ast.BranchingStatement)
def _if(run: Run, node: Any) -> None:
    branches: list[tuple[Any, Sequence[Any]]] = []
    default: Sequence[Any] = [node]
    while len(default) == 1 and isinstance(default[0], ast.BranchingStatement):
        link = default[0]
        called = run.called
        holds = run.condition(link.condition)
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


def _run_one(
    run: Run, branches: Sequence[tuple[Any, Sequence[Any]]], default: Sequence[Any]
) -> None:
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
        decided, none_before = [], run.keep(True)
        for holds, block in branches:
            flag = run.keep(measured.binary("&&", none_before, holds))
            still = measured.binary("&&", none_before, measured.unary("!", flag))
            run.store((none_before,), (still,))
            decided.append((flag, block))
        for flag, block in [*decided, (none_before, default)]:
            if block:
                with branch(run, flag):
                    run.run_block(block)


@handles(ast.SwitchStatement)
def _switch(run: Run, node: ast.SwitchStatement) -> None:
    target = run.value(node.target)
    kind, seen = _kind_of(target), set[int]()
    cases = [
        (measured.any_equal(target, [_label(run, each, kind, seen) for each in labels]), body)
        for labels, body in node.cases
    ]
    block = next((body for holds, body in cases if holds is True), node.default)
    branches = [(holds, body.statements) for holds, body in cases if not isinstance(holds, bool)]
    _run_one(run, branches, [] if block is None else block.statements)


def _kind_of(target: Any) -> Type:
    """The type that the labels of a switch must have."""
    if measured.is_runtime(target):
        bits = measured.bits_of(target)
        return Type("int" if bits[-1] is False else "uint", len(bits))
    arithmetic.exact(target)
    if isinstance(target, Word):
        return target.type
    return Type("uint", 1) if isinstance(target, bool) else INT


def _label(run: Run, node: Any, kind: Type, seen: set[int]) -> int:
    check_constant(run, node)
    label = run.integer(node)
    if label in seen or wrapped(kind, label).number != label:
        raise failure(f"The case {label!s:.60} stands twice, or is no value of {kind}.", at=node)
    seen.add(label)
    return label


@handles(ast.ForInLoop)
def _for(run: Run, node: ast.ForInLoop) -> None:
    declared = run.type_of(node.type)
    for each in _loop_values(run, node.set_declaration):
        run.count_steps(1)
        with run.scope():
            held = run.held(each, declared)
            run.define(node.identifier.name, Variable(held, declared, depth=run.depth))
            if not _iterate(run, node.block):
                break


def _iterate(run: Run, block: Sequence[Any]) -> bool:
    """Run the body of a loop once; False when it is left."""
    try:
        run.run_block(block)
    except _Break:
        return False
    except _Continue:
        pass
    return True


def _loop_values(run: Run, node: Any) -> Any:
    if isinstance(node, ast.RangeDefinition):
        return range_of(run, node)
    if isinstance(node, ast.DiscreteSet):
        return [run.value(item) for item in node.values]
    found = decided(run.known(node))
    if isinstance(found, Word) and found.type.kind == "bit":
        return measured.bits_of(found)
    if not isinstance(found, Array) or found.items.ndim != 1:
        raise failure("A loop goes over a range, a set, bits or an array of one dimension.")
    return list(found.items)


@handles(ast.WhileLoop)
def _while(run: Run, node: ast.WhileLoop) -> None:
    while True:
        called = run.called
        holds = run.condition(node.while_condition)
        if not isinstance(holds, bool):
            # What the condition does by the way would have to be done again.
            if run.called > called:
                raise Steered
            with run.circuit.while_loop(holds), _decided_at_run_time(run):
                run.run_block(node.block)
            return
        run.count_steps(1)
        if not holds:
            return
        with run.scope():
            if not _iterate(run, node.block):
                return


@handles(ast.BreakStatement)
def _break(run: Run, node: ast.BreakStatement) -> None:
    raise _Break


@handles(ast.ContinueStatement)
def _continue(run: Run, node: ast.ContinueStatement) -> None:
    raise _Continue


@handles(ast.EndStatement)
def _end(run: Run, node: ast.EndStatement) -> None:
    run.forbid_in_gate()
    raise ProgramEnd
