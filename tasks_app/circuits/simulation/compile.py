"""From a program to counts: compile for a method, run on Aer, format."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit.equivalence_library import SessionEquivalenceLibrary
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.exceptions import QiskitError
from qiskit.transpiler import PassManager, TranspilerError
from qiskit.transpiler.passes import BasisTranslator, HighLevelSynthesis, UnrollCustomDefinitions
from qiskit_aer import AerSimulator

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.program import Program
from tasks_app.circuits.simulation import methods, rewriting
from tasks_app.circuits.simulation.aer import Angles, execute
from tasks_app.circuits.simulation.branching import Branching, branching
from tasks_app.circuits.simulation.noise import Noise
from tasks_app.circuits.simulation.observables import Observables
from tasks_app.circuits.simulation.rewriting import Ending
from tasks_app.circuits.simulation.sampling import MOST_QUBITS, Sampling, sampling

STATES = frozenset(("probabilities", "statevector"))
"""Outputs that tell of the state before the final measurements."""
COUNTED = frozenset(("counts", "memory"))
"""Outputs that tell of shots."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A circuit in gates its method knows, and what was learnt on the way."""

    circuit: QuantumCircuit
    method: str
    registers: tuple[tuple[int, ...], ...]
    """Indices of the bits to count; none if nothing is measured."""
    noise: Any
    truncate: bool
    sampling: Sampling | Branching | None
    """How to count without running each shot, where that is possible."""
    execute: Callable[..., list[Mapping[str, Any]]] = execute
    ending: Ending | None = None
    """The circuit before its final measurements, where it is compiled apart."""
    final: "Compiled | None" = None
    """The program compiled for what is asked of its final state, where that is another circuit."""
    misread: Callable[[int], tuple[float, float]] = lambda qubit: (0.0, 0.0)
    """The chances that a qubit of the circuit is read as 1 while it is 0, and the other way."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the metadata tell of it besides."""
    hardware: Sequence[int] = ()
    """The numbers of its qubits on a device."""

    def run(
        self, circuit: QuantumCircuit, angles: Sequence[Angles], **options: Any
    ) -> list[Mapping[str, Any]]:
        """Aer's data of each run of a circuit made of this one. Raises CircuitError."""
        return self.execute(
            circuit,
            angles,
            method=self.method,
            noise_model=self.noise,
            enable_truncation=self.truncate,
            **options,
        )


@dataclass(frozen=True, slots=True)
class Options:
    """How to run a program, and what to tell of it."""

    method: str
    shots: int
    noise: Noise | None
    outputs: frozenset[str]
    observables: Observables | None
    optimization_level: int | None = None

    @property
    def counts_qubits(self) -> bool:
        """Whether it names qubits by their place, so that none may be left out."""
        return self.final_state or (self.noise is not None and self.noise.counts_qubits)

    @property
    def counted(self) -> bool:
        """Whether its shots are counted, or nothing but the circuit is asked for."""
        return not self.final_state or not COUNTED.isdisjoint(self.outputs)

    @property
    def final_state(self) -> bool:
        """Whether something is to be told of the state before the final measurements."""
        return self.observables is not None or not STATES.isdisjoint(self.outputs)


