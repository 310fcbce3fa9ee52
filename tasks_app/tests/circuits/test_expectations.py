"""Expectation values, probabilities and state vectors, against NumPy alone."""

import math
import random
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer.primitives import EstimatorV2

from tasks_app.circuits import CircuitError

Run = Callable[..., dict[str, Any]]
ErrorOf = Callable[..., CircuitError]
QASM3 = 'OPENQASM 3.0; include "stdgates.inc"; '
PAULIS = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
}
H = np.array([[1, 1], [1, -1]]) / math.sqrt(2)
S, T = np.diag([1, 1j]), np.diag([1, np.exp(0.25j * np.pi)])
CLIFFORD = {"h": H, "s": S, "x": PAULIS["X"], "y": PAULIS["Y"], "z": PAULIS["Z"]}
MAKE_ROTATION: dict[str, Callable[[float], Any]] = {
    f"r{letter.lower()}": lambda angle, pauli=PAULIS[letter]: (  # type: ignore[misc]
        math.cos(angle / 2) * np.eye(2) - 1j * math.sin(angle / 2) * pauli
    )
    for letter in "XYZ"
}


def on(qubits: int, places: tuple[int, ...], matrix: Any) -> Any:
    """The matrix of a gate on some qubits, of which qubit 0 is the rightmost factor."""
    if len(places) == 1:
        factors = [matrix if q == places[0] else np.eye(2) for q in range(qubits)]
        return reduce(lambda whole, factor: np.kron(factor, whole), factors)
    control, target = places  # of a controlled gate
    zero, one = np.diag([1, 0]), np.diag([0, 1])
    return on(qubits, (control,), zero) + on(qubits, (control,), one) @ on(
        qubits, (target,), matrix
    )


class Drawn:
    """A random circuit as a program, and its gates as matrices."""

    def __init__(self, seed: int, *, clifford: bool) -> None:
        self.chance = random.Random(seed)
        self.qubits = self.chance.randint(1, 5)
        self.gates: list[tuple[str, tuple[int, ...], Any]] = []
        lines = []
        for _ in range(4 * self.qubits):
            place = self.chance.randrange(self.qubits)
            if self.qubits > 1 and self.chance.random() < 0.4:
                other = self.chance.choice([q for q in range(self.qubits) if q != place])
                name, matrix = self.chance.choice([("cx", PAULIS["X"]), ("cz", PAULIS["Z"])])
                lines.append(f"{name} q[{place}], q[{other}];")
                self.gates.append((name, (place, other), matrix))
                continue
            if clifford or self.chance.random() < 0.4:
                name = self.chance.choice(sorted(CLIFFORD))
                lines.append(f"{name} q[{place}];")
                self.gates.append((name, (place,), CLIFFORD[name]))
            else:
                name, angle = self.chance.choice(sorted(MAKE_ROTATION)), self.chance.uniform(0, 6)
                lines.append(f"{name}({angle!r}) q[{place}];")
                self.gates.append((name, (place,), MAKE_ROTATION[name](angle)))
        size = self.qubits
        self.text = f"{QASM3}qubit[{size}] q; bit[{size}] c; {' '.join(lines)} c = measure q;"

    def observables(self) -> list[dict[str, float]]:
        return [
            {
                "".join(self.chance.choices("IXYZ", k=self.qubits)): self.chance.uniform(-2, 2)
                for _ in range(self.chance.randint(1, 6))
            }
            for _ in range(3)
        ]

    def density(self, chance: Callable[[str, tuple[int, ...]], float] | None = None) -> Any:
        """With noise of this chance after each gate."""
        rho = np.zeros((2**self.qubits,) * 2, complex)
        rho[0, 0] = 1
        for name, places, matrix in self.gates:
            gate = on(self.qubits, places, matrix)
            rho = gate @ rho @ gate.conj().T
            if chance:
                rho = depolarized(rho, self.qubits, places, chance(name, places))
        return rho


