"""OpenQASM 3 as people write it: each part of the language, by the counts it gives."""

import re
from collections.abc import Callable
from math import pi
from pathlib import Path
from typing import Any

import pytest

from tasks_app.circuits import CircuitError, Limits
from tasks_app.circuits.language.read import parse
from tasks_app.circuits.language.source import read_source

Run = Callable[..., dict[str, Any]]
ErrorOf = Callable[..., CircuitError]
HEADER = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


def language_programs() -> list[Any]:
    text = (Path(__file__).parent / "language.qasm").read_text()
    sections = re.findall(r"^//// (\w+): ([01 ]+)\n(.*?)(?=^////|\Z)", text, re.M | re.S)
    return [
        pytest.param(body if body.startswith("OPENQASM") else HEADER + body, outcome, id=name)
        for name, outcome, body in sections
    ]


@pytest.mark.parametrize(("program", "outcome"), language_programs())
def test_a_program_has_its_only_outcome(run: Run, program: str, outcome: str) -> None:
    assert run(program, shots=40)["counts"] == {outcome: 40}


def test_a_measurement_without_a_target_measures(run: Run) -> None:
    result = run(f"{HEADER}qubit q; bit c; h q; measure q; h q; c = measure q;", shots=100)
    assert result["counts"].keys() == {"0", "1"}


def test_all_programs_of_the_file_are_found() -> None:
    text = (Path(__file__).parent / "language.qasm").read_text()
    assert len(language_programs()) == text.count("////") > 100


@pytest.mark.parametrize(
    ("declaration", "value", "statement", "outcome"),
    [
        ("input float[64] theta;", pi, "rx(theta) q[0];", "001"),
        ("input angle theta;", 3 * pi, "rx(theta) q[0];", "001"),
        ("input float theta;", 2, "rx(theta * pi) q[0]; x q[0];", "001"),
        ("input int n;", 2, "x q[n];", "100"),
        ("input uint[8] n;", 1, "for uint i in [0:n] { x q[i]; }", "011"),
        ("input bool b;", True, "if (b) { x q[1]; }", "010"),
    ],
)
def test_an_input_takes_its_value_from_the_parameters(
    run: Run, declaration: str, value: float, statement: str, outcome: str
) -> None:
    name = declaration.rstrip(";").split()[-1]
    program = f"{HEADER}{declaration} qubit[3] q; bit[3] c; {statement} c = measure q;"
    assert run(program, shots=10, parameters={name: value})["counts"] == {outcome: 10}


@pytest.mark.parametrize(
    ("declaration", "parameters"),
    [
        ("input float theta;", {}),
        ("input float theta;", {"phi": 1.0}),
        ("input float theta;", {"theta": 1.0, "phi": 1.0}),
        ("input int n;", {"n": 1.5}),
        ("input float theta;", {"theta": "1"}),
        ("input float theta;", {"theta": None}),
        ("input bool b;", {"b": 0.5}),
        ("", {"theta": 1.0}),
    ],
)
def test_parameters_that_do_not_fit_are_refused(
    error_of: ErrorOf, declaration: str, parameters: dict[str, Any]
) -> None:
    program = f"{HEADER}{declaration} qubit q; bit c; c = measure q;"
    assert error_of(program, parameters=parameters).code == "invalid_parameters"


def test_openqasm_2_takes_no_parameters(error_of: ErrorOf) -> None:
    assert error_of("OPENQASM 2.0; qreg q[1];", parameters={"a": 1}).code == "invalid_parameters"


@pytest.mark.parametrize(
    ("statement", "feature"),
    [
        ("pragma braket noise bit_flip(0.1) q[0]", "pragma"),
        ("#pragma braket unitary([[0, 1], [1, 0]]) q[0]", "braket unitary"),
        ("extern f(int) -> int;", "extern"),
        ("cal { }", "calibration"),
        ("defcal x $0 { }", "calibration"),
        ("output float n;", "output"),
        ("output array[int, 2] n;", "output"),
        ("complex[float[64]] z;", "complex"),
        ("float[20] f;", "float[20]"),
        ("array[int, 2] a; let b = a;", "alias"),
        ("bit[2] b = measure q; int n = b; complex z;", "complex"),
    ],
)
def test_an_unsupported_part_is_named_and_placed(
    error_of: ErrorOf, statement: str, feature: str
) -> None:
    error = error_of(f"{HEADER}qubit[2] q;\n{statement}\n")
    assert error.code == "unsupported_feature", error.message
    assert feature in error.message
    assert error.line == 4
    assert error.column is not None


