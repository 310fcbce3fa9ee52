"""The compiled circuit as OpenQASM, which reads back to an equal one, and as a drawing."""

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Clbit, Duration, Parameter, ParameterVector, Qubit
from qiskit.circuit.classical import expr, types
from qiskit.quantum_info import random_unitary

from tasks_app.circuits import CircuitError, Job, Limits
from tasks_app.circuits.job import as_message
from tasks_app.circuits.sandbox.svg import is_drawing
from tasks_app.circuits.simulation.drawing import MAX_COLUMNS, MAX_QUBITS
from tasks_app.circuits.simulation.runner import Runner
from tasks_app.tests.circuits.test_qpy import CERTAIN, file_of, sent

QASM3 = 'OPENQASM 3.0; include "stdgates.inc"; '
RUNNER = Runner(Limits(memory_mb=2_048))
PROGRAMS = sorted((Path(__file__).parent / "programs").rglob("*.qasm"))


def run(circuit: str | QuantumCircuit, *outputs: str, **options: Any) -> dict[str, Any]:
    if isinstance(circuit, QuantumCircuit):
        circuit, options = sent(file_of(circuit)), options | {"circuit_format": "qpy"}
    job = Job(circuit=circuit, outputs=outputs, **{"seed": 1, **options})
    return RUNNER.run(as_message(job) | {"threads": 1})


def shown(circuit: str | QuantumCircuit, **options: Any) -> dict[str, Any]:
    told: dict[str, Any] = run(circuit, "circuit", **options)["circuit"]
    return told


def text_of(circuit: str | QuantumCircuit, **options: Any) -> str:
    text = shown(circuit, **options)["openqasm"]
    assert isinstance(text, str)
    return text


def test_a_delay_keeps_its_length() -> None:
    declared = "input float t; qubit q; qubit w; stretch s; "
    delays = "delay[t * 2us] q; delay[40dt] q; delay[s] q; delay[1ns];"
    text = text_of(QASM3 + declared + delays, parameters={"t": 3})
    assert [line for line in text.splitlines() if line.startswith("delay")] == [
        "delay[6000.0ns] q;",
        "delay[40dt] q;",
        "delay[0.0ns] q;",
        "delay[1.0ns] q;",
        "delay[1.0ns] w;",
    ]
    circuit = QuantumCircuit(1)
    circuit.delay(expr.lift(Duration.us(50)), 0)
    assert shown(circuit)["openqasm"] is None  # It has no words for the expression.


def every_gate() -> Iterator[QuantumCircuit]:
    circuit = QuantumCircuit(4, global_phase=0.3)
    for qubit in range(4):
        circuit.ry(0.3 + qubit, qubit)
    angles = (0.1, math.pi / 3, -3 * math.pi / 4, 1 / 3)
    for name, qubits in [
        *((name, 1) for name in ("id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg")),
        *((name, 1) for name in ("p", "rx", "ry", "rz", "r", "u")),
        *((name, 2) for name in ("cx", "cy", "cz", "ch", "csx", "cs", "csdg", "swap", "iswap")),
        *((name, 2) for name in ("dcx", "ecr", "cp", "crx", "cry", "crz", "cu", "rxx", "ryy")),
        *((name, 2) for name in ("rzz", "rzx")),
        *((name, 3) for name in ("ccx", "ccz", "cswap", "rccx")),
        *((name, 4) for name in ("rcccx",)),
    ]:
        each = circuit.copy()
        wanted = {"r": 2, "u": 3, "cu": 4}.get(name, 1 if name[-1] in "pxyz" and "r" in name else 0)
        wanted = 1 if name in ("p", "cp") else 0 if name in ("rccx", "rcccx") else wanted
        getattr(each, name)(*angles[:wanted], *range(qubits))
        yield each
    circuit.unitary(random_unitary(8, seed=4), [2, 0, 1])
    yield circuit


def control_flow() -> QuantumCircuit:
    qubits, bits = QuantumRegister(3, "q"), ClassicalRegister(2, "c")
    circuit = QuantumCircuit(qubits, bits, [Clbit()])
    circuit.h(qubits)
    circuit.measure(0, 0)
    with circuit.if_test(expr.logic_and(expr.less(bits, 2), circuit.clbits[2])) as otherwise:
        circuit.x(0)
    with otherwise:
        circuit.ry(0.4, 1)
        with circuit.if_test((bits, 1)):
            circuit.cx(1, 2)
    with circuit.switch(bits) as case:
        with case(0, 1):
            circuit.rx(0.7, 1)
        with case(case.DEFAULT):
            circuit.ry(2.1, 1)
    with circuit.while_loop((bits[0], 1)):
        circuit.h(0)
        circuit.measure(0, 0)
    with circuit.for_loop(range(4)):
        circuit.measure(2, 2)
        with circuit.if_test((circuit.clbits[2], 1)):
            circuit.break_loop()
        circuit.h(2)
    circuit.measure([1, 2], [0, 1])
    return circuit


