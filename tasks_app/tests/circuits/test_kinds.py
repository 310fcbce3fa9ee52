"""Kinds of backends: what each refuses, how one is kept, and one that a site installs."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tasks_app.circuits import Backend, CircuitError, Job, Limits, Sandbox
from tasks_app.circuits.backend import check_definition
from tasks_app.circuits.device import InvalidDefinition
from tasks_app.circuits.job import as_message, check_job
from tasks_app.circuits.sandbox import process
from tasks_app.circuits.simulation import kinds
from tasks_app.circuits.simulation.runner import Runner
from tasks_app.tests.circuits.reference import assert_follows
from tasks_app.tests.circuits.test_devices import BELL, GRID16, LINE5, QASM3, error_of, run
from tasks_app.tests.circuits.test_sandbox import own_zygote

PAIR = QASM3 + "qubit[2] q; bit[2] c; "
AER = Backend("mine", "aer", "{}")
PAGE = Path(__file__).resolve().parents[3] / "docs/backends.md"


def block(language: str) -> str:
    """What the page has in this language."""
    return PAGE.read_text().split(f"```{language}\n")[1].split("```")[0]


def device(**parts: Any) -> Backend:
    """Three qubits in a line, with cx in one direction and without resets."""
    one = [{"qubits": [place], "error": 1e-3, "length_s": 3e-8} for place in range(3)]
    two = [{"qubits": [i, i + 1], "error": 1e-2, "length_s": 3e-7} for i in range(2)]
    gates = {"sx": one, "rz": [{"qubits": [i]} for i in range(3)], "cx": two}
    qubits = [{"t1_s": 1e-4, "readout_error": [0.01, 0.02]}] * 3
    return Backend("ours", "aer_device", json.dumps({"qubits": qubits, "gates": gates} | parts))


def gates(*names: str) -> dict[str, Any]:
    widths = {"cx": 2, "cz": 2}
    return {name: [{"qubits": list(range(widths.get(name, 1)))}] for name in names}


STEERED = PAIR + (
    "int n = 0; c[0] = measure q[0]; if (c[0]) { n += 1; } for int i in [0:n] { x q[1]; }"
)
PARTS = PAIR + "h q[0]; cx q[0], q[1]; c = measure q;"


@pytest.mark.parametrize(
    ("circuit", "options", "code", "message"),
    [
        (QASM3 + "qubit[6] q;", {}, "too_many_qubits", "6 qubits, and the device 5"),
        (QASM3 + "x $5;", {}, "too_many_qubits", "6 qubits, and the device 5"),
        (QASM3 + "x $0; qubit q;", {}, "backend_unsuitable", "names qubits of the hardware and"),
        (BELL, {"noise": {"readout": 0.1}}, "invalid_noise", "leave noise out"),
        (BELL, {"method": "stabilizer"}, "method_unsuitable", "cannot say how a qubit relaxes"),
        (BELL, {"outputs": ["statevector"]}, "backend_unsuitable", "there is no state vector"),
        (BELL, {"observables": [{"Z": 1}]}, "invalid_observables", "1 Pauli letters"),
        (
            STEERED,
            {},
            "backend_unsuitable",
            "more than a circuit can say",
        ),
        (
            PAIR + "x q[0]; reset q[0]; c = measure q;",
            {"backend": device()},
            "backend_unsuitable",
            "no gates for reset;",
        ),
        (
            PARTS,
            {"backend": device(gates=gates("x", "cz"))},
            "backend_unsuitable",
            "no gates for cx, h;",
        ),
        (
            PARTS,
            {"backend": device(gates=gates("sx", "rz"))},
            "backend_unsuitable",
            "no gates for cx;",
        ),
        (
            QASM3 + "qubit[3] q; cx q[0], q[1]; cx q[1], q[2];",
            {"backend": device(gates=gates("sx", "rz", "cx"))},
            "backend_unsuitable",
            "too large for any of the connected components",
        ),
        (
            PAIR + "delay[10dt] q[0];",
            {"backend": device()},
            "backend_unsuitable",
            "does not say how long a step (dt) is",
        ),
        (
            QASM3 + "qubit[16] q; bit[16] c; h q; c = measure q;",
            {"backend": GRID16, "method": "density_matrix"},
            "too_much_memory",
            "65,536 MiB",
        ),
        (BELL, {"backend": AER, "optimization_level": 1}, "invalid_optimization_level", "leave"),
        (STEERED, {"backend": AER, "optimization_level": 1}, "invalid_optimization_level", "leave"),
        (BELL, {"backend": Backend("x", "abacus", "{}")}, "invalid_backend", "not installed"),
        (BELL, {"backend": device(qubits=[])}, "invalid_backend", "The backend ours cannot"),
        (
            BELL,
            {"backend": Backend("x", "aer", '{"a": 1}')},
            "invalid_backend",
            "nothing to define",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_by_name(
    circuit: str, options: dict[str, Any], code: str, message: str
) -> None:
    error = error_of(circuit, **{"backend": LINE5, **options})
    assert (error.code, message in error.message) == (code, True), error.message


@pytest.mark.parametrize("level", [-1, 4, "2", 1.5, True])
def test_an_optimization_level_is_0_to_3(level: Any) -> None:
    with pytest.raises(CircuitError) as caught:
        check_job(Job(circuit=BELL, optimization_level=level), Limits())
    assert caught.value.code == "invalid_optimization_level"


def test_what_a_calibration_does_not_tell_makes_no_noise() -> None:
    ideal = device(qubits=[{}] * 3, gates=gates("sx", "rz", "cx"))
    waited = PARTS.replace("c =", "delay[1s] q; c =")
    for circuit in (PARTS, waited):
        result = run(circuit, ideal, outputs=["probabilities"])
        assert result["metadata"]["method"] == "statevector"
        assert result["probabilities"] == pytest.approx({"00": 0.5, "11": 0.5})
    relaxing = device(qubits=[{"t1_s": 1e-3}] * 3, gates=gates("sx", "rz", "cx"))
    result = run(waited, relaxing, outputs=["probabilities"])
    assert result["probabilities"] == pytest.approx({"00": 1})


def test_bits_are_read_wrong_as_often_as_the_calibration_says() -> None:
    lopsided = device(qubits=[{"readout_error": [0.05, 0.4]}] * 3, gates=gates("x", "cx"))
    told = run(PAIR + "x q[0]; c = measure q;", lopsided, outputs=["counts", "probabilities"])
    right = {"01": 0.95 * 0.6, "00": 0.95 * 0.4, "11": 0.05 * 0.6, "10": 0.05 * 0.4}
    assert told["probabilities"] == pytest.approx(right)
    assert_follows(told["counts"], right)


def test_a_method_is_chosen_that_knows_how_a_qubit_relaxes() -> None:
    flipped = QASM3 + "qubit[5] q; bit[5] c; x q; {} c = measure q;"
    for middle, shots, method in (
        ("", 16, "density_matrix"),
        ("", 15, "statevector"),  # Not the stabilizer method, though the gates are Clifford's.
        ("c[0] = measure q[0]; x q[0];", 16, "statevector"),
    ):
        result = run(flipped.format(middle), LINE5, shots=shots)
        assert result["metadata"]["method"] == method


@pytest.mark.parametrize("method", ["statevector", "matrix_product_state"])
def test_methods_that_follow_shots_agree_with_the_density_matrix(method: str) -> None:
    circuit = QASM3 + "qubit[3] q; bit[3] c; h q[0]; cx q[0], q[1]; ry(1) q[2]; cx q[1], q[2];"
    asked: dict[str, Any] = {"backend": LINE5, "observables": [{"ZZI": 1, "XIX": 1}, {"YXZ": 1}]}
    exact = run(circuit, **asked)["expectation_values"]
    told = run(circuit, method=method, shots=4_000, **asked)
    assert told["metadata"]["method"] == method
    for value, right, error in zip(
        told["expectation_values"], exact, told["standard_errors"], strict=True
    ):
        assert abs(value - right) < 5 * error


def test_aer_with_a_name_is_aer() -> None:
    named, plain = (
        run(BELL, AER),
        Runner(Limits()).run(as_message(Job(circuit=BELL, seed=1)) | {"threads": 1}),
    )
    assert named["counts"] == plain["counts"]
    assert named["metadata"]["backend"] == "mine" and "backend" not in plain["metadata"]


def test_a_device_is_built_once_whatever_it_is_called() -> None:
    backend = device(dt_s=1e-9)
    other = replace(backend, name="other")
    assert kinds.kind_of(asdict(backend)) is kinds.kind_of(asdict(other))
    assert kinds.kind_of(asdict(backend)) is not kinds.kind_of(asdict(device(dt_s=2e-9)))


def test_no_more_than_a_few_devices_are_kept() -> None:
    for place in range(12):
        run(BELL, device(dt_s=1e-9 * (place + 1)))
    assert kinds._made.cache_info().currsize <= 8


@pytest.fixture
def stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's own kind, installed as a distribution."""
    (tmp_path / "stuck.py").write_text(block("python"))
    about = tmp_path / "stuck-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: stuck\nVersion: 1.0\n")
    group = tomllib.loads(block("toml"))["project"]["entry-points"]["quantumtasks.kinds"]
    lines = [f"{name} = {value}" for name, value in group.items()]
    (about / "entry_points.txt").write_text("\n".join(["[quantumtasks.kinds]", *lines]))
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("stuck")
def test_a_site_adds_a_kind(make_sandbox: Callable[..., Sandbox]) -> None:
    check_definition("stuck", {"outcome": 2})
    with own_zygote():
        sandbox = make_sandbox()
        site = Backend("site", "stuck", '{"outcome": 2}')
        for circuit in (BELL, BELL.replace("c = measure q", "c = measure q; h q; c = measure q")):
            result = sandbox.run(Job(circuit=circuit, backend=site, shots=9))
            assert result["counts"] == {"10": 9} and result["metadata"]["backend"] == "site"
        with pytest.raises(CircuitError, match="outcome must be a whole number"):
            sandbox.run(Job(circuit=BELL, backend=Backend("site", "stuck", "{}")))