@pytest.mark.parametrize(
    "statement",
    [
        "const bit[-2] e = 0;",
        "bool e = bool(bit[0](0));",
        "x r;",
        "x;",
        "q[0];",
        "x q[2];",
        "cx q[0], q[0];",
        "cx q[0];",
        "rx q;",
        "x(1) q;",
        "nogate q;",
        "qubit[2] q;",
        "rx(1 / 0) q;",
        "rx(sqrt(-1)) q;",
        "const int n = 1; n = 2;",
        "bit c; x c;",
        "bit[3] c; c = measure q;",
        "gate g a { measure a; }",
        "gate g a { bit b; } g q[0];",
        "gate g a, a { }",
        "gate g a { h b; } g q[0];",
        "gate g a { h q[1]; } g q[0];",
        "gate g a { h $1; } g q[0];",
        "x q[0:1000000000000000000000000];",
        "break;",
        "let a = q ++ q;",
        "qubit[0] r;",
        "for int i in [0:0:3] { }",
        "float f = q;",
        "delay[1] q;",
        "delay[-1ns] q;",
        "delay[1e400s] q;",
        "nosub(q);",
        'bit[2] c = "101";',
        "def f(qubit[3] r) { } f(q);",
        "array[int, 2] a = {1, 2, 3};",
        "ctrl @ x q[0];",
        "float f = 1; gate g a { rx(f) a; } g q[0];",
        "array[int, 2] n; gate g a { rx(n[0]) a; } g q[0];",
        "bit[2] n; gate g a { rx(n) a; } g q[0];",
        "gate g a { end; }",
        "def f(int n, int n) { }",
        "def f(readonly array[int, 2] n) { n[0] = 1; } array[int, 2] m; f(m);",
        "def g(mutable array[int, #dim = 1] n) { n[0] = 1; } "
        "def f(readonly array[int, #dim = 1] n) { g(n); } array[int, 2] m; f(m);",
        "def f(mutable array[int, #dim = 2] n) { } array[int, 2] m; f(m);",
        "def f(readonly array[int, 4] n) { } array[int, 2] m; f(m ++ m);",
        "int n = 1; n++;",
        "for f in {0.5, 1.5} { rx(f) q[0]; }",
        "array[float, 2] n; for f in n { rx(f) q[0]; }",
        "for int i in [0:1] { x r[i]; }",
        "pow(2) x q;",
        "def f(mutable array[int[8], #dim = 1] n) { } array[int[16], 2] m; f(m);",
        "switch (2) { case 1 { } case 2, 1 { } }",
        "uint[2] n; switch (n) { case 4 { } }",
        "int n = 2; int k = 1; switch (n) { case k { } }",
        "int n = 1; const int m = n;",
        "bit b; const bit c = b;",
        "def f() -> int { return 1; } const int m = f();",
        "int n = 1; n[64] = 1;",
        'bit[3] b = "100"; uint[2] n = b;',
        "bit[70] b; x q; b[69] = measure q[0]; int n = b;",
        'bit[4] b = "0011"; bit[3] c = "001"; bit d = (b & c) == 1;',
        'const bit[3] b = "001"; bool c = b[3];',
        "angle[4] a = pi; int n = int(a);",
        "angle[4] a = pi; uint[4] n = 2; a = n / a;",
        "uint[4] n = 2; angle[4] a = n;",
        "array[int, 4] a; array[int, 3] b; a[0:1] = b;",
        "array[int, 4] a; a[4] = 1;",
        "array[int, 4] a; a = 1;",
        "array[int, 2, 2] a; array[int, 2] b; a[{1, 0}][0] = b;",
        "def f(mutable array[int, #dim = 1] n) { } array[int, 4] a; f(a[{3, 0}]);",
        "{ output int a; }",
        "def f() -> int { } int n = f();",
        "gate g(t) a { h a; } gate h a { x a; } g(1) q[0];",
        "rx(pi) q[0]; const float pi = 1;",
        "rx(sin(1)) q[0]; def sin(int a) -> float { return 0.5; }",
        "float f = sin(1); def sin(int a) -> float { return 0.5; }",
        "gate barrier a { x a; } barrier q[0];",
        "gate reset a { x a; } reset q[0];",
        "bit b; int n = b; bit[2] c; c = b;",
        "OPENQASM 3.0;",
        "\N{NO-BREAK SPACE}x q[0];",
        "opaque g a;",
        "gate g(a b) p { x p; }",
        "{ gate g a { x a; } }",
        "gate g a { int n; } g q[0];",
        "gate g a { measure a; } g q[0];",
        "gate g a { for int i in [0:1] { i = 3; x a; } } g q[0];",
        "{ qubit r; }",
        '{ include "stdgates.inc"; }',
        "qubit[3] r; cx q, r;",
        "ctrl(0) @ x q[0];",
        "x q[-3:0];",
        "let a = pi;",
        'const bit[2] k = "10"; bit[2] m; let a = m ++ k;',
        "q = 1;",
        "qubit[2] r; r = measure q;",
        "const bit b = measure q[0];",
        "bit[2] c; c = measure q; if ((c << -1) == 0) { }",
        "if (q) { }",
        "switch (1.5) { case 1 { } }",
        "if (1ns) { }",
        "duration d = 1;",
        "bool b = 1ns < 1dt;",
        "float f = 2 / 1ns;",
        "int n = 3; for int i in n { }",
        "for int i in [:3] { }",
        "for i in",
        "array[int, 2] n; int m = -n;",
        "array[int, 2] n; int m = n + 1;",
        "array[int, 2] n; n[0, 0] = 1;",
        "array[int, 2] n; int m = sizeof(n, 1);",
        "array[int, 2] n; array[float, 2] m; array[int, 4] k = n ++ m;",
        "array[int, 2, 2] n; array[int, 2, 3] m; array[int, 4, 2] k = n ++ m;",
        "array[int, 2] n; bit[2] b; array[int, 4] k = n ++ b;",
        "array[int, 2, 2] n = {{1, 2}, {3}};",
        "def f(readonly array[int, 2] n) { } f(1);",
        "def f(readonly array[int, 2] n) { } array[int, 3] m; f(m);",
        "def f(int n) { } f(1, 2);",
        "int[1025] n;",
        "int n = 1; bool b = bit[2 ** 70](n) == 1;",
        "int n = 1; n ~= 2;",
        "rx(1)*(2) q[0];",
        "U(1),2,sin(3) q[0];",
        "int n = 1; n[0][1] = 1;",
        "int n = 1; bit[2] b; bit[66] c = n ++ b;",
        "int n = 2 ** 5000;",
        "int n = 7 ** 600;",
        "uint[8] n = 9; int m = 2 ** n;",
        "int n = 1 << 1.5;",
        "int n = 1 << -1;",
        "int n = 1 << 5000;",
        "int n = rotl(4, 1);",
        "int n = mod(4);",
        "float f = sin(q);",
        f"rx(1{'0' * 400}) q[0];",
        "float f = 1e300 ** 2;",
        "float f = exp(1000);",
        "float f = 1e308 * 10 % 2;",
        "float f = 1; int n = ~f;",
        "float f = 1; int n = f | 1;",
        "float f = 1; bit[4] b = f;",
        "float f = 1; f[0] = 1;",
        "bool b = true; angle a = b;",
        "angle[4] a = pi; a = a / 0;",
        "angle[4] a = pi; a = a % 2;",
        "angle[4] a = pi; a = a & 1;",
        'angle[4] a = pi; a = a + "0001";',
    ],
)
def test_a_program_without_a_meaning_is_refused(error_of: ErrorOf, statement: str) -> None:
    error = error_of(f"{HEADER}qubit[2] q;\n{statement}\n")
    assert error.code in {"invalid_program", "syntax_error"}, error.message
    assert error.line == 4


