"""Variables that measurements decide hold in the simulator what they hold in Python.

Each program is written twice, in OpenQASM and in Python. Its bits are measured, so that only the
simulator knows them, but of qubits in basis states, so that there is one outcome.
"""

from collections.abc import Callable
from textwrap import indent
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.circuits import CircuitError

Run = Callable[..., dict[str, Any]]
ErrorOf = Callable[..., CircuitError]
HEADER = 'OPENQASM 3.0; include "stdgates.inc";\n'
Pair = tuple[str, str]  # OpenQASM and Python.
INT = "int[32]"


def wrapped(number: int) -> int:
    """As an `int[32]` holds it."""
    return (number + 2**31) % 2**32 - 2**31


def same(*texts: Any) -> st.SearchStrategy[Pair]:
    return st.sampled_from([(str(text), str(text)) for text in texts])


def joined(left: Pair, operation: str, right: Pair) -> Pair:
    return (
        f"({left[0]} {operation} {right[0]})",
        f"wrapped({left[1]} {operation} {right[1]})",
    )


def shifted(value: Pair, operation: str, places: int) -> Pair:
    return (
        f"({INT}({value[0]}) {operation} {places})",
        f"wrapped({value[1]} {operation} {places})",
    )


numbers = st.recursive(
    same("u", "s", "u", "s", "a", "b", 0, 1, 2, 3, -1, 5, 9),
    lambda inner: st.one_of(
        st.builds(joined, inner, st.sampled_from(["+", "-", "+", "-", "*", "&", "|", "^"]), inner),
        st.builds(shifted, inner, st.sampled_from(["<<", ">>"]), st.integers(0, 2)),
        inner.map(lambda pair: (f"(-{pair[0]})", f"wrapped(-{pair[1]})")),
    ),
    max_leaves=3,
)
counted = same("a", "b").map(
    lambda pair: (f"{INT}(popcount({pair[0]}))", f"({pair[1]}).bit_count()")
)
order = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
conditions = st.one_of(
    st.builds(joined, numbers, order, numbers),
    st.builds(joined, counted, order, numbers),
    st.integers(0, 2).map(lambda i: (f"a[{i}]", f"(a >> {i} & 1)")),
    st.integers(0, 2).map(lambda i: (f"u[{i}]", f"(u >> {i} & 1)")),
    st.just(("f", "f")),
    st.just(("a[0] ^ a[1]", "(a ^ a >> 1) & 1")),
    st.just(("s > 0 && f", "s > 0 and f")),
)


def block(statements: list[Pair]) -> Pair:
    return "".join(f"{each}\n" for each, _ in statements), indent(
        "".join(f"{each}\n" for _, each in statements) or "pass\n", "    "
    )


def branch(condition: Pair, first: list[Pair], second: list[Pair]) -> Pair:
    (a, b), (c, d) = block(first), block(second)
    return (
        f"if ({condition[0]}) {{\n{a}}} else {{\n{c}}}",
        f"if {condition[1]}:\n{b}else:\n{d}",
    )


def loop(body: list[Pair], times: int) -> Pair:
    a, b = block(body)
    return f"for int i in [1:{times}] {{\n{a}}}", f"for i in range(1, {times + 1}):\n{b}"


def while_loop(condition: Pair, body: list[Pair]) -> Pair:
    a, b = block(body)
    return (
        f"{{ uint[3] fuel = 0;\nwhile (fuel < 3 && ({condition[0]})) {{\nfuel += 1;\n{a}}} }}",
        f"for _ in range(3):\n    if not ({condition[1]}):\n        break\n{b}",
    )


def switch(target: Pair, first: list[Pair], second: list[Pair], default: list[Pair]) -> Pair:
    bodies = [block(each) for each in (first, second, default)]
    return (
        f"switch ({INT}({target[0]})) {{\ncase 0, -2 {{\n{bodies[0][0]}}}\n"
        f"case 3 {{\n{bodies[1][0]}}}\ndefault {{\n{bodies[2][0]}}}\n}}",
        f"t = {target[1]}\nif t in (0, -2):\n{bodies[0][1]}elif t == 3:\n{bodies[1][1]}"
        f"else:\n{bodies[2][1]}",
    )


def assignment(name: str, value: Pair, update: bool) -> Pair:
    if update:
        return f"{name} += {value[0]};", f"{name} = wrapped({name} + {value[1]})"
    return f"{name} = {value[0]};", f"{name} = wrapped({value[1]})"


assignments = st.one_of(
    st.builds(assignment, st.sampled_from("us"), numbers, st.booleans()),
    conditions.map(lambda pair: (f"f = {pair[0]};", f"f = bool({pair[1]})")),
)
leaving = st.builds(
    lambda condition, how, body: branch(condition, [*body, (f"{how};", how)], []),
    conditions,
    st.sampled_from(["break", "continue"]),
    st.lists(assignments, max_size=1),
)
statements = st.recursive(
    assignments,
    lambda inner: st.one_of(
        st.builds(branch, conditions, st.lists(inner, max_size=2), st.lists(inner, max_size=2)),
        st.builds(loop, st.lists(st.one_of(inner, leaving), max_size=4), st.integers(1, 3)),
        st.builds(while_loop, conditions, st.lists(st.one_of(inner, leaving), max_size=3)),
        st.builds(switch, numbers, *[st.lists(inner, max_size=2)] * 3),
    ),
    max_leaves=6,
)


@settings(max_examples=150)
@given(
    body=st.lists(statements, min_size=1, max_size=4),
    a=st.integers(0, 7),
    b=st.integers(0, 3),
    start=st.integers(0, 7),
)
def test_a_program_computes_what_python_computes(
    run: Run, body: list[Pair], a: int, b: int, start: int
) -> None:
    flips = "".join(f"x q[{i}]; " for i in range(5) if (a | b << 3) >> i & 1)
    program = (
        f"{HEADER}qubit[5] q; bit[3] a; bit[2] b; bit[32] u_out; bit[32] s_out; bit f_out;\n{flips}"
        "a = measure q[0:2]; b = measure q[3:4];\n"
        f"{INT} u = {start}; {INT} s = {start - 3}; bool f = false;\n{block(body)[0]}"
        "u_out = u; s_out = bit[32](s); f_out = f;"
    )
    values: dict[str, Any] = {
        "a": a,
        "b": b,
        "u": start,
        "s": start - 3,
        "f": False,
        "wrapped": wrapped,
    }
    exec("".join(f"{each}\n" for _, each in body), values)
    u, s, f = values["u"], values["s"], int(values["f"])
    assert run(program, shots=2)["counts"] == {
        f"{f} {s % 2**32:032b} {u % 2**32:032b} {b:02b} {a:03b}": 2
    }, program