def depolarized(rho: Any, qubits: int, places: tuple[int, ...], chance: float) -> Any:
    """A mean over all Pauli strings on the places is the maximally mixed state there."""
    mixed = rho
    for place in places:
        each = [on(qubits, (place,), pauli) for pauli in PAULIS.values()]
        mixed = sum(pauli @ mixed @ pauli for pauli in each) / 4
    return (1 - chance) * rho + chance * mixed


def expected(rho: Any, observable: Mapping[str, float]) -> float:
    total = sum(
        weight * reduce(np.kron, (PAULIS[letter] for letter in pauli))
        for pauli, weight in observable.items()
    )
    return float(np.trace(rho @ total).real)


@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize(
    "method", ["statevector", "density_matrix", "matrix_product_state", "stabilizer"]
)
def test_values_are_those_of_the_density_matrix(run: Run, method: str, seed: int) -> None:
    drawn = Drawn(seed, clifford=method == "stabilizer")
    observables = drawn.observables()
    result = run(drawn.text, observables=observables, method=method)
    rho = drawn.density()
    right = [expected(rho, each) for each in observables]
    assert result["expectation_values"] == pytest.approx(right, abs=1e-9)
    assert result["standard_errors"] == [0, 0, 0] and "counts" not in result
    assert result["metadata"]["method"] == method


@pytest.mark.parametrize("method", ["statevector", "density_matrix", "matrix_product_state"])
def test_qubits_that_nothing_is_asked_of_can_be_left_out(run: Run, method: str) -> None:
    program = QASM3 + "qubit[4] q; ry(0.3) q[1]; ry(1.1) q[3]; cx q[1], q[3];"
    observables = [{"ZIII": 1.0}, {"IIZI": 1.0}, {"ZIZI": 1.0, "IZII": 2.0}]
    result = run(program, observables=observables, method=method)
    first, second = math.cos(0.3), math.cos(1.1)
    right = [first * second, first, second + 2]
    assert result["expectation_values"] == pytest.approx(right, abs=1e-9)


@pytest.mark.parametrize("seed", range(25))
def test_with_noise(run: Run, seed: int) -> None:
    noise = {"depolarizing_1q": 0.03, "depolarizing_2q": 0.1}
    drawn = Drawn(1000 + seed, clifford=False)
    observables = drawn.observables()
    rho = drawn.density(lambda name, places: noise[f"depolarizing_{len(places)}q"])
    flip = 0.2
    result = run(
        drawn.text,
        observables=observables,
        outputs=["probabilities"],
        noise=noise | {"readout": flip},
    )
    right = [expected(rho, each) for each in observables]
    assert result["expectation_values"] == pytest.approx(right, abs=1e-9)
    right = misread([flip] * drawn.qubits) @ np.diagonal(rho).real
    assert_probabilities(result["probabilities"], right, drawn.qubits)


@pytest.mark.parametrize("seed", range(15))
def test_with_noise_of_single_qubits_and_gates(run: Run, seed: int) -> None:
    drawn = Drawn(3000 + seed, clifford=False)
    one = [0.02 * (place + 1) for place in range(drawn.qubits)]
    flips = [0.1 / (place + 1) for place in range(drawn.qubits)]
    gates = {"h": 0.2, "cx": 0.05, "rx": 0.0}
    noise = {"depolarizing_1q": one, "depolarizing_2q": 0.1, "gates": gates, "readout": flips}
    rho = drawn.density(
        lambda name, places: gates.get(name, one[places[0]] if len(places) == 1 else 0.1)
    )
    observables = drawn.observables()
    result = run(drawn.text, observables=observables, outputs=["probabilities"], noise=noise)
    right = [expected(rho, each) for each in observables]
    assert result["expectation_values"] == pytest.approx(right, abs=1e-9)
    right = misread(flips) @ np.diagonal(rho).real
    assert_probabilities(result["probabilities"], right, drawn.qubits)


def misread(flips: list[float]) -> Any:
    """From the probabilities of outcomes to those of what is read."""
    each = [np.array([[1 - flip, flip], [flip, 1 - flip]]) for flip in reversed(flips)]
    return reduce(np.kron, each)


