"""No program hurts the service: each hostile one ends with its code, and the next one runs."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks_app.circuits import CircuitError, Job, Limits, Sandbox, SandboxDied
from testing.service import LIMIT_S

MakeSandbox = Callable[..., Sandbox]
V3 = 'OPENQASM 3.0; include "stdgates.inc"; '
V2 = 'OPENQASM 2.0; include "qelib1.inc"; '
BELL = V3 + "qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;"
DOUBLING = "gate g0 a { x a; x a; } " + " ".join(
    f"gate g{i} a {{ g{i - 1} a; g{i - 1} a; }}" for i in range(1, 40)
)
MANY = "too_many_operations"
DEEP = "too_deeply_nested"
INCLUDE = "include_not_allowed"
WRONG = "invalid_program"
SYNTAX = "syntax_error"

HOSTILE = {
    "a loop of 10^9": (V3 + "qubit q; for int i in [0:1000000000] { x q; }", MANY),
    "an empty loop of 10^9": (V3 + "for int i in [0:1000000000] { }", MANY),
    "nested loops": (
        V3 + "qubit q; for int i in [0:99999] { for int j in [0:99999] { x q; } }",
        MANY,
    ),
    "while true": (V3 + "qubit q; while (true) { x q; }", MANY),
    "while true and nothing": (V3 + "while (true) { }", MANY),
    "growing numbers": (V3 + "int n = 3; while (true) { n = n * n; }", MANY),
    "while not measured": (V3 + "qubit q; bit c; while (c == 0) { c = measure q; }", "timed_out"),
    "gate bomb 3": (V3 + DOUBLING + "qubit q; g39 q;", MANY),
    "gate bomb 2": (V2 + DOUBLING + "qreg q[1]; g39 q[0];", MANY),
    "array bomb": (V3 + "array[int[32], 100000, 100000] a;", MANY),
    "array of 10^9": (V3 + "array[int[32], 1000000000] a;", MANY),
    "power of 10^9": (V3 + "gate g a { x a; } qubit q; pow(1000000000) @ g q;", MANY),
    "recursive gate": (V3 + "gate g a { g a; } qubit q; g q;", DEEP),
    "recursive gate 2": (V2 + "gate g a { g a; } qreg q[1]; g q[0];", DEEP),
    "recursive subroutine": (V3 + "def f(qubit a) { f(a); } qubit q; f(q);", DEEP),
    "mutual recursion": (
        V3 + "def f(qubit a) { g(a); } def g(qubit a) { f(a); } qubit q; f(q);",
        DEEP,
    ),
    "10^9 qubits": (V3 + "qubit[1000000000] q;", "too_many_qubits"),
    "10^9 qubits 2": (V2 + "qreg q[1000000000];", "too_many_qubits"),
    "100,000 qubits": (V3 + "qubit[100000] q;", "too_many_qubits"),
    "physical qubit 10^9": (V3 + "x $1000000000;", "too_many_qubits"),
    "size of 10,000 digits": (V3 + f"qubit[{'9' * 10_000}] q;", WRONG),
    "size of 10,000 digits 2": (V2 + f"qreg q[{'9' * 10_000}];", WRONG),
    "a number too large for the parser 2": (V2 + f"qreg q[1]; x q[{'9' * 30}];", WRONG),
    "10^9 bits": (V3 + "bit[1000000000] c;", "too_many_clbits"),
    "100,000 registers": (
        V3 + " ".join(f"qubit a{i};" for i in range(70_000)),
        "too_many_qubits",
    ),
    "registers of bits 2": (
        V2 + " ".join(f"creg a{i}[1];" for i in range(50_000)),
        "too_many_clbits",
    ),
    "20,000 parentheses": (V3 + f"qubit q; rx({'(' * 20_000}1{')' * 20_000}) q;", DEEP),
    "20,000 parentheses 2": (V2 + f"qreg q[1]; rx({'(' * 20_000}1{')' * 20_000}) q[0];", DEEP),
    "open parentheses": (V3 + f"qubit q; rx({'(' * 20_000}", DEEP),
    "nested blocks": (V3 + "{" * 5_000 + "}" * 5_000, DEEP),
    "nested ifs": (V3 + "qubit q; " + "if (true) " * 5_000 + "x q;", DEEP),
    "minus signs": (V3 + f"qubit q; rx({'-' * 20_000}1) q;", DEEP),
    "power tower": (V3 + f"qubit q; rx({'2**' * 2_000}2) q;", DEEP),
    "large power": (V3 + "const int n = 9**9**9;", WRONG),
    "large shift": (V3 + "const int n = 1 << 1000000000;", WRONG),
    "integer of 10,000 digits": (V3 + f"const int n = {'1' * 10_000};", WRONG),
    "infinity": (V3 + "qubit q; rx(1e999) q;", WRONG),
    "infinity 2": (V2 + "qreg q[1]; creg c[1]; rx(1e999) q[0]; measure q -> c;", WRONG),
    "aliases that double": (
        V3
        + "qubit[4] q; let a0 = q ++ q; "
        + " ".join(f"let a{i} = a{i - 1} ++ a{i - 1};" for i in range(1, 60)),
        WRONG,
    ),
    "a comment of 10 MB": (V3 + f"/*{'a' * 10_000_000}*/", "circuit_too_large"),
    "a comment of 1 MB": (V3 + f"/*{'a' * 1_000_000}*/ x q;", WRONG),
    "10 MB of gates": (V3 + "qubit q; " + "x q; " * 2_000_000, "circuit_too_large"),
    "an unclosed comment": (V3 + "/* qubit q;", SYNTAX),
    "many unclosed comments": ("/*" * 400_000, SYNTAX),
    "only comment": ("/" * 1_000_000, "empty_circuit"),
    "an unclosed string": (V3 + 'include "stdgates.inc', SYNTAX),
    "quotes": (V3 + '"' * 100_001, SYNTAX),
    "keywords": ("gate " * 100_000, SYNTAX),
    "elses": (V3 + "if (true) {} " + "else " * 20_000, SYNTAX),
    "fors": ("for " * 20_000, SYNTAX),
    "braces": ("}" * 100_000, SYNTAX),
    "open braces": ("{" * 100_000, DEEP),
    "semicolons": (";" * 100_000, SYNTAX),
    "a name of 200,000 letters": (V3 + "a" * 200_000, SYNTAX),
    "200,000 spaces in a statement": (V3 + "qubit q; x" + " " * 200_000, SYNTAX),
    "200,000 spaces in a gate": (V3 + "gate g" + " " * 200_000, SYNTAX),
    "NUL": (V3 + "qubit\0 q;", "invalid_character"),
    "half a surrogate pair": (V3 + "\ud800", "invalid_character"),
    "zero-width space": (V3 + "qubit \u200bq;", SYNTAX),
    "right-to-left": (V3 + "qubit q\u202e;", SYNTAX),
    "no-break space": (V3 + "qubit\u00a0q;", SYNTAX),
    "full-width digit": (V3 + "qubit[\uff11] q;", SYNTAX),
    "emoji": (V3 + "qubit \U0001f600;", SYNTAX),
    "include /etc/passwd": ('include "/etc/passwd";', INCLUDE),
    "include /dev/zero": (V3 + 'include "/dev/zero";', INCLUDE),
    "include ../../x": (V2 + 'include "../../x";', INCLUDE),
    "include without a space": ('OPENQASM 2.0;include"/etc/passwd";', INCLUDE),
    "include in a gate": (V2 + 'gate g a { include "x.inc"; }', WRONG),
    "include in a comment in a pragma": (
        'OPENQASM 3.0; pragma " /*\ninclude "/etc/passwd";\n*/ qubit q;',
        INCLUDE,
    ),
    "1,000,000 iterations of own gates": (
        V3 + "gate g(a) b { rx(a) b; } qubit q; for int i in [0:999999] { g(i) q; }",
        MANY,
    ),
    "a dense circuit on matrix product states": (
        V3
        + "qubit[40] q; bit[40] c; for int k in [0:30] { for int i in [0:39] { ry(k + i) q[i]; }"
        + "for int i in [0:38] { cx q[i], q[i + 1]; } } c = measure q;",
        {"timed_out", "out_of_memory", "too_much_memory", "cpu_time_exceeded"},
    ),
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox(Limits(memory_mb=512, max_operations=50_000))
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="module")
def impatient_sandbox() -> Iterator[Sandbox]:
    """For programs without end."""
    sandbox = Sandbox(Limits(deadline_s=3, memory_mb=512, max_operations=50_000))
    yield sandbox
    sandbox.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_program_ends_with_its_code(
    sandbox: Sandbox, impatient_sandbox: Sandbox, name: str
) -> None:
    program, code = HOSTILE[name]
    method = "matrix_product_state" if "matrix product" in name else "automatic"
    if "timed_out" in code:
        sandbox = impatient_sandbox
    with pytest.raises(CircuitError) as caught:
        sandbox.run(Job(circuit=program, method=method))
    codes = code if isinstance(code, set) else {code}
    assert caught.value.code in codes, caught.value.message
    assert len(caught.value.message) <= 500
    assert caught.value.message.isprintable()
    assert set(sandbox.run(Job(circuit=BELL))["counts"]) == {"00", "11"}


@pytest.mark.parametrize(
    ("program", "counts"),
    [
        # Odd, but programs all the same.
        ("\ufeff" + V3 + "qubit q; bit c; x q; c = measure q;", {"1": 10}),
        (V3.replace(" ", "\r") + "qubit q;\rbit c;\rx q;\rc = measure q;", {"1": 10}),
        (V3 + "qubit ψ; bit c; x ψ; c = measure ψ;", {"1": 10}),
        (V3 + f"qubit q; bit c; rx({'(' * 90}pi{')' * 90}) q; c = measure q;", {"1": 10}),
        (V3 + "qubit q; bit c; " + "inv @ " * 900 + "x q; c = measure q;", {"1": 10}),
        (V3 + f"qubit q; bit c; rx(0.{'0' * 10_000}1) q; c = measure q;", {"0": 10}),
        (V3 + "qubit q; bit c; " + "x q; " * 40_001 + "c = measure q;", {"1": 10}),
    ],
    ids=["byte order mark", "CR", "Greek", "90 parentheses", "900 inverses", "digits", "40k gates"],
)
def test_an_odd_program_runs(sandbox: Sandbox, program: str, counts: dict[str, int]) -> None:
    assert sandbox.run(Job(circuit=program, shots=10))["counts"] == counts


def test_a_loop_beside_a_large_array_does_not_copy_it(make_sandbox: MakeSandbox) -> None:
    program = V3 + "array[int[32], 400000] a; qubit q; bit c; x q;"
    program += "for int i in [0:4999] { while (sin(0) > 0) { x q; } } c = measure q;"
    sandbox = make_sandbox(deadline_s=30, memory_mb=512)
    assert sandbox.run(Job(circuit=program, shots=10))["counts"] == {"1": 10}


def test_an_include_of_a_fifo_opens_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for header in ("OPENQASM 2.0;", "OPENQASM 3.0;"):
        with pytest.raises(CircuitError) as caught:
            sandbox.run(Job(circuit=f'{header} include "{tmp_path}/fifo";'))
        assert caught.value.code == INCLUDE


def test_other_sandboxes_run_beside_a_program_without_end(make_sandbox: MakeSandbox) -> None:
    busy, free = make_sandbox(), make_sandbox()
    errors: list[BaseException] = []

    def run_endless() -> None:
        try:
            busy.run(Job(circuit=HOSTILE["while not measured"][0]))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run_endless)
    thread.start()
    for _ in range(20):
        assert set(free.run(Job(circuit=BELL))["counts"]) == {"00", "11"}
    assert thread.is_alive()
    busy.stop()
    thread.join(LIMIT_S)
    assert len(errors) == 1


def test_a_child_that_grows_to_its_limit_ends_alone(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox(memory_mb=64)
    lines = "\n".join(f"rx({i}.5) q[{i % 5}];" for i in range(45_000))
    with pytest.raises((CircuitError, SandboxDied)) as caught:
        sandbox.run(Job(circuit=f"{V3}qubit[5] q; bit[5] c;\n{lines}\nc = measure q;"))
    if isinstance(caught.value, CircuitError):
        assert caught.value.code in {"out_of_memory", "too_much_memory"}
    assert set(sandbox.run(Job(circuit=BELL))["counts"]) == {"00", "11"}
