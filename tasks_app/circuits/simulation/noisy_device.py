"""A real device, simulated: programs are compiled for it, and run with its noise."""

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Delay, Gate
from qiskit.transpiler import PassManager, TranspilerError, generate_preset_pass_manager
from qiskit.transpiler.passes.synthesis.plugin import HighLevelSynthesisPluginManager
from qiskit.transpiler.preset_passmanagers.plugin import PassManagerStagePluginManager
from qiskit_aer.noise import thermal_relaxation_error

from tasks_app.circuits.device import read_device
from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.program import Program
from tasks_app.circuits.simulation import methods, rewriting
from tasks_app.circuits.simulation.compile import Compiled, Options, translating
from tasks_app.circuits.simulation.device_model import DeviceNoise, target_of
from tasks_app.circuits.simulation.kind import Kind
from tasks_app.circuits.simulation.rewriting import Ending, Registers

METHODS = ("automatic", "density_matrix", "statevector", "matrix_product_state")
SEED = 0
"""Of the transpiler: the same program is always compiled to the same circuit."""
_LEVEL = 2  # Qiskit's own, unasked.
_MAX_MANAGERS = 16  # Kept of a device.
_RELAXATION = frozenset(("relaxation",))  # No gate of any name, and no Clifford one.


@cache
def prepare() -> None:
    """Import what the first device would, which takes many times as long as a small circuit.

    Starts no thread, which a process that forks must not have.
    """
    PassManagerStagePluginManager()
    HighLevelSynthesisPluginManager()
    thermal_relaxation_error(1.0, 1.5, 1.0)


class AerDevice(Kind):
    """A device that its calibration describes (`docs/backends.md`)."""

    has_levels = True

    def __init__(self, definition: Mapping[str, Any]) -> None:
        """Raises InvalidDefinition."""
        self._device = read_device(definition)
        self._manager = lru_cache(_MAX_MANAGERS)(self._make_manager)
        self._noise = DeviceNoise(self._device)

    def compile(self, program: Program, options: Options, limits: Limits) -> Compiled:
        """Raises CircuitError."""
        self._check(program, options)
        if options.optimization_level is None:
            options = replace(options, optimization_level=_LEVEL)
        circuit = rewriting.without_first_resets(program.circuit)
        circuit, registers = rewriting.with_measured_bit_last(circuit, program.registers)
        if not program.measures and "measure" not in rewriting.operation_names(circuit):
            registers = ()
        program = replace(program, circuit=circuit, registers=registers)
        final = self._final(program, options, limits) if options.final_state else None
        if final and not options.counted:
            return final
        placed = self._placed(program, rewriting.with_overwritten_apart(circuit), options)
        busy = rewriting.used(placed)
        return replace(self._compiled(placed, busy, registers, options, limits), final=final)

    def _check(self, program: Program, options: Options) -> None:
        have, most = program.circuit.num_qubits, len(self._device.qubits)
        if have > most:
            raise CircuitError(
                "too_many_qubits",
                f"The circuit has {have:,} qubits, and the device {most:,}; declare fewer, or "
                "choose another backend.",
            )
        if options.noise is not None:
            raise CircuitError(
                "invalid_noise", "The device has noise of its own; leave noise out of the task."
            )
        if options.method not in METHODS:
            raise CircuitError(
                "method_unsuitable",
                f"The {options.method} method cannot say how a qubit relaxes; choose one of "
                f"{', '.join(METHODS)}.",
            )
        if "statevector" in options.outputs:
            raise CircuitError(
                "backend_unsuitable",
                "With the noise of a device there is no state vector; ask for probabilities or "
                "observables, or choose another backend.",
            )
        if options.observables is not None:
            options.observables.check_width(have)
        self._check_delays(program.circuit)

    def _check_delays(self, circuit: QuantumCircuit) -> None:
        operations = (each.operation for each in rewriting.instructions(circuit))
        for delay in (each for each in operations if isinstance(each, Delay)):
            length = delay.duration
            if not isinstance(length, int | float) or not 0 <= length < math.inf:
                raise CircuitError(
                    "backend_unsuitable",
                    "A device can wait for a known time only; give the delay a length that is a "
                    "number, and none less than 0.",
                )
            if delay.unit == "dt" and self._device.dt_s is None:
                raise CircuitError(
                    "backend_unsuitable",
                    "The device does not say how long a step (dt) is; give delays in seconds.",
                )

    def _final(self, program: Program, options: Options, limits: Limits) -> Compiled:
        """Without the final measurements, after which the transpiler might move a qubit."""
        before = rewriting.without_final_measurements(program.circuit, waits=True)
        placed = self._placed(program, before.circuit, options)
        ends = [placed.qubits[number] for number in _layouts(placed)[1]]
        end_of = dict(zip(before.circuit.qubits, ends, strict=True))
        measured = {clbit: end_of[qubit] for clbit, qubit in before.measured.items()}
        observed = () if options.observables is None else options.observables.qubits
        asked = {*measured.values(), *(ends[place] for place in observed)}
        busy = rewriting.used(placed) | asked
        compiled = self._compiled(placed, busy, program.registers, options, limits)
        ending = Ending(compiled.circuit.copy(), measured, ends, before.others)
        for clbit, qubit in measured.items():
            compiled.circuit.measure(qubit, clbit)  # To be shown.
        return replace(compiled, ending=ending)

    def _placed(
        self, program: Program, circuit: QuantumCircuit, options: Options
    ) -> QuantumCircuit:
        """The circuit in gates of the device, on all of its qubits."""
        level, flow = options.optimization_level, circuit.has_control_flow_op()
        manager = self._manager(level, _numbered(program), control_flow=flow)
        with translating("backend_unsuitable", "The circuit cannot be compiled for the device"):
            try:
                return manager.run(circuit)
            except TranspilerError:
                self._check_gates(circuit)
                raise

    def _check_gates(self, circuit: QuantumCircuit) -> None:
        """Refuse by name what the device cannot do even by itself."""
        gates = {
            each.name: each.operation
            for each in rewriting.instructions(circuit)
            if isinstance(each.operation, Gate) or each.name == "reset"
        }
        missing = []
        for name, operation in sorted(gates.items()):
            alone = QuantumCircuit(operation.num_qubits, operation.num_clbits)
            alone.append(operation, alone.qubits, alone.clbits)
            try:
                self._manager(0, None, control_flow=False).run(alone)
            except TranspilerError:
                missing.append(name)
        if missing:
            raise CircuitError(
                "backend_unsuitable",
                f"The device has no gates for {', '.join(missing[:10])}; use others, or choose "
                "another backend.",
            )

    def _make_manager(
        self, level: int | None, numbered: int | None, *, control_flow: bool
    ) -> PassManager:
        """`numbered`: how many qubits stay where they are, if they do."""
        target = target_of(self._device, control_flow=control_flow)
        layout = None if numbered is None else list(range(numbered))
        return generate_preset_pass_manager(
            level, target=target, initial_layout=layout, seed_transpiler=SEED
        )

    def _compiled(
        self,
        placed: QuantumCircuit,
        busy: set[object],
        registers: Registers,
        options: Options,
        limits: Limits,
    ) -> Compiled:
        busy = busy or set(placed.qubits[:1])  # Aer wants something to run.
        circuit = rewriting.on_qubits(placed, busy)
        numbers = [place for place, qubit in enumerate(placed.qubits) if qubit in busy]
        noise = self._noise.model(circuit, numbers)
        begins, ends = _layouts(placed)
        return Compiled(
            circuit,
            _method(circuit, options, limits, noisy=noise is not None),
            registers,
            noise,
            truncate=False,
            sampling=None,
            misread=lambda qubit: self._device.qubits[numbers[qubit]].readout_error,
            facts={
                "optimization_level": options.optimization_level,
                "transpiler_seed": SEED,
                "layout": begins,
                "final_layout": ends,
            },
            hardware=numbers,
        )