def loops_and_views() -> QuantumCircuit:
    bits, turns, inner = ClassicalRegister(3, "c"), Parameter("n"), Parameter("m")
    circuit = QuantumCircuit(QuantumRegister(2, "q"), bits)
    circuit.add_register(ClassicalRegister(name="view", bits=[bits[2], bits[0]]))
    with circuit.for_loop((3, 1, 4), turns):
        circuit.rx(turns / 4, 0)
        circuit.measure(0, 0)
        with circuit.if_test((bits[0], 1)):
            circuit.break_loop()
        with circuit.for_loop(range(2, 5, 2), inner):
            circuit.ry(turns * inner / 7, 1)
            circuit.measure(1, 2)
            with circuit.if_test((bits[2], 1)):
                circuit.continue_loop()
            circuit.h(0)
    with circuit.if_test(expr.less(circuit.cregs[1], 2)):
        circuit.x(1)
    with circuit.if_test(expr.not_equal(expr.cast(bits, types.Uint(1)), 1)):
        circuit.ry(1, 1)
    with circuit.if_test(expr.bit_not(expr.logic_and(bits[0], bits[2]))):
        circuit.h(0)
    circuit.measure([0, 1], [1, 2])
    return circuit


def distance(counts: dict[str, int], others: dict[str, int]) -> float:
    shots = sum(counts.values()) or 1
    keys = counts.keys() | others.keys()
    return sum(abs(counts.get(key, 0) - others.get(key, 0)) for key in keys) / shots / 2


def assert_equal(circuit: str | QuantumCircuit, text: str) -> None:
    """As states, phase included, where there is one; else in what is counted."""
    try:
        state = run(circuit, "statevector")["statevector"]
    except CircuitError:  # Each shot has its own, or they are too many numbers.
        counts = run(circuit, "counts", shots=3_000)["counts"]
        again = run(text, "counts", shots=3_000)["counts"]
        assert {len(key) for key in counts} == {len(key) for key in again}
        assert distance(counts, again) < 0.1 + 0.01 * len(counts) ** 0.5
    else:
        assert np.allclose(run(text, "statevector")["statevector"], state, atol=1e-9)


def test_programs_read_back_to_equal_circuits() -> None:
    compared = 0
    for path in PROGRAMS:
        try:
            told = run(path.read_text(), "circuit")
        except CircuitError:
            continue
        if told["metadata"]["qubits"] <= 14:
            assert_equal(path.read_text(), told["circuit"]["openqasm"])
            compared += 1
    assert compared >= 60


def test_circuits_of_qiskit_read_back_to_equal_ones() -> None:
    circuits = [*every_gate(), control_flow(), loops_and_views()]
    for _, build in CERTAIN:
        circuits.append(QuantumCircuit(3, 1))
        build(circuits[-1])
    assert len(circuits) > 55
    for circuit in circuits:
        assert_equal(circuit, text_of(circuit))


def test_what_is_shown_of_a_bell_circuit() -> None:
    result = run(QASM3 + "qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;", "circuit")
    assert set(result) == {"circuit", "shots", "metadata"}
    told = result["circuit"]
    assert (told["qubits"], told["depth"]) == (2, 3)
    assert told["gate_counts"] == {"h": 1, "cx": 1, "measure": 2}
    assert told["openqasm"].splitlines() == [
        *("OPENQASM 3.0;", 'include "stdgates.inc";', "qubit[2] q;", "bit[2] c;"),
        *("h q[0];", "cx q[0], q[1];", "c[0] = measure q[0];", "c[1] = measure q[1];"),
    ]


def test_only_what_the_program_has_is_shown() -> None:
    program = "qubit[2] q;\nbit[2] c;\nc[0] = measure q[0];\nif (c[0]) {\n  c[1] = 0;\n}\n"
    program += "while (c[1]) {\n  c[1] = measure q[1];\n}\nbarrier q[0], q[1];\n"
    told = shown(QASM3 + program)
    assert told["openqasm"].endswith(program)
    assert told["gate_counts"]["barrier"] == 1
    assert told["svg"].count('stroke-dasharray="4 3"') == 2  # Of the barrier on two wires.


def test_angles_are_exact_and_fractions_of_pi_only_where_they_are() -> None:
    circuit = QuantumCircuit(1)
    for angle in (math.pi / 2, -3 * math.pi / 4, math.pi / 2 + 1e-12, 0.1, 5):
        circuit.rx(angle, 0)
    lines = text_of(circuit).splitlines()[-5:]
    assert [line.removesuffix(" q[0];") for line in lines] == [
        *("rx(pi/2)", "rx(-3*pi/4)", f"rx({math.pi / 2 + 1e-12!r})", "rx(0.1)", "rx(5.0)")
    ]


