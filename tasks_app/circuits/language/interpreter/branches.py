"""Branches and loops: decided now where the condition is known, else part of the circuit."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from openqasm3 import ast
from qiskit import QuantumCircuit
from qiskit.circuit.classical import expr

from tasks_app.circuits.language.interpreter import measured
from tasks_app.circuits.language.interpreter.gate_statements import GateStatements
from tasks_app.circuits.language.interpreter.state import Loop
from tasks_app.circuits.language.interpreter.syntax import called, leaves
from tasks_app.circuits.language.interpreter.values import (
    Bits,
    BitString,
    Variable,
    copied,
    failure,
    unsupported,
)


class ProgramEnd(Exception):
    """The statement `end` was reached."""


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
        self._tie()
        try:
            with self._scope():
                yield
        finally:
            self._depth -= 1
            self._builders -= 1

    def _tie(self) -> None:
        """Aer keeps the order of what shares a qubit: without one, a block with stores moves."""
        if self.circuit.qubits:
            self.circuit.barrier(self._measured or self.circuit.qubits[0])

    def _keep_decided(self, node: Any) -> None:
        """Before a branch: keep in bits what is assigned in it, or after it in a loop it leaves."""
        self._keep_assigned([node])
        if self._loops and leaves([node]):
            self._keep_assigned(self._loops[-1].block)

    def _BranchingStatement(self, node: ast.BranchingStatement) -> None:
        condition = self._evaluate.condition(node.condition)
        if isinstance(condition, bool):
            with self._scope():
                self._run_block(node.if_block if condition else node.else_block)
            return
        self._keep_decided(node)
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
        if not measured.is_runtime(target):
            chosen = self._evaluate.as_integer(target, node.target)
            body = next((body for labels, body in cases if chosen in labels), node.default)
            if body is not None:
                self.execute(body)
            return
        self._check_labels(target, [label for labels, _ in cases for label in labels], node)
        self._keep_decided(node)
        # All decided before any of the bodies, which may change the target.
        flags = [self._keep(self._evaluate.any_equal(target, labels, node)) for labels, _ in cases]
        bodies = [body for _, body in cases]
        if node.default is not None:
            flags.append(self._keep(measured.negate(Bits(tuple(flags)))))
            bodies.append(node.default)
        for flag, body in zip(flags, bodies, strict=True):
            with self.circuit.if_test(expr.lift(flag)), self._block():
                self._run_block(body.statements)

    def _check_labels(self, target: Any, labels: list[int], node: ast.SwitchStatement) -> None:
        highest = 1 << (len(measured.word(target).bits) - 1)
        lowest = -highest if isinstance(target, measured.Word) else 0
        seen: set[int] = set()
        for label in labels:
            if label in seen or not lowest <= label < highest:
                shown = label if label.bit_length() < 200 else "a very large one"
                raise failure(
                    node,
                    f"A case stands twice, or is no value from {lowest} to {highest - 1}: {shown}.",
                )
            seen.add(label)

    def _ForInLoop(self, node: ast.ForInLoop) -> None:
        values = self._loop_values(node.set_declaration)
        with self._unrolled_loop(node.block):
            for value in values:
                self.count_steps(1, node)
                with self._scope(), self._iteration():
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
        for_ever = isinstance(node.while_condition, ast.BooleanLiteral) and leaves(node.block)
        before = self._called
        condition = self._probe(node.while_condition)
        calls = self._called > before
        if not isinstance(condition, bool) or (condition and for_ever):
            self._while_at_run_time(node)
            return
        condition = self._evaluate.condition(node.while_condition)
        with self._unrolled_loop(node.block):
            while condition is True:
                self.count_steps(1, node)
                with self._scope(), self._iteration():
                    self._run_block(node.block)
                condition = self._evaluate.condition(node.while_condition)
            if not isinstance(condition, bool):
                if calls:  # It was called already, perhaps to measure.
                    raise unsupported(
                        node, "A loop whose condition starts to depend on a measurement"
                    )
                self._while_at_run_time(node)

    def _while_at_run_time(self, node: ast.WhileLoop) -> None:
        self._keep_assigned(node.block)
        condition = self._probe(node.while_condition)
        before = expr.lift(True if condition is None else condition)
        with self.circuit.while_loop(before), self._block():
            if condition is None:
                condition = self._evaluate.condition(node.while_condition)
                with self.circuit.if_test(expr.lift(measured.negate(condition))):
                    self.circuit.break_loop()
            self._loops.append(Loop(node.block, self._depth, unrolled=False))
            self._run_block(node.block)
            self._loops.pop()

    def _probe(self, node: Any) -> Any:
        """The value of a condition; `None` if a part of it has to stand in the circuit.

        Without effect: a subroutine that it calls works on copies of all variables.
        """
        saved = self.circuit, self._free, self._lent, self._measured, self._scopes, self.globals
        before = self._called
        self.circuit = QuantumCircuit(self.circuit.qubits, self.circuit.clbits)
        self._free, self._lent = [], []
        if any(name in self.globals for name in called(node)):  # Else nothing writes to them.
            self._scopes = copied(self._scopes)
            self.globals = self._scopes[0]
        try:
            condition = self._evaluate.condition(node)
            stands = not self.circuit.data and self._called == before
            return condition if isinstance(condition, bool) or stands else None
        except ProgramEnd:  # Not here, but where the condition is evaluated for good.
            return True
        finally:
            self.circuit, self._free, self._lent, self._measured, self._scopes, self.globals = saved

    @contextmanager
    def _unrolled_loop(self, block: Sequence[Any]) -> Iterator[None]:
        """Run the body of a loop.

        A loop that a measurement may leave is wrapped in a loop of the circuit that runs once,
        because that can be left from inside; and so is each iteration that a measurement may end.
        """
        left_by = leaves(block)
        loop = Loop(block, self._depth)
        loop.wrapped = ast.BreakStatement in left_by
        loop.iteration_wrapped = ast.ContinueStatement in left_by
        if loop.wrapped and loop.iteration_wrapped:
            loop.flag = self._keep(False)
        self._loops.append(loop)
        try:
            with self._once(loop.wrapped), suppress(_Break):
                yield
        finally:
            self._loops.pop()

    @contextmanager
    def _iteration(self) -> Iterator[None]:
        loop = self._loops[-1]
        loop.skipping = False
        broken = False
        with self._once(loop.iteration_wrapped):
            try:
                yield
            except _Continue:
                pass
            except _Break:  # Not through the builder, which would drop the iteration.
                broken = True
        if loop.flag is not None:
            with self.circuit.if_test(expr.lift(loop.flag)):
                self.circuit.break_loop()
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
                self._tie()
                yield
        finally:
            self._builders -= 1

    def _BreakStatement(self, node: ast.BreakStatement) -> None:
        loop = self._loops[-1]
        if loop.unrolled and self._depth == loop.depth and not loop.skipping:
            raise _Break
        if loop.flag is not None:
            self.circuit.store(loop.flag, expr.lift(True))
        elif loop.unrolled and not loop.wrapped:
            raise unsupported(node, "This break that a measurement decides")
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