def assert_probabilities(told: Mapping[str, float], right: Any, qubits: int) -> None:
    chances = [told.get(f"{outcome:0{qubits}b}", 0.0) for outcome in range(2**qubits)]
    assert chances == pytest.approx(list(right), abs=1e-9)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("method", ["automatic", "matrix_product_state"])
def test_probabilities_and_state_vector(run: Run, method: str, seed: int) -> None:
    drawn = Drawn(2000 + seed, clifford=False)
    result = run(drawn.text, outputs=["probabilities", "statevector"], method=method)
    rho = drawn.density()
    assert_probabilities(result["probabilities"], np.diagonal(rho).real, drawn.qubits)
    state = np.array([complex(*each) for each in result["statevector"]])
    assert np.outer(state, state.conj()) == pytest.approx(rho, abs=1e-9)
    assert "counts" not in result


def test_bits_that_are_not_measured_are_zero_and_registers_stand_apart(run: Run) -> None:
    program = QASM3 + "qubit[3] q; bit[2] a; bit[2] b; h q[0]; x q[2]; a[1] = measure q[2];"
    told = run(program + "b[0] = measure q[0];", outputs=["probabilities"])["probabilities"]
    assert told == {"00 10": pytest.approx(0.5), "01 10": pytest.approx(0.5)}


def test_a_program_without_a_measurement_has_a_state_vector(run: Run) -> None:
    result = run(QASM3 + "qubit[2] q; h q[0]; gphase(pi / 2);", outputs=["statevector"])
    half = pytest.approx(math.sqrt(0.5))
    assert result["statevector"] == [
        [pytest.approx(0), half],
        [pytest.approx(0), half],
        *[[0, 0]] * 2,
    ]


ON_THE_WAY = QASM3 + "qubit[2] q; bit[2] c; ry(1) q[0]; c[0] = measure q[0];"
ON_THE_WAY += "if (c[0]) { x q[1]; } c[1] = measure q[1];"
OF_BOTH: list[dict[str, float]] = [{"ZI": 1, "IZ": 1}, {"ZZ": 1}, {"IX": 1, "II": 0.5}]


def test_what_is_measured_on_the_way_is_weighed_by_its_chance(run: Run) -> None:
    result = run(ON_THE_WAY, observables=OF_BOTH, shots=1)
    right = [2 * math.cos(1), 1, 0.5]
    assert result["expectation_values"] == pytest.approx(right, abs=1e-12)
    assert result["standard_errors"] == [0, 0, 0]
    assert result["metadata"]["sampling"] == "exact"
    drawn = run(ON_THE_WAY, observables=OF_BOTH, precision=0.01, outputs=["counts"], seed=5)
    assert drawn["standard_errors"] == [0.01] * 3
    assert abs(drawn["expectation_values"][0] - right[0]) < 0.06
    assert drawn["counts"] == run(ON_THE_WAY, seed=5)["counts"]


def test_what_is_repeated_until_success_has_exact_values(run: Run) -> None:
    program = QASM3 + "qubit[2] q; bit failed = true; while (failed) { reset q[0]; "
    program += "ry(pi / 3) q[0]; cx q[0], q[1]; failed = measure q[0]; } h q[0];"
    values = run(program, observables=[{"ZI": 1}, {"IX": 1}], shots=1)["expectation_values"]
    assert values == pytest.approx([0.6, 1], abs=1e-12)  # A failure has a chance of 1/4.


@pytest.mark.parametrize(
    ("program", "options"),
    [
        (ON_THE_WAY, {"method": "density_matrix"}),
        (ON_THE_WAY + "for int i in [0:8] { h q[0]; c[0] = measure q[0]; } reset q;" * 2, {}),
    ],
    ids=["another method", "many paths"],
)
def test_others_are_means_over_the_shots(run: Run, program: str, options: dict[str, Any]) -> None:
    result = run(program, observables=OF_BOTH, shots=300, seed=5, **options)
    assert result["metadata"]["sampling"] == "shots" and "note" not in result["metadata"]
    assert result["expectation_values"][1] == 1


