"""Circuits of every kind that Qiskit's users have."""

from functools import partial

from qiskit import QuantumCircuit
from qiskit.circuit import (
    Gate,
    Parameter,
    ParameterVector,
    QuantumRegister,
    Qubit,
    library,
)
from qiskit.quantum_info import (
    Clifford,
    SparsePauliOp,
    random_clifford,
    random_unitary,
)

from testing.qiskit_circuits import STANDARD, Build, alone, of


def own_gates() -> QuantumCircuit:
    """Gates that have the names of others, or one name."""
    first = of(1, ("h", 0), ("t", 0))
    second = of(1, ("x", 0), ("t", 0))
    first.name = second.name = "my gate!"
    first.global_phase = 0.7
    pair = of(2, ("h", 0), ("cx", 0, 1), (first.to_gate(), [1]))
    pair.name = "rzz"
    t = Parameter("t")
    turn = of(1, ("rx", 2 * t, 0), ("rz", t / 3 - 1, 0))
    turn.name = "rx"
    return of(
        3,
        (first.to_gate(), [0]),
        (second.to_gate(), [1]),
        (first.to_gate().control(), [2, 0]),
        (pair.to_gate(), [0, 1]),
        (pair.to_gate().inverse(), [2, 1]),
        (turn.to_gate({t: 0.3}), [0]),
        (turn.to_gate({t: Parameter("measure")}), [1]),
    )


def parametrised() -> QuantumCircuit:
    a, b, v = Parameter("β"), Parameter("input"), ParameterVector("v[", 12)
    circuit = of(
        2,
        ("rx", a + b, 0),
        ("ry", a * b - v[10] ** 2, 0),
        ("rz", (a / 2 + v[1]).sin() + b.cos() * a.tan(), 1),
        ("p", v[2].exp() - abs(a).log(), 1),
        ("rx", a.arcsin() + a.arccos() - b.arctan(), 0),
        ("u", -a, abs(-b), a.sign(), 1),
        ("rx", a.conjugate() * 2 / 3, 0),
        ("rx", -(a**2) + (-b) ** 2 + a**-1 + 2**b, 1),
        ("rx", 1e-7 * a + 1e7 / b, 1),
    )
    circuit.global_phase = v[11] / 2
    return circuit


def unused() -> QuantumCircuit:
    """With a parameter that nothing depends on."""
    gate = Gate("ignores", 1, [Parameter("a")])
    gate.definition = of(1, ("sx", 0))
    return of(1, (gate, [0]), ("rx", Parameter("b"), 0))


def names_like_ours(*names: str) -> QuantumCircuit:
    a, b, c = map(Parameter, names)
    circuit = of(1, ("rx", a + 2 * b / c, 0), ("ry", b - c, 0))
    circuit.global_phase = 3 * c
    return circuit


def odd_names() -> QuantumCircuit:
    registers = [QuantumRegister(1, name) for name in ("measure", "p0", "rzz", "a b", "θ")]
    circuit = QuantumCircuit(*registers)
    circuit.rzz(Parameter("p1"), 0, 1)
    circuit.rx(Parameter("x") + Parameter("p0x"), 2)
    circuit.cx(3, 4)
    return circuit


def transpiled() -> QuantumCircuit:
    from qiskit import generate_preset_pass_manager
    from qiskit.providers.fake_provider import GenericBackendV2

    device = GenericBackendV2(4, coupling_map=[[0, 1], [1, 2], [2, 3]], seed=1)
    circuit = of(3, ("h", 0), ("cx", 0, 2), ("rzz", 0.3, 0, 1))
    return generate_preset_pass_manager(1, device, seed_transpiler=1).run(circuit)


def looped() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    with circuit.for_loop(range(5, 0, -2)) as turn:
        circuit.rx(turn / 2, 0)
        with circuit.for_loop((1, 4), Parameter("p0")) as inner:
            circuit.ry(inner / 3 + Parameter("a"), 1)
    with circuit.for_loop(range(0)):
        circuit.x(0)
    return circuit