def test_both_libraries_can_be_included_in_both_languages(run: Run) -> None:
    body = "x q[0]; u3(pi, 0, pi) q[1]; cu1(pi) q[0], q[1];"
    assert run(f'OPENQASM 3.0; include "qelib1.inc"; qubit[2] q; bit[2] c; {body} c = measure q;')[
        "counts"
    ] == {"11": 1024}
    body = "x q[0]; phase(pi) q[0]; cphase(pi) q[0], q[1]; cx q[0], q[1];"
    assert run(
        f'OPENQASM 2.0; include "stdgates.inc"; qreg q[2]; creg c[2]; {body} measure q -> c;'
    )["counts"] == {"11": 1024}


def test_openqasm_2_branches_on_a_register(run: Run) -> None:
    program = (
        'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg a[1]; creg b[1];'
        "x q[0]; measure q[0] -> a[0]; if (a == 1) x q[1]; measure q[1] -> b[0];"
    )
    assert run(program, shots=9)["counts"] == {"1 1": 9}


@pytest.mark.parametrize(
    "body",
    [
        "qreg input[1]; creg end[1]; gate inv(in) let { rx(in) let; } inv(pi) input[0];"
        "measure input[0] -> end[0]; if (end == 0) x input[0]; measure input -> end;",
        "; qreg q[1]; creg c[1]; gate g a { x a; }; ; g q[0];; measure q -> c;",
        "qreg q[1]; creg c[1]; rx(-2^3^0*-pi/+2) q[0]; measure q -> c;",
        "qreg q[1]; creg c[1]; rx(asin(1)*(3-(2-1))) q[0]; measure q -> c;",
        "opaque delay(t) a; opaque x a; opaque delay_14(t) a; qreg q[1]; creg c[1];"
        "delay(5) q[0]; delay_14(3) q[0]; x q; measure q -> c;",
        "gate u3(theta,phi,lambda) q { U(theta,phi,lambda) q; } qreg q[1]; creg c[1];"
        "u3(pi,0,pi) q[0]; barrier q; measure q -> c;",
    ],
    ids=["keywords", "empty", "signs", "functions", "opaque", "lambda"],
)
def test_what_only_openqasm_2_may_say_is_read(run: Run, body: str) -> None:
    result = run(f'OPENQASM 2.0; include "qelib1.inc"; {body}', shots=9)
    assert result["counts"] == {"1": 9}
    assert "notes" not in result["metadata"]


