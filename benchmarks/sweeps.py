"""Sweeps and expectation values: the service against plain Aer on the same circuits.

`python -m benchmarks.sweeps KIND` runs the plain side, and prints seconds and what it found.
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing import get_context
from statistics import median
from typing import Any

from benchmarks.bars import Effort, Line, interleaved
from benchmarks.sides import Field
from testing.service import ROOT, eventually

BAR = 8
HEADER = 'OPENQASM 3.0; include "stdgates.inc";'
SETS, QUBITS, LAYERS, SHOTS = 500, 10, 5, 1000
ITERATIONS = 100
ROUND_TRIP_S = 0.015
# Of a hydrogen molecule at 0.735 Å in the STO-3G basis, by the Jordan-Wigner transformation; its
# lowest energy without the repulsion of the nuclei is -1.857275 hartree.
HYDROGEN = {
    **{"IIII": -0.81054798, "IIIZ": 0.17218393, "IIZI": -0.22575349, "IZII": 0.17218393},
    **{"ZIII": -0.22575349, "IIZZ": 0.12091263, "IZIZ": 0.16892754, "YYYY": 0.04523280},
    **{"XXYY": 0.04523280, "YYXX": 0.04523280, "XXXX": 0.04523280, "ZIIZ": 0.16614543},
    **{"IZZI": 0.16614543, "ZIZI": 0.17464343, "ZZII": 0.12091263},
}


def ansatz(qubits: int, layers: int) -> str:
    """Rotations by inputs p0, p1 … and entangling gates between neighbours."""
    names = [f"p{i}" for i in range(qubits * layers)]
    lines = [HEADER, *(f"input float {name};" for name in names), f"qubit[{qubits}] q;"]
    for layer in range(layers):
        for qubit in range(qubits):
            lines.append(f"ry({names[layer * qubits + qubit]}) q[{qubit}];")
        lines += [f"cx q[{i}], q[{i + 1}];" for i in range(qubits - 1)]
    return "\n".join(lines)


def measured(program: str, qubits: int) -> str:
    return f"{program}\nbit[{qubits}] c; c = measure q;"


def values(sets: int, count: int) -> list[dict[str, float]]:
    chance = random.Random(1)
    return [{f"p{i}": chance.uniform(0, 6) for i in range(count)} for _ in range(sets)]


def dense(number: int) -> str:
    """A random circuit of 20 qubits that fills the whole state vector."""
    chance, lines = random.Random(number), [HEADER, "qubit[20] q;"]
    for layer in range(10):
        lines += [f"u3({chance.uniform(0, 6)}, 1, 2) q[{i}];" for i in range(20)]
        lines += [f"cx q[{i}], q[{i + 1}];" for i in range(layer % 2, 19, 2)]
    return measured("\n".join(lines).replace("u3", "U"), 20)


def descend(energies: Callable[[Sequence[dict[str, float]]], Sequence[float]]) -> float:
    """Simultaneous perturbation: two energies an iteration decide where to go. The last mean."""
    chance, names = random.Random(2), [f"p{i}" for i in range(8)]
    point, above, below = dict.fromkeys(names, 0.5), 0.0, 0.0
    for _ in range(ITERATIONS):
        way = {name: chance.choice((-1, 1)) for name in names}
        above, below = energies(
            [{name: point[name] + sign * 0.1 * way[name] for name in names} for sign in (1, -1)]
        )
        slope = (above - below) / 0.2
        point = {name: point[name] - 0.1 * slope * way[name] for name in names}
    return (above + below) / 2


# -- plain Aer -----------------------------------------------------------------------------------


def bound(program: str, sets: Sequence[dict[str, float]]) -> tuple[Any, list[dict[Any, Any]]]:
    """The circuit as Qiskit reads it, and the values as Aer takes them."""
    from qiskit import qasm3

    circuit = qasm3.loads(program)
    names = {parameter.name: parameter for parameter in circuit.parameters}
    return circuit, [{names[name]: [each[name] for each in sets] for name in sets[0]}]


def plain_sweep(sets: Sequence[dict[str, float]], *, apart: bool = False, **options: Any) -> float:
    """Seconds for one circuit with its values beside it or, `apart`, for a circuit a setting."""
    from qiskit_aer import AerSimulator

    circuit, binds = bound(measured(ansatz(QUBITS, LAYERS), QUBITS), sets)
    simulator = AerSimulator(**options)
    begun = time.perf_counter()
    if apart:
        columns = zip(*binds[0].values(), strict=True)
        settings = [dict(zip(binds[0], each, strict=True)) for each in columns]
        circuits = [circuit.assign_parameters(each) for each in settings]
        result = simulator.run(circuits, shots=SHOTS).result()
    else:
        result = simulator.run(circuit, parameter_binds=binds, shots=SHOTS).result()
    assert len([result.get_counts(i) for i in range(len(sets))]) == len(sets)
    return time.perf_counter() - begun


def one_process() -> dict[str, float]:
    return {"seconds": plain_sweep(values(SETS, QUBITS * LAYERS))}


def half(part: int, apart: bool) -> tuple[float, float]:
    sets = values(SETS, QUBITS * LAYERS)[part::2]
    plain_sweep(sets[:5], apart=apart, max_parallel_threads=1)
    begun = time.time()
    plain_sweep(sets, apart=apart, max_parallel_threads=1)
    return begun, time.time()


def two_processes(*, apart: bool) -> dict[str, float]:
    with get_context("spawn").Pool(2) as pool:
        times = pool.starmap(half, [(0, apart), (1, apart)], chunksize=1)
    return {"seconds": max(end for _, end in times) - min(begun for begun, _ in times)}


def plain_dense() -> dict[str, float]:
    from qiskit import qasm3
    from qiskit_aer import AerSimulator

    circuits = [qasm3.loads(dense(number)) for number in range(8)]
    simulator = AerSimulator()
    begun = time.perf_counter()
    for circuit in circuits:
        simulator.run(circuit, shots=SHOTS).result().get_counts()
    return {"seconds": time.perf_counter() - begun}


def plain_hydrogen() -> dict[str, float]:
    from qiskit.quantum_info import SparsePauliOp
    from qiskit_aer.primitives import EstimatorV2

    circuit, _ = bound(ansatz(4, 2), values(1, 8))
    names = [parameter.name for parameter in circuit.parameters]
    operator, estimator = SparsePauliOp.from_list(list(HYDROGEN.items())), EstimatorV2()

    def energies(sets: Sequence[dict[str, float]]) -> Sequence[float]:
        rows = [[each[name] for name in names] for each in sets]
        evs = estimator.run([(circuit, operator, rows)], precision=0.0).result()[0].data.evs
        return [float(each) for each in evs]

    begun = time.perf_counter()
    return {"energy": descend(energies), "seconds": time.perf_counter() - begun}


PLAIN: dict[str, Callable[[], dict[str, float]]] = {
    "one-process": one_process,
    "two-processes": partial(two_processes, apart=True),
    "two-processes-binds": partial(two_processes, apart=False),
    "dense": plain_dense,
    "hydrogen": plain_hydrogen,
}


def plain(kind: str) -> dict[str, float]:
    """In a process of its own, as a person would run it."""
    command = [sys.executable, "-m", "benchmarks.sweeps", kind]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


# -- the service ---------------------------------------------------------------------------------


def run(place: Field, path: str, body: dict[str, Any]) -> tuple[float, Any]:
    """Seconds from the submission to the answer that all is completed, and that answer."""
    begun = time.perf_counter()
    accepted = place.service.post(path, body).body
    where = f"/batches/{accepted['batch_id']}" if "batch_id" in accepted else ""
    where = where or f"/tasks/{accepted['task_id']}"
    answer: Any = None

    def is_over() -> bool:
        nonlocal answer
        answer = place.service.get(f"{where}?wait=60").body
        if "counts" in answer:
            return bool(answer["counts"]["completed"] == answer["size"])
        return bool(answer["status"] == "completed")

    eventually(is_over, within_s=300, what="all is completed")
    return time.perf_counter() - begun, answer


def seconds_of(place: Field, path: str, body: dict[str, Any]) -> float:
    return run(place, path, body)[0]


def our_hydrogen(place: Field) -> dict[str, float]:
    program = ansatz(4, 2)

    def energies(sets: Sequence[dict[str, float]]) -> Sequence[float]:
        body = {"circuit": program, "parameter_sets": sets, "observables": [HYDROGEN]}
        result = run(place, "/tasks", body)[1]["result"]
        return [each["expectation_values"][0] for each in result["sets"]]

    begun = time.perf_counter()
    return {"energy": descend(energies), "seconds": time.perf_counter() - begun}


def sweeps(place: Field, effort: Effort) -> Iterator[Line]:
    """8. Sweeps and expectation values, in two slots."""
    program, sets = measured(ansatz(QUBITS, LAYERS), QUBITS), values(SETS, QUBITS * LAYERS)
    sweep = {"circuit": program, "shots": SHOTS, "parameter_sets": sets}
    circuits = {"shots": SHOTS, "tasks": [{"circuit": dense(number)} for number in range(8)]}
    what = f"{SETS} settings of {QUBITS * LAYERS} angles, {QUBITS} qubits, {SHOTS:,} shots"
    kinds: list[tuple[str, str, str, dict[str, Any], float | None]] = [
        (f"{what}: one task, s", "one-process", "/tasks", sweep, 1.1),
        (f"{what}: a task each, s", "two-processes", "/tasks/batch", sweep, 1.5),
        (f"{what}: a task each, Aer binds, s", "two-processes-binds", "/tasks/batch", sweep, None),
        ("8 random circuits of 20 qubits, s", "dense", "/tasks/batch", circuits, 1.1),
    ]
    for name, kind, path, body, factor in kinds:
        run(place, path, body)  # warms up
        found = interleaved(
            effort.rounds,
            ours=partial(seconds_of, place, path, body),
            bare=partial(plain, kind),
        )
        bare = median(each["seconds"] for each in found["bare"])
        line = Line(BAR, name, median(found["ours"]), bare=bare)
        yield line.at_most(factor * bare, f", {factor} × plain Aer") if factor else line
    run(place, "/tasks", {"circuit": ansatz(4, 2), "parameters": values(1, 8)[0]})
    both = interleaved(
        effort.rounds, ours=partial(our_hydrogen, place), bare=partial(plain, "hydrogen")
    )
    ours, bare = (min(each["seconds"] for each in both[name]) for name in ("ours", "bare"))
    apart = abs(both["ours"][0]["energy"] - both["bare"][0]["energy"])
    name = f"H₂, {ITERATIONS} iterations (energies {apart:.0e} apart), s"
    line = Line(BAR, name, ours, bare=bare)
    yield line.at_most(1.5 * (bare + ITERATIONS * ROUND_TRIP_S), ", 1.5 × (plain + 15 ms each)")
    place.ours.empty()


if __name__ == "__main__":
    print(json.dumps(PLAIN[sys.argv[1]]()))