def overlapping() -> QuantumCircuit:
    bits = [Qubit(), Qubit(), Qubit()]
    circuit = QuantumCircuit(bits)
    circuit.add_register(QuantumRegister(name="front", bits=bits[:2]))
    circuit.add_register(QuantumRegister(name="back", bits=bits[:0:-1]))
    circuit.h(0)
    circuit.cx(circuit.qregs[1][0], circuit.qregs[1][1])
    circuit.crx(0.4, 0, 1)
    return circuit


UNITARY: dict[str, Build] = {
    **{f"gate {name}": partial(alone, gate) for name, gate in STANDARD.items()},
    "no gates": lambda: QuantumCircuit(2, global_phase=0.3),
    "qft": lambda: of(4, (library.QFTGate(4), range(4))),
    "ansatz": lambda: library.efficient_su2(3, reps=1),
    "feature map": lambda: library.zz_feature_map(3, reps=1),
    "qaoa": lambda: library.qaoa_ansatz(SparsePauliOp(["ZZI", "IZZ"], [0.5, 2.0]), reps=1),
    "grover": lambda: library.grover_operator(of(3, ("ccz", 0, 1, 2))),
    "adder": lambda: of(5, (library.HalfAdderGate(2), range(5))),
    "many controls": lambda: of(6, ("mcx", [0, 1, 2, 3, 4], 5), ("mcp", 0.3, [0, 1, 2], 3)),
    "open controls": lambda: of(3, (library.RYGate(0.4).control(2, ctrl_state=1), [0, 1, 2])),
    "annotated": lambda: of(
        3,
        (library.RYGate(0.4).control(2, ctrl_state=2, annotated=True), [0, 1, 2]),
        (library.SXGate().inverse(annotated=True).power(2, annotated=True), [1]),
    ),
    "unitary": lambda: of(3, ("unitary", random_unitary(8, seed=1), [2, 0, 1])),
    "power": lambda: of(1, (library.RXGate(0.4).power(0.5), [0])),
    "inverse": lambda: of(2, ("rzx", 0.3, 0, 1), ("iswap", 0, 1)).inverse(),
    "permutation": lambda: of(3, (library.PermutationGate([2, 0, 1]), [0, 1, 2])),
    "evolution": lambda: of(
        2, (library.PauliEvolutionGate(SparsePauliOp(["XX", "ZZ"]), 0.3), [0, 1])
    ),
    "free evolution": lambda: of(
        2, (library.PauliEvolutionGate(SparsePauliOp(["XX", "YZ"]), Parameter("t")), [1, 0])
    ),
    "pauli": lambda: of(3, (library.PauliGate("XZY"), [0, 1, 2])),
    "diagonal": lambda: of(2, (library.DiagonalGate([1, -1, 1j, 1]), [0, 1])),
    "multiplexer": lambda: of(
        2, (library.UCGate([library.HGate().to_matrix(), library.XGate().to_matrix()]), [0, 1])
    ),
    "isometry": lambda: of(2, (library.Isometry(random_unitary(4, seed=2).data, 0, 0), [0, 1])),
    "clifford": lambda: of(3, (random_clifford(3, seed=1), [1, 0, 2])),
    "linear function": lambda: of(
        2, (library.LinearFunction([[1, 1], [0, 1]]), [0, 1]), (Clifford(of(1, ("h", 0))), [0])
    ),
    "barriers": lambda: of(2, ("h", 0), ("barrier",), ("cx", 0, 1), ("barrier", 1)),
    "delay of ticks": lambda: of(1, ("h", 0), ("delay", 100, 0, "dt"), ("h", 0)),
    "delay of picoseconds": lambda: of(1, ("h", 0), ("delay", 2.5, 0, "ps"), ("h", 0)),
    "own gates": own_gates,
    "parameters": parametrised,
    "odd names": odd_names,
    "unused": unused,
    "names like ours": partial(names_like_ours, "p0", "p1", "p2"),
    "names like ours, moved": partial(names_like_ours, "a", "p0", "p1"),
    "names like ours, exchanged": partial(names_like_ours, "p10", "p2", "p1"),
    "transpiled": transpiled,
    "loose qubits": lambda: QuantumCircuit([Qubit(), Qubit()]).compose(of(2, ("cx", 1, 0))),
    "overlapping registers": overlapping,
    "loops": looped,
    "nearly pi": lambda: of(1, ("rx", 3.14159265, 0), ("ry", 1e-9, 0), ("rz", 1.5707963, 0)),
}