def compile_program(program: Program, options: Options, limits: Limits) -> Compiled:
    """Raises CircuitError when the method, or for `automatic` any, cannot run the program."""
    method, shots, noise = options.method, options.shots, options.noise
    asked = method
    noisy = noise is not None
    circuit = program.circuit
    if noise is not None:
        noise.check_width(circuit.num_qubits)
    if "reset" in circuit.count_ops():
        circuit = rewriting.without_first_resets(circuit)
    # The state vector method knows most gates: what it leaves unchanged shows what is used.
    circuit = translate(circuit, "statevector" if asked == "automatic" else asked, noisy)
    if circuit.has_control_flow_op() and not options.counts_qubits:
        circuit = rewriting.without_idle_qubits(circuit)
    names = rewriting.operation_names(circuit)
    if asked == "automatic":
        method = _final_state_method(circuit, options, limits) or methods.choose(
            circuit, names, shots, noisy, limits
        )
        circuit = translate(circuit, method, noisy)
    circuit = rewriting.with_phase_as_gates(circuit, wanted="statevector" in options.outputs)
    methods.check(circuit, names, method, limits)
    registers = program.registers if program.measures or "measure" in names else ()
    model = None
    if noise is not None:
        model = noise.model()
        circuit, registers = rewriting.with_measured_bit_last(circuit, registers)
    drawn: Sampling | Branching | None = None
    small = circuit.num_qubits <= MOST_QUBITS
    if small and not noisy and method in ("statevector", "stabilizer"):
        ending = rewriting.without_final_measurements(circuit)
        if ending.others:
            drawn = branching(circuit, limits)
        else:
            drawn = sampling(ending, method=method, shots=shots)
    truncate = not circuit.has_control_flow_op()
    compiled = Compiled(circuit, method, registers, model, truncate, drawn)
    if noise is None:
        return compiled
    final = replace(compiled, misread=noise.misread)
    return replace(final, circuit=rewriting.with_overwritten_apart(circuit), final=final)


def _final_state_method(circuit: QuantumCircuit, options: Options, limits: Limits) -> str | None:
    """The method that alone tells what is wanted, or tells it exactly."""
    if options.noise is None:
        return "statevector" if "statevector" in options.outputs else None
    exact = options.final_state and methods.fits(2 * methods.used_qubits(circuit), limits)
    return "density_matrix" if exact else None


def translate(circuit: QuantumCircuit, method: str, noisy: bool) -> QuantumCircuit:
    """The circuit in gates that the method knows, with noise on one or two qubits each."""
    if rewriting.operation_names(circuit) <= _basis(method, noisy):
        return circuit
    what = f"The circuit does not translate to the gates of the {method} method"
    unroll, to_basis = _pass_managers(method, noisy)
    with translating("method_unsuitable", what):
        circuit = unroll.run(circuit)
        if noisy:
            circuit = rewriting.with_noise_once(circuit, _basis(method, True))
        return to_basis.run(circuit)


@contextmanager
def translating(code: str, what: str) -> Iterator[None]:
    """Tells why the transpiler gave up: raises CircuitError, with this code where it refused."""
    try:
        yield
    except TranspilerError as error:
        raise CircuitError(code, f"{what}: {error.message[:200]}") from None
    except (CircuitError, QiskitError, MemoryError, RecursionError):
        raise
    except Exception:
        # What Qiskit's synthesis makes of an instruction that was read from a file.
        raise CircuitError(
            "invalid_program",
            "Qiskit cannot break an instruction down into gates; send the circuit decomposed.",
        ) from None


@cache
def _pass_managers(method: str, noisy: bool) -> tuple[PassManager, PassManager]:
    """To standard gates, and from them to those of the method; they change nothing else.

    Without a backend, so that no width limit guessed from the memory of the machine applies.
    """
    basis = sorted(_basis(method, noisy))
    library = SessionEquivalenceLibrary
    return (
        PassManager(
            [
                HighLevelSynthesis(basis_gates=basis, equivalence_library=library),
                UnrollCustomDefinitions(library, basis_gates=basis),
            ]
        ),
        PassManager([BasisTranslator(library, basis)]),
    )


@cache
def _basis(method: str, noisy: bool) -> frozenset[str]:
    """Names of the operations the method runs; with noise, of gates on one or two qubits only,
    and the same whatever the method.
    """
    alike = ("density_matrix", "matrix_product_state") if noisy else ()
    known = set.intersection(
        *(set(AerSimulator(method=each).configuration().basis_gates) for each in (method, *alike))
    )
    if method == "extended_stabilizer":
        known.discard("rz")  # Aer 0.18 names it, and then refuses it.
    gates = get_standard_gate_name_mapping()
    widest = 2 if noisy else 100
    matrices = () if noisy else {"unitary"}.intersection(known)
    return methods.NOT_GATES.union(
        (name for name in known if name in gates and gates[name].num_qubits <= widest), matrices
    )
