"""Only an answer to the job that was asked leaves a sandbox."""

import copy
import json
import socket
from typing import Any

import pytest

from tasks_app.circuits import CircuitError, Job
from tasks_app.circuits.sandbox import frames
from tasks_app.circuits.sandbox.answer import MAX_TEXT, OddAnswer, check_answer

JOB = Job(circuit="c", shots=3, memory=True)
RESULT = {
    "counts": {"0 01": 2, "1 11": 1},
    "shots": 3,
    "memory": ["0 01", "1 11", "0 01"],
    "metadata": {"clbits": 3, "measured": True, "seconds": 0.1, "notes": ["a", None]},
}
ERROR = {"code": "invalid_program", "message": "no", "line": 1, "column": None, "traceback": None}


def check(part: str, said: Any, **options: Any) -> Any:
    job = Job(circuit="c", shots=3, **({"memory": True} | options))
    return check_answer({part: said, "resident_mb": 1}, job).outcome


def test_a_result_comes_through() -> None:
    assert check("result", RESULT) == RESULT


def test_a_result_without_measurements_counts_nothing() -> None:
    result = {"counts": {}, "shots": 3, "metadata": {"measured": False}}
    assert check("result", result, memory=False) == result


def test_an_error_comes_through() -> None:
    error = check("error", ERROR)
    assert isinstance(error, CircuitError)
    assert (error.code, error.message, error.line, error.column) == (
        "invalid_program",
        "no",
        1,
        None,
    )


def odd(path: str, value: Any) -> Any:
    return pytest.param(path, value, id=f"{path}={json.dumps(value)[:40]}")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        odd("counts", []),
        odd("counts", {}),
        odd("counts", {"0 01": 3, "1 11": 0}),
        odd("counts", {"0 01": 4, "1 11": -1}),
        odd("counts", {"0 01": 2, "1 11": 1.0}),
        odd("counts", {"0 01": 2, "1 11": True}),
        odd("counts", {"0 01": 2, "1 11": "1"}),
        odd("counts", {"0 01": 2}),
        odd("counts", {"0 01": 2, "1 11": 2}),
        odd("counts", {"0 01": 1, "1 11": 1, "0 11": 1}),
        odd("counts", {"0 01": 2, "01 1": 1}),
        odd("counts", {"0001": 2, "1111": 1}),
        odd("counts", {"0 02": 2, "1 11": 1}),
        odd("counts", {"0 0\u0661": 2, "1 11": 1}),
        odd("counts", {" 001": 2, " 111": 1}),
        odd("counts", {"0 01\n": 2, "1 11\n": 1}),
        odd("shots", 4),
        odd("shots", 3.5),
        odd("memory", None),
        odd("memory", ["0 01", "1 11"]),
        odd("memory", ["0 01", "1 11", "1 11"]),
        odd("memory", ["0 01", "1 11", ["0 01"]]),
        odd("metadata", None),
        odd("metadata.clbits", 4),
        odd("metadata.clbits", None),
        odd("metadata.measured", False),
        odd("metadata.seconds", float("inf")),
        odd("metadata.seconds", float("nan")),
        odd("metadata.seconds", 10**30),
        odd("metadata.seconds", -(10**30)),
        odd("metadata.seconds", 10**400),  # beyond every float
        odd("metadata.note", "a\0b"),
        odd("metadata.note", "\ud800"),
        odd("metadata.note", "x" * (MAX_TEXT + 1)),
        odd("metadata.note", [[[[[]]]]]),
        odd("metadata.note", [0] * 1001),
        odd("metadata.a\0b", 1),
        odd("metadata.\udfff", 1),
        odd("more", 1),
    ],
)
def test_an_odd_result_is_refused(path: str, value: Any) -> None:
    result: dict[str, Any] = copy.deepcopy(RESULT)
    *parents, name = path.split(".")
    (result[parents[0]] if parents else result)[name] = value
    with pytest.raises(OddAnswer):
        check("result", result)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        odd("counts", {"0 01": 3, "1 11": 0}),
        odd("counts", {"0 01": 4, "1 11": -1}),
        odd("counts", {"0 01": 2, "1 11": 1.0}),
        odd("counts", {"0 01": 2}),
        odd("counts", {"0 01": 2, "01 1": 1}),
        odd("counts", {"0 02": 3}),
        odd("counts", {"01": 3}),
        odd("memory", ["0 01", "0 01"]),
        odd("memory", ["0 01", "1 11", "01 1"]),
        odd("memory", ["0 02"] * 3),
        odd("memory", ["01"] * 3),
    ],
)
def test_counts_or_memory_alone_are_looked_at_as_closely(name: str, value: Any) -> None:
    result = {part: RESULT[part] for part in (name, "shots", "metadata")}
    options = {"outputs": [name], "memory": False}
    assert check("result", result, **options) == result
    with pytest.raises(OddAnswer):
        check("result", result | {name: value}, **options)


@pytest.mark.parametrize("missing", RESULT)
def test_a_result_that_lacks_a_part_is_refused(missing: str) -> None:
    with pytest.raises(OddAnswer):
        check("result", {name: part for name, part in RESULT.items() if name != missing})


def test_memory_that_was_not_asked_for_is_refused() -> None:
    with pytest.raises(OddAnswer):
        check("result", RESULT, memory=False)


