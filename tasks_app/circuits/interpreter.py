"""Turn OpenQASM 3 statements into a Qiskit circuit.

Whatever is known while the program is read happens here: constants, variables, loops,
subroutines and gate bodies. What depends on a measurement becomes control flow of the circuit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from openqasm3 import ast
from qiskit import QuantumCircuit
from qiskit.circuit import (
    CircuitInstruction,
    ClassicalRegister,
    Clbit,
    Gate,
    Measure,
    QuantumRegister,
    Qubit,
)
from qiskit.circuit.classical import expr

from tasks_app.circuits import arithmetic, gates, runtime
from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.expressions import Evaluator
from tasks_app.circuits.gates import GateSpec
from tasks_app.circuits.job import Limits
from tasks_app.circuits.values import (
    Bits,
    BitString,
    Duration,
    Qubits,
    Variable,
    failure,
    unsupported,
)

_BITS = (Qubit, Qubits, Clbit, Bits)
_MEASURE = Measure()
_MAX_CALLS = 100  # Calls of subroutines and gates inside one another.
_LOOP_RAN_AWAY = "The program unrolls to more than {:,} operations; use fewer iterations or gates."


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class _Return(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


class ProgramEnd(Exception):
    """The statement ``end`` was reached."""


class Interpreter:
    """Executes statements one by one; ``circuit`` grows with each."""

    def __init__(self, limits: Limits, inputs: Mapping[str, Any]) -> None:
        self.circuit = QuantumCircuit()
        self.globals: dict[str, Any] = {"U": gates.U}
        self.outputs: list[Any] = []
        """Bits declared ``output``: if there are any, only these are counted."""
        self.hidden: set[Clbit] = set()
        """Bits the program has no name for at its end; they are not counted."""
        self._limits = limits
        self._inputs = dict(inputs)
        self._used_inputs: set[str] = set()
        self._scopes = [self.globals]
        self._evaluate = Evaluator(self._lookup, self._call_subroutine)
        self._steps = 0
        self._depth = 0  # Of control flow that a measurement decides.
        self._builders = 0  # Blocks of the circuit under construction, which need its own methods.
        self._calls = 0
        self._in_gate = False
        self._loops: list[_Loop] = []
        self._returns: list[int] = []  # Depth at which each subroutine was called.
        self._library_names: set[str] = set()

    def execute(self, node: Any) -> None:
        """Raises CircuitError, or ProgramEnd."""
        self.count_steps(1, node)
        method = getattr(self, f"_{type(node).__name__}", None)
        if method is None:
            kind = re.sub("(?<=.)([A-Z])", r" \1", type(node).__name__).lower()
            raise unsupported(node, f"A statement of the kind {kind!r}")
        method(node)

    def finish(self) -> None:
        """Check what can be checked only at the end of the program."""
        if unknown := sorted(self._inputs.keys() - self._used_inputs):
            raise CircuitError(
                "invalid_parameters", f"The circuit declares no input named {unknown[0]!r:.80}."
            )

    def count_steps(self, steps: int, node: Any = None) -> None:
        self._steps += steps
        if self._steps > self._limits.max_operations:
            message = _LOOP_RAN_AWAY.format(self._limits.max_operations)
            raise failure(node, message, "too_many_operations")

    # Names.

    def define(self, name: str, value: Any, node: Any) -> None:
        scope = self._scopes[-1]
        if name in scope and not (scope is self.globals and name in self._library_names):
            raise failure(node, f"The name {name!r:.80} is already taken.")
        scope[name] = value
        if scope is self.globals:  # A name of the user's hides one of a library.
            self._library_names.discard(name)

    def _lookup(self, node: ast.Identifier) -> Any:
        for scope in reversed(self._scopes):
            if node.name in scope:
                found = scope[node.name]
                if self._in_gate and scope is self.globals and isinstance(found, _BITS):
                    raise failure(node, "The body of a gate sees no qubit but its own.")
                return found
        if node.name in arithmetic.CONSTANTS:
            return arithmetic.CONSTANTS[node.name]
        if node.name.startswith("$") and node.name[1:].isdecimal() and not self._in_gate:
            return self._physical_qubit(node)
        raise failure(node, f"The name {node.name!r:.80} is not defined.")

    def _physical_qubit(self, node: ast.Identifier) -> Qubit:
        index = int(node.name[1:][:12])
        self._check_size(self.circuit.num_qubits, index + 1, self._limits.max_qubits, node)
        for place in range(index + 1):
            if f"${place}" not in self.globals:
                qubit = Qubit()
                self.circuit.add_bits([qubit])
                self.globals[f"${place}"] = qubit
        return self.globals[f"${index}"]

    @contextmanager
    def _scope(self) -> Iterator[None]:
        self._scopes.append({})
        try:
            yield
        finally:
            self._scopes.pop()

    @contextmanager
    def _frame(self, node: Any) -> Iterator[dict[str, Any]]:
        """The scope of a body that sees nothing of its caller but what is global."""
        if self._calls >= _MAX_CALLS:
            raise failure(node, f"More than {_MAX_CALLS} calls are nested.", "too_deeply_nested")
        saved, self._scopes = self._scopes, [self.globals, {}]
        self._calls += 1
        try:
            yield self._scopes[-1]
        finally:
            self._scopes = saved
            self._calls -= 1

    # Declarations.

    def declare_qubits(self, name: str, size: int | None, node: Any = None) -> None:
        """``size`` is ``None`` for a single qubit."""
        if len(self._scopes) > 1:
            raise failure(node, "Qubits can be declared at the top level only.")
        self._check_size(
            self.circuit.num_qubits, 1 if size is None else size, self._limits.max_qubits, node
        )
        if size is None:
            qubit = Qubit()
            self.define(name, qubit, node)
            self.circuit.add_bits([qubit])
            return
        register = QuantumRegister(size, _register_name(name, self.circuit.qregs))
        self.define(name, Qubits(tuple(register)), node)
        self.circuit.add_register(register)

    def declare_bits(self, name: str, size: int | None, node: Any = None) -> Any:
        """``size`` is ``None`` for a single bit."""
        value = self._new_bits(name, size, node)
        self.define(name, value, node)
        return value

    def _new_bits(self, name: str, size: int | None, node: Any) -> Any:
        self._forbid_in_gate(node)
        self._check_size(
            self.circuit.num_clbits, 1 if size is None else size, self._limits.max_clbits, node
        )
        if size is None:
            bit = Clbit()
            self.circuit.add_bits([bit])
            value: Any = bit
        else:
            register = ClassicalRegister(size, _register_name(name, self.circuit.cregs))
            self.circuit.add_register(register)
            value = Bits(tuple(register), register)
        if len(self._scopes) > 1:
            self.hidden.update(register if size is not None else (bit,))
        return value

    def _hidden_bits(self, size: int | None, node: Any) -> Any:
        with self._scope():
            return self._new_bits("hidden", size, node)

    def _check_size(self, have: int, more: int, allowed: int, node: Any) -> None:
        if more < 1:
            raise failure(node, "A register needs at least one element.")
        if have + more > allowed:
            kind = "qubits" if allowed == self._limits.max_qubits else "classical bits"
            code = "too_many_qubits" if kind == "qubits" else "too_many_clbits"
            raise failure(
                node, f"{have + more:,} {kind} are declared, {allowed:,} are allowed.", code
            )

    def _QubitDeclaration(self, node: ast.QubitDeclaration) -> None:
        size = None if node.size is None else self._evaluate.integer(node.size)
        self.declare_qubits(node.qubit.name, size, node)

    def _ClassicalDeclaration(self, node: ast.ClassicalDeclaration) -> None:
        name, initial = node.identifier.name, node.init_expression
        if isinstance(node.type, ast.BitType):
            size = None if node.type.size is None else self._evaluate.integer(node.type.size)
            # The initial value may use an outer variable of the same name.
            value = None if initial is None else self._initial(initial)
            bits = self.declare_bits(name, size, node)
            if initial is not None:
                self._store(bits, value, node)
            return
        if isinstance(node.type, ast.StretchType):
            self.define(name, Variable(Duration(0.0, "dt"), None), node)
            return
        value = self._zero(node.type) if initial is None else self._initial(initial)
        value = self._evaluate.coerce(value, node.type, node)
        if runtime.is_runtime(value):
            self.define(name, self._snapshot(value, node), node)
        else:
            self.define(name, Variable(value, node.type, self._depth), node)

    def _initial(self, node: Any) -> Any:
        if isinstance(node, ast.QuantumMeasurement):
            return self._measure_hidden(node)
        return self._evaluate.value(node)

    def _zero(self, declared: Any) -> Any:
        if isinstance(declared, ast.DurationType):
            return Duration(0.0, "dt")
        if isinstance(declared, ast.ArrayType):
            value: Any = 0
            for dimension in reversed(declared.dimensions):
                length = self._evaluate.integer(dimension)
                self.count_steps(max(length, 1) * (_size(value)), dimension)
                value = [_copy(value) for _ in range(length)]
            return value
        return 0

    def _ConstantDeclaration(self, node: ast.ConstantDeclaration) -> None:
        value = self._evaluate.value(node.init_expression)
        if runtime.is_runtime(value):
            raise failure(node, "A constant cannot depend on a measurement.")
        if not (isinstance(node.type, ast.BitType) and isinstance(value, BitString)):
            value = self._evaluate.coerce(value, node.type, node)
        self.define(node.identifier.name, Variable(value, None), node)

    def _IODeclaration(self, node: ast.IODeclaration) -> None:
        name = node.identifier.name
        if node.io_identifier is ast.IOKeyword.output:
            if not isinstance(node.type, ast.BitType):
                raise unsupported(node, "An output that is not of type bit")
            size = None if node.type.size is None else self._evaluate.integer(node.type.size)
            self.outputs.append(self.declare_bits(name, size, node))
            return
        if name not in self._inputs:
            raise failure(
                node, f"Give a value for {name!r:.80} in parameters.", "invalid_parameters"
            )
        value = self._inputs[name]
        number = isinstance(value, int | float)
        if isinstance(node.type, ast.IntType | ast.UintType | ast.BoolType):
            number = isinstance(value, int)
        if not number:
            raise failure(
                node, f"The value given for {name!r:.80} does not fit.", "invalid_parameters"
            )
        self._used_inputs.add(name)
        self.define(name, Variable(self._evaluate.coerce(value, node.type, node), None), node)

    def _AliasStatement(self, node: ast.AliasStatement) -> None:
        value = self._evaluate.value(node.value)
        if not isinstance(value, Qubits | Qubit | Bits | Clbit):
            raise failure(node, "Only quantum and bit registers can have an alias.")
        self.define(node.target.name, value, node)

    def _Include(self, node: ast.Include) -> None:
        if len(self._scopes) > 1:
            raise failure(node, "Include a library at the top level.")
        self.include(node.filename)

    def include(self, filename: str) -> None:
        for name, spec in gates.LIBRARY_GATES[filename].items():
            if name not in self.globals:
                self.globals[name] = spec
                self._library_names.add(name)

    # Gates.

    def _QuantumGateDefinition(self, node: ast.QuantumGateDefinition) -> None:
        if len(self._scopes) > 1:
            raise failure(node, "Gates can be defined at the top level only.")
        names = [item.name for item in [*node.arguments, *node.qubits]]
        if len(set(names)) < len(names):
            raise failure(node, "Two parameters of this gate have the same name.")
        made: dict[tuple[float, ...], tuple[Gate, int]] = {}

        def make(values: tuple[float, ...]) -> tuple[Gate, int]:
            if values not in made:
                made[values] = self._gate_body(node, values)
            return made[values]

        spec = GateSpec(len(node.arguments), len(node.qubits), make)
        self.define(node.name.name, spec, node)

    def _gate_body(
        self, node: ast.QuantumGateDefinition, values: tuple[float, ...]
    ) -> tuple[Gate, int]:
        definition = QuantumCircuit(len(node.qubits))
        outer = self.circuit, self._steps, self._depth, self._in_gate
        self.circuit, self._steps, self._depth, self._in_gate = definition, 0, 0, True
        try:
            with self._frame(node) as names:
                for argument, value in zip(node.arguments, values, strict=True):
                    names[argument.name] = Variable(value, None)
                for name, qubit in zip(node.qubits, definition.qubits, strict=True):
                    names[name.name] = qubit
                for statement in node.body:
                    self.execute(statement)
            size = max(self._steps, 1)
        finally:
            self.circuit, self._steps, self._depth, self._in_gate = outer
        # Qiskit and Aer know gates by their names: this one must not pass for one of theirs.
        gate = Gate(f"own_{node.name.name}", len(node.qubits), list(values))
        gate.definition = definition
        return gate, size

    def _QuantumGate(self, node: ast.QuantumGate) -> None:
        spec = self.gate_named(node.name.name, node)
        values = tuple(float(self._evaluate.number(argument)) for argument in node.arguments)
        self.check_arity(spec, node.name.name, len(values), node)
        gate, size = spec.make(values)
        gate, size = self._modified(gate, size, node.modifiers)
        operands = [self._operand(qubit) for qubit in node.qubits]
        self._apply(gate, size, operands, node)

    def gate_named(self, name: str, node: Any = None) -> GateSpec:
        spec = self.globals.get(name)
        if not isinstance(spec, GateSpec):
            raise failure(
                node, f"The gate {name!r:.80} is not defined; include stdgates.inc or define it."
            )
        return spec

    def check_arity(self, spec: GateSpec, name: str, given: int, node: Any = None) -> None:
        if given != spec.parameters:
            raise failure(node, f"The gate {name} takes {spec.parameters} parameters, not {given}.")

    def _QuantumPhase(self, node: ast.QuantumPhase) -> None:
        angle = self._evaluate.number(node.argument)
        if not node.modifiers:
            if self._depth == 0:  # Elsewhere it cannot be seen, in no kind of circuit.
                self.circuit.global_phase += angle
            return
        gate, size = self._modified(gates.global_phase(angle), 1, node.modifiers)
        operands = [self._operand(qubit) for qubit in node.qubits]
        if gate.num_qubits:
            self._apply(gate, size, operands, node)
        elif self._depth == 0:
            self.circuit.global_phase += gate.definition.global_phase

    def _modified(
        self, gate: Gate, size: int, modifiers: Sequence[ast.QuantumGateModifier]
    ) -> tuple[Gate, int]:
        for modifier in reversed(modifiers):
            kind = modifier.modifier
            if kind is ast.GateModifierName.inv:
                gate = gate.inverse()
            elif kind is ast.GateModifierName.pow:
                exponent = self._evaluate.number(modifier.argument)
                size *= max(int(abs(exponent)), 1)
                self.count_steps(size, modifier)
                gate = gates.power(gate, exponent)
            else:
                count = (
                    1 if modifier.argument is None else self._evaluate.integer(modifier.argument)
                )
                if not 1 <= count <= self._limits.max_qubits:
                    raise failure(modifier, "The number of controls must be at least 1.")
                on = kind is ast.GateModifierName.ctrl
                gate = gates.controlled(gate, count, on=on)
        return gate, size

    def _operand(self, node: Any) -> Any:
        value = self._evaluate.value(node)
        if not isinstance(value, Qubit | Qubits):
            raise failure(node, "A qubit or quantum register is needed here.")
        return value

    def _apply(self, gate: Gate, size: int, operands: list[Any], node: Any) -> None:
        for qubits in broadcast(operands, gate.num_qubits, node):
            self.count_steps(size, node)
            self.circuit.append(gate, qubits)

    def _QuantumBarrier(self, node: ast.QuantumBarrier) -> None:
        qubits = [qubit for item in node.qubits for qubit in _flat(self._operand(item))]
        self.circuit.barrier(list(dict.fromkeys(qubits)) or self.circuit.qubits)

    def _QuantumReset(self, node: ast.QuantumReset) -> None:
        self._forbid_in_gate(node)
        for qubit in _flat(self._operand(node.qubits)):
            self.circuit.reset(qubit)

    def _DelayInstruction(self, node: ast.DelayInstruction) -> None:
        duration = self._evaluate.value(node.duration)
        if not isinstance(duration, Duration):
            raise failure(node, "A delay needs a duration.")
        qubits = [q for item in node.qubits for q in _flat(self._operand(item))]
        for qubit in qubits or self.circuit.qubits:
            # Without a noise model that decays, time has no effect.
            self.circuit.delay(0, qubit)

    def _Box(self, node: ast.Box) -> None:
        with self._scope():
            self._run_block(node.body)

    # Measurement and classical assignment.

    def _QuantumMeasurementStatement(self, node: ast.QuantumMeasurementStatement) -> None:
        self._forbid_in_gate(node)
        if node.target is None:
            self._measure_hidden(node.measure)
            return
        target = self._target(node.target)
        if isinstance(target, Variable):
            self._assign(node.target, self._measure_hidden(node.measure), node)
            return
        self.measure(self._operand(node.measure.qubit), target, node)

    def measure(self, source: Any, target: Any, node: Any = None) -> None:
        self._forbid_in_gate(node)
        qubits, bits = _flat(source), _flat(target)
        if not isinstance(target, Bits | Clbit):
            raise failure(node, "A measurement is written to a bit or a bit register.")
        if len(qubits) != len(bits):
            raise failure(node, f"{len(qubits)} qubits are measured to {len(bits)} bits.")
        self.count_steps(len(bits), node)
        for qubit, bit in zip(qubits, bits, strict=True):
            if self._builders:
                self.circuit.measure(qubit, bit)
            else:  # The same, without checks made above.
                self.circuit._append(CircuitInstruction(_MEASURE, (qubit,), (bit,)))

    def _measure_hidden(self, node: ast.QuantumMeasurement) -> Any:
        self._forbid_in_gate(node)
        source = self._operand(node.qubit)
        size = None if isinstance(source, Qubit) else len(source.items)
        bits = self._hidden_bits(size, node)
        self.measure(source, bits, node)
        return bits

    def _target(self, node: Any) -> Any:
        """What is assigned to: bits, or the variable."""
        name = node.name if isinstance(node, ast.IndexedIdentifier) else node
        found = self._lookup(name)
        if isinstance(found, Variable):
            return found
        return self._evaluate.value(node)

    def _ClassicalAssignment(self, node: ast.ClassicalAssignment) -> None:
        value = self._initial(node.rvalue)
        if node.op.name != "=":
            operation = ast.BinaryOperator[node.op.name.removesuffix("=")]
            left: Any = node.lvalue  # An indexed identifier is no expression to the type checker.
            combined = ast.BinaryExpression(op=operation, lhs=left, rhs=node.rvalue)
            combined.span = node.span
            value = self._evaluate.value(combined)
        self._assign(node.lvalue, value, node)

    def _assign(self, lvalue: Any, value: Any, node: Any) -> None:
        target = self._target(lvalue)
        if not isinstance(target, Variable):
            self._store(target, value, node)
            return
        if target.type is None:
            raise failure(node, "A constant cannot be assigned to.")
        if self._undecided(target.depth):
            raise unsupported(node, "Assigning a variable where a measurement decides")
        if isinstance(lvalue, ast.IndexedIdentifier):
            self._assign_element(target, lvalue, value, node)
            return
        value = self._evaluate.coerce(value, target.type, node)
        if runtime.is_runtime(value):
            for scope in reversed(self._scopes):
                if scope.get(lvalue.name) is target:
                    scope[lvalue.name] = self._snapshot(value, node)
                    return
        target.value = value

    def _assign_element(
        self, target: Variable, lvalue: ast.IndexedIdentifier, value: Any, node: Any
    ) -> None:
        if not isinstance(target.type, ast.ArrayType) or runtime.is_runtime(value):
            raise unsupported(node, "Assigning a part of this variable")
        places: list[Any] = []
        for index in lvalue.indices:
            places += index.values if isinstance(index, ast.DiscreteSet) else index
        array = target.value
        for place in places[:-1]:
            array = self._evaluate.index(array, [place], node)
        last = self._evaluate.integer(places[-1])
        if not isinstance(array, list) or not -len(array) <= last < len(array):
            raise failure(node, f"Index {last} is outside the array.")
        if isinstance(array[last], list):
            raise unsupported(node, "Assigning a part of an array")
        array[last] = self._evaluate.coerce(value, target.type.base_type, node)

    def _snapshot(self, value: Any, node: Any) -> Any:
        """Keep a run-time value in hidden bits, where later measurements do not change it."""
        size = len(value.items) if isinstance(value, Bits) else None
        if isinstance(value, expr.Expr) and hasattr(value.type, "width"):
            size = value.type.width
        bits = self._hidden_bits(size, node)
        self._store(bits, value, node)
        return bits

    def _store(self, target: Any, value: Any, node: Any) -> None:
        self._forbid_in_gate(node)
        if not isinstance(target, Bits | Clbit):
            raise failure(node, "This cannot be assigned to.")
        bits = _flat(target)
        if isinstance(target, Bits) and isinstance(value, expr.Expr):
            if target.register is None or getattr(value.type, "width", None) != len(bits):
                raise unsupported(node, "Assigning this expression to bits")
            self.circuit.store(expr.lift(target.register), value)
            return
        sources: list[Any]
        if isinstance(value, Bits | Clbit):
            sources = _flat(value)
            if len(sources) != len(bits):
                raise failure(node, f"{len(sources)} bits are assigned to {len(bits)}.")
            if len(bits) > 1 and set(sources) & set(bits):
                raise unsupported(node, "Assigning a bit register to a part of itself")
        elif isinstance(value, expr.Expr):
            sources = [runtime.condition(value)]
        else:
            if isinstance(value, BitString):
                if value.width != len(bits):
                    raise failure(node, f"{value.width} bits are assigned to {len(bits)}.")
                value = value.value
            if not isinstance(value, int) or not 0 <= value < 2 ** len(bits):
                raise failure(node, f"The value does not fit {len(bits)} bits.")
            sources = [bool(value >> place & 1) for place in range(len(bits))]
        for bit, source in zip(bits, sources, strict=True):
            self.count_steps(1, node)
            self.circuit.store(bit, expr.lift(source))

    # Control flow.

    def _run_block(self, statements: Sequence[Any]) -> None:
        for statement in statements:
            self.execute(statement)

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

    def _CompoundStatement(self, node: ast.CompoundStatement) -> None:
        with self._scope():
            self._run_block(node.statements)

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
        self._loops.append(_Loop(unrolled, self._depth, wrapped))
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

    def _undecided(self, depth: int) -> bool:
        """Whether a measurement decides if control comes here from where ``depth`` was."""
        return self._depth > depth or any(loop.left or loop.skipping for loop in self._loops)

    def _EndStatement(self, node: ast.EndStatement) -> None:
        if self._undecided(0) or any(loop.wrapped for loop in self._loops):
            raise unsupported(node, "An end that a measurement decides")
        raise ProgramEnd

    # Subroutines.

    def _SubroutineDefinition(self, node: ast.SubroutineDefinition) -> None:
        self.define(node.name.name, node, node)

    def _ExpressionStatement(self, node: ast.ExpressionStatement) -> None:
        if not isinstance(node.expression, ast.FunctionCall):
            raise failure(node, "This statement does nothing; is something missing?")
        self._evaluate.value(node.expression)

    def _ReturnStatement(self, node: ast.ReturnStatement) -> None:
        if not self._returns:
            raise failure(node, "A return belongs in a subroutine.")
        if self._undecided(self._returns[-1]) or any(loop.wrapped for loop in self._loops):
            raise unsupported(node, "A return that a measurement decides")
        raise _Return(None if node.expression is None else self._initial(node.expression))

    def _call_subroutine(self, node: ast.FunctionCall) -> Any:
        routine = self.globals.get(node.name.name)
        if not isinstance(routine, ast.SubroutineDefinition):
            raise failure(node, f"The subroutine {node.name.name!r:.80} is not defined.")
        self._forbid_in_gate(node)
        if len(node.arguments) != len(routine.arguments):
            raise failure(node, f"The subroutine takes {len(routine.arguments)} arguments.")
        values = [
            self._argument(declared, given)
            for declared, given in zip(routine.arguments, node.arguments, strict=True)
        ]
        loops, self._loops = self._loops, []
        self._returns.append(self._depth)
        try:
            with self._frame(node) as names:
                for declared, value in zip(routine.arguments, values, strict=True):
                    names[declared.name.name] = value
                self._run_block(routine.body)
        except _Return as returned:
            if routine.return_type is None or returned.value is None:
                return returned.value
            return self._evaluate.coerce(returned.value, routine.return_type, node)
        finally:
            self._loops = loops
            self._returns.pop()
        return None

    def _argument(self, declared: Any, given: Any) -> Any:
        if isinstance(declared, ast.QuantumArgument):
            value = self._operand(given)
            size = None if declared.size is None else self._evaluate.integer(declared.size)
            if (len(value.items) if isinstance(value, Qubits) else None) != size:
                raise failure(given, "The argument has another number of qubits than declared.")
            return value
        value = self._evaluate.value(given)
        if isinstance(declared.type, ast.ArrayReferenceType):
            if not isinstance(value, list):
                raise failure(given, "An array is needed here.")
            element = ast.ArrayType(base_type=declared.type.base_type, dimensions=[])
            return Variable(value, element, self._depth)
        value = self._evaluate.coerce(value, declared.type, given)
        if runtime.is_runtime(value):
            return self._snapshot(value, given)
        return Variable(value, declared.type, self._depth)

    def _forbid_in_gate(self, node: Any) -> None:
        if self._in_gate:
            raise failure(node, "The body of a gate holds gates only.")


@dataclass(slots=True)
class _Loop:
    unrolled: bool
    depth: int
    wrapped: bool
    iteration_wrapped: bool = False
    left: bool = False
    """A measurement may have left the loop."""
    skipping: bool = False
    """A measurement may have ended the iteration."""


def broadcast(operands: Sequence[Any], width: int, node: Any = None) -> list[tuple[Qubit, ...]]:
    """The qubits of each application of a gate of ``width`` qubits."""
    if len(operands) != width:
        raise failure(node, f"The gate takes {width} qubits, not {len(operands)}.")
    lengths = {len(item.items) for item in operands if isinstance(item, Qubits)}
    if len(lengths) > 1:
        raise failure(node, "The registers have different lengths.")
    times = lengths.pop() if lengths else 1
    columns = [item.items if isinstance(item, Qubits) else (item,) * times for item in operands]
    applications = list(zip(*columns, strict=True))
    for qubits in applications:
        if len(set(qubits)) < len(qubits):
            raise failure(node, "A gate cannot take the same qubit twice.")
    return applications


def _flat(value: Any) -> list[Any]:
    return list(value.items) if isinstance(value, Qubits | Bits) else [value]


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


def _register_name(name: str, taken: Sequence[Any]) -> str:
    names = {register.name for register in taken}
    if name not in names:
        return name
    return next(f"{name}_{n}" for n in range(len(names) + 1) if f"{name}_{n}" not in names)


def _copy(value: Any) -> Any:
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _size(value: Any) -> int:
    return sum(map(_size, value)) if isinstance(value, list) else 1