PREPARED = f"""
import os, sys
from tasks_app.circuits import Backend, Job, Limits
from tasks_app.circuits.job import as_message
from tasks_app.circuits.simulation.noisy_device import prepare
from tasks_app.circuits.simulation.runner import Runner
runner, device = Runner(Limits()), {LINE5!r}
runner.run(as_message(Job(circuit={BELL!r})) | {{"threads": 1}})
prepare()
print(len(os.listdir("/proc/self/task")))
before = set(sys.modules)
runner.run(as_message(Job(circuit={BELL!r}, backend=device)) | {{"threads": 1}})
print(sorted(set(sys.modules) - before))
"""


@pytest.mark.usefixtures("stuck")
def test_children_for_devices_come_with_what_devices_import(
    make_sandbox: Callable[..., Sandbox], tmp_path: Path
) -> None:
    (tmp_path / "stuck.py").write_text(
        block("python").replace('definition["outcome"]', '"scipy.linalg" in sys.modules')
        + "import sys\n"
    )
    backend = Backend("site", "stuck", '{"outcome": 0}')
    with own_zygote():
        sandbox = make_sandbox()
        assert sandbox.run(Job(circuit=BELL))["counts"].keys() == {"00", "11"}
        assert sandbox.run(Job(circuit=BELL, backend=backend))["counts"].keys() == {"00"}
        for owner in (1, 2):
            told = sandbox.run(Job(circuit=BELL, backend=backend), owner=owner)
            assert told["counts"].keys() == {"01"}


