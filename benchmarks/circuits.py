"""Figures of the circuits package, as ratios in one run: `python benchmarks/circuits.py`.

Times are processor seconds of one thread, the best of several runs, so that a busy machine
disturbs them little. Each line ends with the bar it has to meet.
"""

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from qiskit import qasm3  # noqa: E402
from qiskit_aer import AerSimulator  # noqa: E402

from tasks_app.circuits import Job, Limits, Sandbox  # noqa: E402
from tasks_app.circuits.job import as_message  # noqa: E402
from tasks_app.circuits.language.read import read_qasm3  # noqa: E402
from tasks_app.circuits.language.source import read_source  # noqa: E402
from tasks_app.circuits.sandbox import frames  # noqa: E402
from tasks_app.circuits.simulation.runner import Runner  # noqa: E402

LIMITS = Limits()
BELL = (ROOT / "examples/bell.qasm").read_text()
HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
STEERED = {
    "teleportation": HEAD + "qubit[3] q; bit[2] m; bit c; ry(0.7) q[0]; h q[1]; cx q[1], q[2]; "
    "cx q[0], q[1]; h q[0]; m = measure q[0:1]; if (m[1]) { x q[2]; } if (m[0]) { z q[2]; } "
    "c = measure q[2];",
    "repeat until success": HEAD + "qubit[2] q; bit failed; bit c; failed = true; "
    "while (failed) { reset q[0]; ry(1.2) q[0]; cx q[0], q[1]; failed = measure q[0]; } "
    "c = measure q[1];",
    "repetition code, two rounds": HEAD + "qubit[5] q; bit[4] s; bit[3] c; ry(0.3) q[0:2]; "
    "for int r in [0:1] { cx q[0], q[3]; cx q[1], q[3]; cx q[1], q[4]; cx q[2], q[4]; "
    "s[2 * r] = measure q[3]; s[2 * r + 1] = measure q[4]; reset q[3:4]; "
    "if (s[2 * r]) { x q[0]; } } c = measure q[0:2];",
    "ten branches of even chance": HEAD + "qubit[2] q; bit[10] c; for int i in [0:9] "
    "{ h q[0]; cx q[0], q[1]; c[i] = measure q[0]; if (c[i]) { rx(0.4) q[1]; } reset q[0]; }",
}


def best_ms(run: Callable[[], Any], times: int, clock: Callable[[], float] | None = None) -> float:
    clock = clock or time.process_time
    measured = []
    for _ in range(times):
        begun = clock()
        run()
        measured.append(clock() - begun)
    return min(measured) * 1000


def layers(qubits: int, count: int) -> str:
    """Two rotations on each qubit and entangling gates, as SDKs write them."""
    chance = random.Random(1)
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";', f"qubit[{qubits}] q;", f"bit[{qubits}] c;"]
    for layer in range(count):
        for qubit in range(qubits):
            lines.append(f"rx({chance.uniform(0, 6)}) q[{qubit}];")
            lines.append(f"rz(pi/{chance.randint(2, 64)}) q[{qubit}];")
        lines += [f"cx q[{i}], q[{i + 1}];" for i in range(layer % 2, qubits - 1, 2)]
    return "\n".join([*lines, "c = measure q;"])


def read(program: str) -> Any:
    return read_qasm3(read_source(program).text, LIMITS, {}).circuit


def report(what: str, figure: str, bar: str) -> None:
    print(f"{what:58} {figure:>32}   {bar}")


def child(runner: Runner, program: str, shots: int) -> None:
    """All that a child does for a program."""
    request = as_message(Job(circuit=program, shots=shots, seed=1)) | {"threads": 1}
    frames.encode({"result": runner.run(request)})


def steered(name: str, program: str, shots: int, runner: Runner) -> None:
    circuit, number = read(program), iter(range(10**9))
    aer = AerSimulator(method="statevector", max_parallel_threads=1)
    ours = best_ms(lambda: child(runner, f"{program}// {shots} {next(number)}", shots), 20)
    theirs = best_ms(lambda: aer.run(circuit, shots=shots).result(), 3)
    what = f"{name}, {shots:,} shots: child-side cost, Aer's run"
    report(what, f"{ours:.1f} ms, {theirs:.0f} ms: 1/{theirs / ours:.0f}", "")


def main() -> None:
    small, large = layers(10, 20), layers(10, 1_640)
    ours, theirs = best_ms(lambda: read(small), 20), best_ms(lambda: qasm3.loads(small), 3)
    report("parse 490 gates: ours, qasm3.loads", f"{ours:.2f} ms, {theirs:.0f} ms", "1/20 or less")
    report("  ratio", f"1/{theirs / ours:.0f}", "")

    circuit = read(large)
    statevector = AerSimulator(method="statevector", max_parallel_threads=1)
    parse = best_ms(lambda: read(large), 5)
    simulated = best_ms(lambda: statevector.run(circuit, shots=100).result(), 3)
    size = f"{len(large) / 1e6:.2f} MB, {circuit.size():,} operations"
    report(f"parse {size}: ours, Aer's run", f"{parse:.0f} ms, {simulated:.0f} ms", "1/3 or less")
    report("  ratio", f"{parse / simulated:.2f}", "")

    runner, number = Runner(LIMITS), iter(range(10**9))
    ready = read(BELL)
    stabilizer = AerSimulator(method="stabilizer", max_parallel_threads=1)

    def aer() -> None:
        stabilizer.run(ready, shots=shots).result().get_counts()

    shots = 1024
    bare = best_ms(aer, 500)
    fresh = best_ms(lambda: child(runner, f"{BELL}// {next(number)}", shots), 500)
    cached = best_ms(lambda: child(runner, BELL, shots), 500)
    report("Bell: bare AerSimulator.run", f"{bare:.2f} ms", "")
    report("Bell: child-side cost, new text", f"{fresh:.2f} ms, {fresh / bare:.2f} of bare", "1.3")
    report(
        "Bell: child-side cost, seen before", f"{cached:.2f} ms, {cached / bare:.2f} of bare", ""
    )
    shots = 100_000
    bare = best_ms(aer, 10)
    fresh = best_ms(lambda: child(runner, f"{BELL}// {next(number)}", shots), 100)
    report("Bell, 100,000 shots: child-side cost, bare", f"{fresh:.2f} ms, {bare:.0f} ms", "")

    for name, program in STEERED.items():
        for shots in (1_000, 10_000):
            steered(name, program, shots, runner)

    wall = time.perf_counter
    sandbox = Sandbox(LIMITS)
    start = best_ms(lambda: sandbox.run(Job(circuit=BELL)), 1, wall)
    report("sandbox: start of the child and first Bell circuit", f"{start:.0f} ms wall", "")
    whole = best_ms(lambda: sandbox.run(Job(circuit=f"{BELL}// {next(number)}")), 500, wall)
    report("sandbox: a Bell circuit through the pipe", f"{whole:.2f} ms wall", "")
    sandbox.close()


if __name__ == "__main__":
    main()
