"""Read QPY: Qiskit's own reader makes the circuit, which becomes a program when it is in order.

The reader believes a file: that a gate has as many qubits as it says, that a matrix is unitary.
It is written in Rust and may give up in ways of its own, all of which end here.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from types import ModuleType
from typing import Any

from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Clbit, Parameter
from qiskit.exceptions import QiskitError

from tasks_app.circuits.errors import CircuitError, check_width, wrong_number
from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.flatten import Flattening
from tasks_app.circuits.language.interpreter.conversion import ArithmeticFailure
from tasks_app.circuits.language.interpreter.deferred import Deferred, Inputs, conversion
from tasks_app.circuits.language.interpreter.values import Bits, Qubits
from tasks_app.circuits.language.program import Program, program_of
from tasks_app.circuits.qpy_file import QpyFile

# Where Qiskit's reader looks for what a file names.
_MODULES = ("qiskit.circuit", "qiskit.circuit.library", "qiskit.circuit.controlflow")
_EVOLUTION = "qiskit.synthesis.evolution"
_UNITLESS = (
    "QPY does not tell the units of delays: on a device they count as steps of its clock (dt)."
)


def read_qpy(file: QpyFile, limits: Limits, inputs: Inputs) -> Program:
    """Raises CircuitError."""
    check_width("qubits", file.qubits, limits.max_qubits)
    check_width("classical bits", file.clbits, limits.max_clbits)
    loaded = _understood(lambda: _load(file))
    flattening = Flattening(limits)
    circuit = _understood(lambda: flattening.circuit(loaded))
    circuit, deferred = _bound(circuit, _by_name(loaded, circuit, inputs))
    named = {each.name: Bits(tuple(each)) for each in circuit.cregs}
    # `measure_all` may give bits the name of qubits, and results tell of the bits.
    qregs = [each for each in circuit.qregs if each.name not in named]
    registers = {each.name: Qubits(tuple(each)) for each in qregs}
    notes = (_UNITLESS,) if flattening.waits else ()
    return program_of(circuit, _counted(circuit), named | registers, deferred, notes)


def _by_name(loaded: QuantumCircuit, circuit: QuantumCircuit, inputs: Inputs) -> Inputs:
    """The values of the file's parameters, of which some may have gone since."""
    names = [each.name for each in loaded.parameters]
    if 0 in inputs:  # They come in order.
        if len(names) != len(inputs):
            raise wrong_number(len(names), len(inputs))
        inputs = {name: inputs[place] for place, name in enumerate(names)}
    left = {each.name for each in circuit.parameters}
    if unknown := sorted(inputs.keys() - left - set(names)):
        raise CircuitError(
            "invalid_parameters", f"The circuit has no parameter named {unknown[0]!r:.80}."
        )
    return {name: value for name, value in inputs.items() if name in left}


def _counted(circuit: QuantumCircuit) -> list[list[Clbit]]:
    """By registers, in the order of their bits; a bit outside registers is one of its own."""
    groups: dict[Any, list[Clbit]] = {}
    for bit in circuit.clbits:
        registers = circuit.find_bit(bit).registers
        groups.setdefault(registers[0][0] if registers else bit, []).append(bit)
    return list(groups.values())


def _load(file: QpyFile) -> QuantumCircuit:
    with _classes_only():
        (circuit,) = qpy.load(BytesIO(file.data))
    return circuit


def _understood(read: Callable[[], QuantumCircuit]) -> QuantumCircuit:
    try:
        return read()
    except (CircuitError, MemoryError, RecursionError):
        raise
    except QiskitError as error:
        reason = error.message.partition("\n")[0].rstrip(" :")
        told = f" ({reason:.200})"
    except BaseException:  # also a panic of the reader, which is no Exception
        told = ""
    raise CircuitError(
        "invalid_qpy",
        f"Qiskit cannot read the QPY file{told}; write it from the circuit decomposed, or send "
        "OpenQASM.",
    )


@contextmanager
def _classes_only() -> Iterator[None]:
    """Without the functions of the modules in which Qiskit's reader calls what a file names."""
    names = (*_MODULES, _EVOLUTION)
    whole = {name: sys.modules[name] for name in names}
    sys.modules.update({name: _classes_of(name) for name in names})
    try:
        yield
    finally:
        sys.modules.update(whole)


@cache
def _classes_of(name: str) -> ModuleType:
    module = ModuleType(name)
    for key, value in vars(sys.modules[name]).items():
        circuit = isinstance(value, type) and issubclass(value, QuantumCircuit)
        if (
            value is QuantumCircuit
            or (isinstance(value, type) and not circuit)
            or not callable(value)
        ):
            setattr(module, key, value)
    return module


def _bound(
    circuit: QuantumCircuit, inputs: Inputs
) -> tuple[QuantumCircuit, dict[Deferred, Parameter]]:
    """The circuit with the values that are there, and its parameters by those that will be."""
    free: dict[str, Parameter] = {each.name: each for each in circuit.parameters}
    if missing := sorted(free.keys() - inputs.keys()):
        raise CircuitError(
            "invalid_parameters", f"Give a value for {missing[0]!r:.80} in parameters."
        )
    known, deferred = {}, {}
    for name, value in inputs.items():
        try:
            angle = _angle(value)
        except ArithmeticFailure:
            raise CircuitError(
                "invalid_parameters", f"The value given for {name!r:.80} is no number."
            ) from None
        if type(angle) is Deferred:
            deferred[angle] = free[name]
        else:
            known[free[name]] = angle
    return circuit.assign_parameters(known) if known else circuit, deferred


@conversion
def _angle(value: Any) -> float:
    if type(value) not in (int, float):
        raise ArithmeticFailure("gives no number, which is needed here")
    return float(value)