def test_preparing_for_devices_imports_all_and_starts_no_thread() -> None:
    environment = process._environment() | {"PYTHONPATH": str(PAGE.parents[1])}
    told = subprocess.run(
        [sys.executable, "-c", PREPARED], env=environment, capture_output=True, check=True
    )
    assert told.stdout.split() == [b"1", b"[]"]


def test_a_kind_that_nobody_installed_is_none() -> None:
    with pytest.raises(InvalidDefinition, match="'stuck' is no kind of backend"):
        check_definition("stuck", {"outcome": 2})


def test_a_device_runs_in_the_sandbox(shared_sandbox: Sandbox) -> None:
    options: dict[str, Any] = {"outputs": ["counts", "circuit"], "observables": [{"ZZ": 1}]}
    result = shared_sandbox.run(Job(circuit=BELL, backend=LINE5, seed=1, **options))
    assert result == run(BELL, LINE5, **options) | {"metadata": result["metadata"]}
    assert result["metadata"]["backend"] == "noisy_line5"
    with pytest.raises(CircuitError, match="the device 5"):
        shared_sandbox.run(Job(circuit=QASM3 + "qubit[6] q;", backend=LINE5))


def test_the_page_shows_what_is_so() -> None:
    check_definition("aer_device", json.loads(block("json")))
    assert run(BELL, LINE5, outputs=["circuit"])["circuit"]["openqasm"] == block("text")