def test_a_sweep_tells_if_any_of_its_values_are_means_over_the_shots(run: Run) -> None:
    program = QASM3 + "input float t; qubit q; bit failed = true; "
    program += "while (failed) { reset q; ry(t) q; failed = measure q; } h q;"
    sets = [{"t": 0.3}] * 100 + [{"t": 3.1}]  # The last ones are run apart, and fail often.
    told = run(program, parameter_sets=sets, observables=[{"X": 1}], precision=0.1, shots=5)
    assert told["metadata"]["sampling"] == "shots"
    assert "precision is unused" in told["metadata"]["note"]
    assert [each["expectation_values"] for each in told["sets"]] == [[pytest.approx(1)]] * 101


def test_means_over_shots_have_their_errors(run: Run) -> None:
    result = run(ON_THE_WAY, observables=OF_BOTH, shots=4_000, seed=5, method="density_matrix")
    values, errors = result["expectation_values"], result["standard_errors"]
    assert abs(values[0] - 2 * math.cos(1)) < 5 * errors[0] < 0.2
    assert (values[1:], errors[1]) == (pytest.approx([1, 0.5]), pytest.approx(0))


def test_with_noise_a_branch_may_read_a_bit_that_is_measured_at_the_end(run: Run) -> None:
    program = QASM3 + "qubit[2] q; bit[2] c; x q[0]; c[0] = measure q[0]; if (c == 1) { x q[1]; }"
    told = run(
        program + "c[1] = measure q[1];",
        observables=[{"ZI": 1}],
        noise={"depolarizing_1q": 0.1},
        shots=4_000,
        seed=5,
    )
    assert abs(told["expectation_values"][0] + 0.805) < 5 * told["standard_errors"][0] < 0.06


def test_precision_is_the_model_of_aers_estimator(run: Run) -> None:
    circuit = QuantumCircuit(2)
    circuit.ry(0.7, 0)
    circuit.cx(0, 1)
    observables = [{"ZZ": 1.0, "XX": 0.5}, {"IZ": 2.0}]
    operators = [SparsePauliOp.from_list(list(each.items())) for each in observables]
    estimator = EstimatorV2(options={"run_options": {"seed_simulator": 11}})
    right = estimator.run([(circuit, operators)], precision=0.05).result()[0].data
    program = QASM3 + "qubit[2] q; ry(0.7) q[0]; cx q[0], q[1];"
    result = run(program, observables=observables, precision=0.05, seed=11)
    assert result["expectation_values"] == pytest.approx(list(right.evs))
    assert result["standard_errors"] == list(right.stds) == [0.05, 0.05]


def test_many_observables_of_many_sets_in_one_task(run: Run) -> None:
    chance = random.Random(1)
    observables = [
        {"".join(chance.choices("IXYZ", k=4)): chance.uniform(-1, 1) for _ in range(5)}
        for _ in range(100)
    ]
    program = QASM3 + "input float t; qubit[4] q; ry(t) q; cx q[0], q[1]; cx q[2], q[3];"
    sets = [{"t": i / 100} for i in range(1_000)]
    result = run(program, observables=observables, parameter_sets=sets)
    assert result["metadata"]["compilations"] == 1
    assert [len(each["expectation_values"]) for each in result["sets"]] == [100] * 1_000
    alone = run(program, observables=observables, parameters=sets[777])
    values = result["sets"][777]["expectation_values"]
    assert values == pytest.approx(alone["expectation_values"], abs=1e-12)


def test_weights_may_be_as_large_as_they_are_allowed(run: Run) -> None:
    largest = [{"ZI": 1e100, "IZ": 1e100, "II": -1e100}, {"XX": -1e100}]
    result = run(QASM3 + "qubit[2] q;", observables=largest, shots=50)
    assert result["expectation_values"] == [pytest.approx(1e100), 0]
    measured = QASM3 + "qubit[2] q; bit c; h q[0]; c = measure q[0]; if (c) x q[1];"
    result = run(measured, observables=largest, shots=50)
    assert all(math.isfinite(error) for error in result["standard_errors"])