def _layouts(placed: QuantumCircuit) -> tuple[list[int], list[int]]:
    """The numbers of the device's qubits on which those of the program begin, and end."""
    if placed.layout is None:  # There was nothing to place.
        return [], []
    find = placed.layout.initial_index_layout, placed.layout.final_index_layout
    begins, ends = (each(filter_ancillas=True) for each in find)
    return begins, ends


def _numbered(program: Program) -> int | None:
    """How many qubits it has if it names those of the hardware, as `$0`, which then stay."""
    names = [program.names.get(qubit, ("", None))[0] for qubit in program.circuit.qubits]
    hardware = [name.startswith("$") for name in names]
    if any(hardware) and not all(hardware):
        raise CircuitError(
            "backend_unsuitable",
            "The circuit names qubits of the hardware and declares others; on a device, do either.",
        )
    return len(names) if any(hardware) else None


def _method(circuit: QuantumCircuit, options: Options, limits: Limits, *, noisy: bool) -> str:
    """Raises CircuitError where none, or not the one asked for, can run it."""
    names = rewriting.operation_names(circuit)
    if options.method != "automatic":
        methods.check(circuit, names, options.method, limits)
        return options.method
    if not noisy:
        return methods.choose(circuit, names, options.shots, False, limits)
    width = circuit.num_qubits
    ending = rewriting.without_final_measurements(circuit)
    splits = not {"reset"}.issuperset(ending.others)  # Each shot is run by itself.
    if splits and methods.fits(width, limits):
        return "statevector"
    # As measured on 6 to 11 qubits, a shot takes about as long as two of the matrix's columns.
    quick = options.final_state or 1 << width <= 2 * options.shots
    if quick and methods.fits(2 * width, limits):
        return "density_matrix"
    return methods.choose(circuit, names | _RELAXATION, options.shots, True, limits)