@pytest.mark.parametrize(
    "change",
    [
        {"code": "unheard_of"},
        {"code": []},
        {"message": None},
        {"message": "a\0b"},
        {"message": "\udc80"},
        {"message": "x" * (MAX_TEXT + 1)},
        {"line": "1"},
        {"line": -1},
        {"column": 1.5},
        {"column": True},
        {"traceback": 1},
        {"traceback": "x" * 10_000},
        {"more": 1},
    ],
    ids=lambda change: json.dumps(change)[:40],
)
def test_an_odd_error_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(OddAnswer):
        check("error", ERROR | change)


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"resident_mb": 1},
        {"result": RESULT},
        {"result": RESULT, "resident_mb": "1"},
        {"result": RESULT, "error": ERROR, "resident_mb": 1},
        {"result": [], "resident_mb": 1},
        {"error": "no", "resident_mb": 1},
    ],
    ids=lambda reply: json.dumps(reply)[:40],
)
def test_what_is_neither_a_result_nor_an_error_is_refused(reply: dict[str, Any]) -> None:
    with pytest.raises(OddAnswer):
        check_answer(reply, JOB)


@pytest.mark.parametrize("result", [None, [], "no", {}])
def test_a_circuit_is_looked_for_in_a_result_only(result: Any) -> None:
    with pytest.raises(OddAnswer):
        check("result", result, outputs=["circuit"])


@pytest.mark.parametrize(
    "body", [b'{"a": NaN}', b'{"a": -Infinity}', b"[]", b"{", b"\xff", b"[" * 200_000]
)
def test_what_is_no_json_object_is_a_bad_frame(body: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        theirs.send(len(body).to_bytes(4, "big") + body)
        with pytest.raises(frames.BadFrame):
            frames.answer(frames.receive(ours, 2**20))


CIRCUIT = {
    "openqasm": "OPENQASM 3.0;\nqubit q;\n",
    "svg": '<svg xmlns="http://www.w3.org/2000/svg" width="9"><text>q &lt;</text></svg>',
    "qubits": 1,
    "depth": 0,
    "gate_counts": {"h": 1},
}


@pytest.mark.parametrize("sets", [0, 2])
def test_a_circuit_comes_through_beside_the_counts(sets: int) -> None:
    counts = {"counts": {"0": 3}}
    parts = {"sets": [counts | {"seed": 1}] * sets} if sets else counts
    metadata = {"clbits": 1, "measured": True}
    result = parts | {"circuit": CIRCUIT, "shots": 3, "metadata": metadata}
    options = {"memory": False, "outputs": ["counts", "circuit"], "parameter_sets": [{}] * sets}
    assert check("result", result, **options) == result
    assert check("result", result | {"circuit": None}, **options)["circuit"] is None
    told: Any
    for told in ("x", {}, [], CIRCUIT | {"more": 1}):
        with pytest.raises(OddAnswer):
            check("result", result | {"circuit": told}, **options)
    with pytest.raises(OddAnswer):
        check("result", result, **(options | {"outputs": ["counts"]}))


@pytest.mark.parametrize("told", [[{"name": "c", "bits": [0, 1]}], []])
def test_registers_come_through_beside_the_counts(told: list[Any]) -> None:
    metadata = {"clbits": 1, "measured": True}
    result = {"counts": {"0": 3}, "registers": told, "shots": 3, "metadata": metadata}
    options = {"memory": False, "outputs": ["counts", "registers"]}
    assert check("result", result, **options) == result
    odd: Any
    registers = [("c", 1), ("c", [-1]), ("c", ["0"]), ("\0", []), ("c" * 2_000, []), (1, [])]
    for odd in (None, {}, [1], [{"name": "c"}], *([{"name": n, "bits": b}] for n, b in registers)):
        with pytest.raises(OddAnswer):
            check("result", result | {"registers": odd}, **options)


def test_what_was_drawn_comes_through_beside_the_sets() -> None:
    drawn = {"flips": {"data": "AA==", "shape": [2, 1, 1], "dtype": "bool"}}
    sets = [{"counts": {"0": 3}, "seed": 1}] * 2
    result = {"sets": sets, "drawn": drawn, "shots": 3, "metadata": {}}
    options = {"memory": False, "outputs": ["counts"], "samplex": {"count": 2}}
    assert check("result", result, **options) == result
    array = drawn["flips"]
    odd: Any
    for odd in (None, [], {"x": 1}, {"x": array | {"more": 1}}, {"x" * 2_000: array}):
        with pytest.raises(OddAnswer):
            check("result", result | {"drawn": odd}, **options)
    for part, value in (("data", "!"), ("data", 1), ("shape", [-1]), ("shape", 1), ("dtype", 1)):
        with pytest.raises(OddAnswer):
            check("result", result | {"drawn": {"x": array | {part: value}}}, **options)
    with pytest.raises(OddAnswer):
        check("result", result | {"sets": sets[:1]}, **options)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("svg", '<svg xmlns="http://www.w3.org/2000/svg" width="9"><script>x</script></svg>'),
        *[("svg", odd) for odd in (None, 1, "", "<b>x</b>")],
        *[("openqasm", odd) for odd in (1, True, "a\0", "\u202e", "é", "a\r")],
        *[("qubits", odd) for odd in (-1, 1.5, True, None)],
        *[("gate_counts", odd) for odd in (None, "h", {"h": 0}, {"h": True}, {"h": "1"})],
        ("gate_counts", {"x" * 2_000: 1}),
        ("gate_counts", {"h": {"h": 1}}),
        ("depth", "1"),
    ],
)
def test_an_odd_circuit_is_no_answer(part: str, value: Any) -> None:
    result = {"circuit": CIRCUIT | {part: value}, "shots": 3, "metadata": {}}
    with pytest.raises(OddAnswer):
        check("result", result, memory=False, outputs=["circuit"])