def test_counts_stay_what_they_are_beside_expectation_values(run: Run) -> None:
    program = QASM3 + "qubit[2] q; h q[0]; cx q[0], q[1]; bit[2] c = measure q;"
    alone = run(program, seed=3)["counts"]
    result = run(program, seed=3, observables=[{"XX": 1}], outputs=["counts"])
    assert result["counts"] == alone and result["expectation_values"] == [pytest.approx(1)]


MEASURED = QASM3 + "qubit[2] q; bit[2] c; h q[0]; c[0] = measure q[0]; h q[0]; c[1] = measure q[0];"


@pytest.mark.parametrize(
    ("program", "options", "code", "words"),
    [
        (MEASURED, {"observables": [{"ZZZ": 1}]}, "invalid_observables", "has 3 Pauli letters"),
        (MEASURED, {"observables": [{"ZA": 1}]}, "invalid_observables", "'ZA' is no string"),
        (MEASURED, {"observables": [{"ZZ": math.nan}]}, "invalid_observables", "-1e100 to 1e100"),
        (MEASURED, {"observables": [{"Z": 1, "ZZ": 1}]}, "invalid_observables", "length"),
        (MEASURED, {"observables": [{}]}, "invalid_observables", "An object of Pauli"),
        (MEASURED, {"observables": [{"ZZ": 1}] * 1_001}, "invalid_observables", "At most 1,000"),
        (MEASURED, {"precision": -0.1}, "invalid_precision", "from 0 to 1"),
        (MEASURED, {"outputs": ["state"]}, "invalid_outputs", "'state' is no output"),
        (MEASURED, {"outputs": ["probabilities"]}, "method_unsuitable", "because of its measure"),
        (MEASURED, {"outputs": ["statevector"]}, "method_unsuitable", "because of its measure"),
        (
            QASM3 + "qubit[2] q; bit c; h q; reset q[0]; c = measure q[1];",
            {"outputs": ["probabilities"]},
            "method_unsuitable",
            "because of its reset",
        ),
        (
            MEASURED + "uint[4] n = c; n += 1; if (n > 2) { x q; }",
            {"observables": [{"ZZ": 1}]},
            "method_unsuitable",
            "each shot its own way",
        ),
        (
            QASM3 + "qubit[22] q; h q;",
            {"outputs": ["statevector"]},
            "result_too_large",
            "4,194,304 amplitudes",
        ),
        (
            QASM3 + "qubit q; h q;",
            {"outputs": ["statevector"], "noise": {"depolarizing_1q": 0.1}},
            "method_unsuitable",
            "has no state vector",
        ),
        (
            QASM3 + "qubit q; h q;",
            {"observables": [{"Z": 1}], "method": "extended_stabilizer"},
            "method_unsuitable",
            "counts only",
        ),
        (
            QASM3 + "qubit[20] q; bit[20] c; h q; c = measure q;",
            {"outputs": ["probabilities"]},
            "result_too_large",
            "8,388,608 bytes",
        ),
        ("bit c;", {"outputs": ["statevector"]}, "method_unsuitable", "without qubits"),
        (
            QASM3 + "qubit[40] q; bit[40] c; h q; c = measure q;",
            {"outputs": ["probabilities"]},
            "too_much_memory",
            "40 measured bits",
        ),
        (
            QASM3 + "qubit[9] q; bit c; h q; c = measure q[0]; h q[0];",
            {
                "observables": [{f"{n:09b}".translate("X" * 49 + "Z"): 1} for n in range(512)],
                "shots": 100_000,
                "method": "density_matrix",
            },
            "too_much_memory",
            "512 Pauli strings of 100,000 shots",
        ),
    ],
)
def test_what_cannot_be_told_is_refused(
    error_of: ErrorOf, program: str, options: dict[str, Any], code: str, words: str
) -> None:
    error = error_of(program, **options)
    assert error.code == code and words in error.message