def test_sets_share_a_circuit_whose_parameters_have_their_names() -> None:
    program = QASM3 + (
        "input float theta; input float b; qubit[2] q; rx(theta) q[0]; cp(theta) q[0], q[1];"
        "ry(2 * theta + b) q[1]; rz(b) q;"
    )
    sets = [{"theta": 0.3, "b": 1.0}, {"theta": 0.4, "b": 2.0}]
    result = run(program, "circuit", "statevector", parameter_sets=sets)
    text = result["circuit"]["openqasm"]
    assert "input float theta;" in text
    assert "rx(theta) q[0];" in text
    assert "cp(theta) q[0], q[1];" in text
    assert "rz(b) q[0];" in text
    assert {"circuit", "seed"} & result["sets"][0].keys() == {"seed"}
    values = sets[1] | {"p1": 2.8}  # Of what is computed from inputs, which has a name of its own.
    again = run(text, "statevector", parameters=values)["statevector"]
    assert np.allclose(again, result["sets"][1]["statevector"])
    in_order = shown(program, parameter_sets=[list(each.values()) for each in sets])
    assert "rx(p0) q[0];" in in_order["openqasm"]
    alone = shown(program, parameters=sets[0])["openqasm"]
    assert "rx(0.3) q[0];" in alone
    assert "input" not in alone


def test_parameters_of_qiskit_have_names_that_openqasm_allows() -> None:
    theta, phi = ParameterVector("theta", 2), Parameter("φ")
    circuit = QuantumCircuit(QuantumRegister(2, "measure"), ClassicalRegister(2, "x"))
    circuit.rx(theta[0] * phi**2 / 3 + theta[1].sin(), 0)
    circuit.ry(Parameter("input") + Parameter("h"), 1)
    values = {"theta[0]": 0.3, "theta[1]": 0.4, "φ": 1.5, "input": 0.2, "h": 0.1}
    state = run(circuit, "statevector", parameters=values)["statevector"]
    text = text_of(circuit, parameter_sets=[values, values])
    names = [line.split()[-1].rstrip(";") for line in text.splitlines() if "input float" in line]
    assert names == ["h_2", "input_2", "theta_0", "theta_1", "v"]
    again = {"theta_0": 0.3, "theta_1": 0.4, "v": 1.5, "input_2": 0.2, "h_2": 0.1}
    assert np.allclose(run(text, "statevector", parameters=again)["statevector"], state)


def test_bits_that_nobody_counts_stay_hidden() -> None:
    program = QASM3 + (
        "qubit[2] q; bit[2] c; def odd(qubit p) -> bit { bit b; b = measure p; return b; }"
        "x q[0]; if (odd(q[0])) { x q[1]; } c = measure q;"
    )
    assert run(program, "counts", shots=5)["counts"] == {"11": 5}
    text = text_of(program)
    assert "output bit[2] c;" in text
    assert run(text, "counts", shots=5)["counts"] == {"11": 5}


def test_qubits_keep_their_names_where_others_are_left_out() -> None:
    program = "qubit[2] a; qubit[5] q; bit c; c = measure q[2]; if (c) { cx a[0], q[4]; x a[1]; }"
    lines = text_of(QASM3 + program).splitlines()
    assert lines[2:5] == ["qubit[2] a;", "qubit[1] q_2;", "qubit[1] q_4;"]
    assert "  cx a[0], q_4[0];" in lines


def test_a_program_that_takes_paths_has_no_one_circuit() -> None:
    program = QASM3 + (
        "qubit[2] q; bit c; int n = 0; h q[0];"
        "for int i in [0:3] { c = measure q[0]; if (c) { n += 1; } h q[0]; } rx(n) q[1];"
        "\n#pragma vendor fast\n"
    )
    with pytest.raises(CircuitError, match="no one compiled circuit") as caught:
        shown(program)
    assert caught.value.code == "method_unsuitable"
    result = run(program, "counts", "circuit", shots=20)
    assert sum(result["counts"].values()) == 20
    assert result["circuit"] is None
    pragma, reason = result["metadata"]["notes"]
    assert "vendor fast" in pragma and "no one compiled circuit" in reason


def test_a_circuit_larger_than_a_result_may_be_is_refused() -> None:
    program = QASM3 + "qubit q; for int i in [1:5000] { rx(i) q; }"
    job = Job(circuit=program, outputs=["circuit"])
    with pytest.raises(CircuitError) as caught:
        Runner(Limits(max_result_bytes=50_000)).run(as_message(job) | {"threads": 1})
    assert caught.value.code == "result_too_large"