@pytest.mark.parametrize("library", ["", 'include "qelib1.inc";'])
def test_a_gate_that_openqasm_2_defines_itself_does_what_its_definition_says(
    run: Run, library: str
) -> None:
    program = (
        f"OPENQASM 2.0; {library} gate rzz(a) p, q {{ U(a, 0, a) p; U(a, 0, a) q; }}"
        "gate qft p { U(pi, 0, pi) p; } gate delay p { qft p; }"
        "qreg q[4]; creg c[4]; rzz(pi) q[0], q[1]; qft q[2]; delay q[3]; measure q -> c;"
    )
    assert run(program, shots=9)["counts"] == {"1111": 9}


def test_an_opaque_gate_is_refused(error_of: ErrorOf) -> None:
    error = error_of("OPENQASM 2.0; opaque magic a; qreg q[1]; magic q[0];")
    assert error.code == "unsupported_feature"


def test_a_definition_hides_no_operations_around_it() -> None:
    some = "x q; " * 6
    source = read_source(f"{HEADER}qubit q; {some} gate g a {{ h a; }} g q; {some}")
    parse(source, Limits(max_operations=13), {})
    with pytest.raises(CircuitError, match="more than 12 operations"):
        parse(source, Limits(max_operations=12), {})


LONG = {
    "a sum": f"int n = {'+'.join(['1'] * 700)}; if (n == 700) {{ x q; }}",
    "an angle": f"rx({'+'.join(['pi/700'] * 700)}) q;",
    "measured bits": (
        "qubit[400] r; bit[400] m; x r; m = measure r; "
        f"if ({' && '.join(f'm[{i}]' for i in range(400))}) {{ x q; }}"
    ),
    "blocks": "".join(f"for int i{k} in [0:0] {{ " for k in range(80)) + "x q;" + "}" * 80,
    "elses": "".join("if (false) { } else { " for _ in range(80)) + "x q;" + "}" * 80,
    "parameters": (
        f"gate g({','.join(f'p{k}' for k in range(300))}) a "
        f"{{ rx({'+'.join(f'p{k}' for k in range(300))}) a; }} g({','.join(['pi/300'] * 300)}) q;"
    ),
}


@pytest.mark.parametrize("kind", LONG)
def test_a_program_may_be_long_and_deep(run: Run, kind: str) -> None:
    result = run(f"{HEADER}qubit q; {LONG[kind]} output bit c; c = measure q;", shots=9)
    assert result["counts"] == {"1": 9}
