"""Branches and loops: decided now where the condition is known, else part of the circuit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from openqasm3 import ast
from qiskit.circuit import ClassicalRegister
from qiskit.circuit.classical import expr

from tasks_app.circuits import runtime
from tasks_app.circuits.gate_statements import GateStatements
from tasks_app.circuits.program_state import Loop
from tasks_app.circuits.values import Bits, BitString, Variable, failure, unsupported


class ProgramEnd(Exception):
    """The statement ``end`` was reached."""


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class ControlFlow(GateStatements):
    def _CompoundStatement(self, node: ast.CompoundStatement) -> None:
        with self._scope():
            self._run_block(node.statements)

    @contextmanager
    def _block(self) -> Iterator[None]:
        """The scope of a block that may run never, once or many times."""
        self._depth += 1
        self._builders += 1
        try:
            with self._scope():
                yield
        finally:
            self._depth -= 1
            self._builders -= 1

    def _BranchingStatement(self, node: ast.BranchingStatement) -> None:
        condition = self._evaluate.condition(node.condition)
        if isinstance(condition, bool):
            with self._scope():
                self._run_block(node.if_block if condition else node.else_block)
            return
        with self.circuit.if_test(condition) as otherwise, self._block():
            self._run_block(node.if_block)
        if node.else_block:
            with otherwise, self._block():
                self._run_block(node.else_block)

    def _SwitchStatement(self, node: ast.SwitchStatement) -> None:
        target = self._evaluate.value(node.target)
        cases = [
            ([self._evaluate.integer(label) for label in labels], body)
            for labels, body in node.cases
        ]
        if not runtime.is_runtime(target):
            chosen = self._evaluate.integer(node.target)
            body = next((body for labels, body in cases if chosen in labels), node.default)
            if body is not None:
                self.execute(body)
            return
        if isinstance(target, Bits):
            target = target.register
        if target is None or isinstance(target, expr.Expr):
            raise unsupported(node, "A switch on an expression of measured bits")
        if not cases and node.default is None:  # nothing to choose from, which Qiskit refuses
            return
        width = len(target) if isinstance(target, ClassicalRegister) else 1
        seen: set[int] = set()
        for label in (label for labels, _ in cases for label in labels):
            if label in seen or not 0 <= label < 1 << width:
                shown = label if label.bit_length() < 200 else "a very large one"
                raise failure(
                    node, f"A case stands twice, or is no value of {width} bits: {shown}."
                )
            seen.add(label)
        with self.circuit.switch(target) as case:
            for labels, body in cases:
                with case(*labels), self._block():
                    self._run_block(body.statements)
            if node.default is not None:
                with case(case.DEFAULT), self._block():
                    self._run_block(node.default.statements)

    def _ForInLoop(self, node: ast.ForInLoop) -> None:
        values = self._loop_values(node.set_declaration)
        leaves = _leaves(node.block)
        with self._loop(unrolled=True, wrapped=ast.BreakStatement in leaves):
            for value in values:
                self.count_steps(1, node)
                with self._scope(), self._iteration(ast.ContinueStatement in leaves):
                    value = self._evaluate.coerce(value, node.type, node)
                    loop_variable = Variable(value, node.type, self._depth)
                    self.define(node.identifier.name, loop_variable, node)
                    self._run_block(node.block)

    def _loop_values(self, node: Any) -> Any:
        if isinstance(node, ast.RangeDefinition):
            return self._evaluate.range(node)
        if isinstance(node, ast.DiscreteSet):
            return [self._evaluate.integer(item) for item in node.values]
        values = self._evaluate.value(node)
        if isinstance(values, BitString):
            return [values.value >> place & 1 for place in range(values.width)]
        if not isinstance(values, list):
            raise unsupported(node, "A loop over this kind of value")
        return list(values)

    def _WhileLoop(self, node: ast.WhileLoop) -> None:
        leaves = _leaves(node.block)
        for_ever = isinstance(node.while_condition, ast.BooleanLiteral) and leaves
        condition = self._evaluate.condition(node.while_condition)
        if not isinstance(condition, bool) or (condition and for_ever):
            with (
                self.circuit.while_loop(expr.lift(condition)),
                self._block(),
                self._loop(unrolled=False, wrapped=False),
            ):
                self._run_block(node.block)
            return
        with self._loop(unrolled=True, wrapped=ast.BreakStatement in leaves):
            while condition:
                self.count_steps(1, node)
                with self._scope(), self._iteration(ast.ContinueStatement in leaves):
                    self._run_block(node.block)
                condition = self._evaluate.condition(node.while_condition)
                if not isinstance(condition, bool):
                    raise unsupported(
                        node, "A loop whose condition starts to depend on a measurement"
                    )

    @contextmanager
    def _loop(self, *, unrolled: bool, wrapped: bool) -> Iterator[None]:
        """Run the body of a loop.

        An unrolled loop that a measurement may leave is wrapped in a loop of the circuit that
        runs once, because that can be left from inside.
        """
        self._loops.append(Loop(unrolled, self._depth, wrapped))
        try:
            with self._once(wrapped), suppress(_Break):
                yield
        finally:
            self._loops.pop()

    @contextmanager
    def _iteration(self, wrapped: bool) -> Iterator[None]:
        loop = self._loops[-1]
        loop.iteration_wrapped, loop.skipping = wrapped, False
        broken = False
        with self._once(wrapped):
            try:
                yield
            except _Continue:
                pass
            except _Break:  # Not through the builder, which would drop the iteration.
                broken = True
        if broken:
            raise _Break

    @contextmanager
    def _once(self, wrapped: bool) -> Iterator[None]:
        if not wrapped:
            yield
            return
        self._builders += 1
        try:
            with self.circuit.for_loop(range(1)):
                yield
        finally:
            self._builders -= 1

    def _BreakStatement(self, node: ast.BreakStatement) -> None:
        loop = self._loops[-1]
        if loop.unrolled and self._depth == loop.depth:
            raise _Break
        if loop.unrolled and (loop.iteration_wrapped or not loop.wrapped):
            raise unsupported(
                node, "A loop with both break and continue that a measurement decides"
            )
        self.circuit.break_loop()
        loop.left = True

    def _ContinueStatement(self, node: ast.ContinueStatement) -> None:
        loop = self._loops[-1]
        if not loop.unrolled:
            self.circuit.continue_loop()
        elif self._depth == loop.depth:
            raise _Continue
        elif loop.iteration_wrapped:
            self.circuit.break_loop()  # Of the iteration, which is a loop that runs once.
            loop.skipping = True
        else:
            raise unsupported(node, "This continue that a measurement decides")

    def _EndStatement(self, node: ast.EndStatement) -> None:
        if self._undecided(0) or any(loop.wrapped for loop in self._loops):
            raise unsupported(node, "An end that a measurement decides")
        raise ProgramEnd


def _leaves(block: Sequence[Any], branched: bool = False) -> set[type]:
    """Which of break and continue stand in a branch of the loop with this block."""
    found: set[type] = set()
    for statement in block:
        if branched and isinstance(statement, ast.BreakStatement | ast.ContinueStatement):
            found.add(type(statement))
        elif isinstance(statement, ast.BranchingStatement):
            found |= _leaves([*statement.if_block, *statement.else_block], True)
        elif isinstance(statement, ast.CompoundStatement):
            found |= _leaves(statement.statements, branched)
        elif isinstance(statement, ast.SwitchStatement):
            bodies = [body for _, body in statement.cases]
            found |= _leaves([*bodies, statement.default], True)
    return found