# -- drawings -----------------------------------------------------------------------------------


def drawing(circuit: str | QuantumCircuit, **options: Any) -> tuple[str, list[str]]:
    """And the words in it."""
    svg = shown(circuit, **options)["svg"]
    assert is_drawing(svg)
    return svg, [each.text or "" for each in ElementTree.fromstring(svg).iter() if each.text]


def test_wires_and_gates_have_their_names() -> None:
    circuit = control_flow()
    circuit.rx(Parameter("a_rather_long_name_of_an_angle"), 0)
    circuit.rzz(math.pi / 2, 0, 2)
    _, words = drawing(circuit, parameter_sets=[{"a_rather_long_name_of_an_angle": 1.0}] * 2)
    for word in ("q[0]", "q[2]", "c /2", "c2", "H", "X", "Rx", "0.7", "π/2", "rzz", "break"):
        assert word in words
    for word in ("if (c < 2) && c2", "if c == 1", "else", "c: 0, 1", "while c[0]", "4 times"):
        assert word in words
    assert "a_rather_long_n…" in words


def test_a_drawing_has_so_many_columns_and_wires_and_says_what_is_left_out() -> None:
    circuit = QuantumCircuit(MAX_QUBITS + 8)
    for _ in range(MAX_COLUMNS + 10):
        circuit.h(range(MAX_QUBITS))
    circuit.cx(0, MAX_QUBITS)
    svg, words = drawing(circuit)
    assert words.count("H") == MAX_COLUMNS * MAX_QUBITS
    assert words.count("⋯") == MAX_QUBITS
    left_out = 10 * MAX_QUBITS + 1
    note = f"{left_out:,} more operations are not drawn. 32 of 40 qubits are drawn."
    assert words[-1] == note
    assert len(svg) < 500_000


def test_a_million_operations_take_no_more_room() -> None:
    program = QASM3 + "qubit[3] q; for int i in [1:100000] { h q[0]; cx q[0], q[1]; }"
    job = Job(circuit=program, outputs=["circuit"])
    limits = Limits(max_result_bytes=50_000_000)
    told = Runner(limits).run(as_message(job) | {"threads": 1})["circuit"]
    assert told["gate_counts"] == {"h": 100_000, "cx": 100_000}
    assert len(told["svg"]) < 50_000


def test_names_of_users_are_text() -> None:
    circuit = QuantumCircuit(QuantumRegister(1, "<script>&"), [Qubit()])
    circuit.ry(Parameter('"><a&b'), 0)
    circuit.x(1)
    svg, words = drawing(circuit, parameter_sets=[{'"><a&b': 1.0}] * 2)
    assert "<script" not in svg
    assert "<script>&[0]" in words
    assert '"><a&b' in words


@pytest.mark.parametrize(
    "inner",
    [
        *("<script>alert(1)</script>", "<a>x</a>", "<image/>", "<use/>", "<style>*{}</style>"),
        *("<foreignObject/>", "<animate/>", "<set/>", "<iframe/>", "<g><g></g>", "</g>", "<g>"),
        *('<rect onclick="x"/>', '<rect href="x"/>', '<rect style="x"/>', '<rect class="x"/>'),
        *('<rect fill="url(x)"/>', '<rect fill="javascript:x"/>', '<rect fill="a;b"/>'),
        *("<rect fill='x'/>", "<rect fill=x/>", '<rect\nfill="x"/>', '<RECT fill="x"/>', "<rect"),
        *(
            "&#60;script&#62;",
            "&nbsp;",
            "&",
            "<!-- x -->",
            "<![CDATA[x]]>",
            "<?x?>",
            "<!DOCTYPE x>",
        ),
        '<svg xmlns="http://www.w3.org/1999/xhtml"/>',
        "<g>" * 9 + "</g>" * 9,
        *("<g></rect>", '<g></g fill="x">', "<g></g/>"),
        pytest.param("x" * 2_000_000, id="long"),
        # What PostgreSQL cannot store.
        *("\0", "<text>\ud800</text>"),
    ],
)
def test_what_no_drawing_needs_is_none(inner: str) -> None:
    whole = '<svg xmlns="http://www.w3.org/2000/svg" width="1">{}</svg>'
    assert is_drawing(whole.format('<rect fill="#123456"/><text>a &lt; b</text>'))
    assert not is_drawing(whole.format(inner))


@pytest.mark.parametrize("text", ["", "x", "<svg></svg>", "<svg><svg/></svg>", "<g></g>"])
def test_a_drawing_is_one_element(text: str) -> None:
    whole = '<svg xmlns="http://www.w3.org/2000/svg" width="1"></svg>'
    assert not is_drawing(text)
    assert not is_drawing(whole + "x")
    assert not is_drawing(whole + whole)
    assert not is_drawing(" " + whole)
