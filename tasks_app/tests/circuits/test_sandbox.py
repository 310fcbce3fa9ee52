"""The sandbox lives through everything that can happen to its child."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks_app.circuits import (
    WALLS,
    CircuitError,
    Job,
    Limits,
    Sandbox,
    SandboxDied,
    SandboxStopped,
    SimulatorUnavailable,
    check_simulator,
    standing_walls,
)
from tasks_app.circuits.sandbox import frames, process, zygote
from tasks_app.tests.circuits.attacks import kernel_grants_namespaces
from testing.service import LIMIT_S, alive, cpu_ticks, eventually

MakeSandbox = Callable[..., Sandbox]
ROOT = Path(__file__).resolve().parents[3]
BELL = (ROOT / "examples/bell.qasm").read_text()
# A dense circuit with mid-circuit measurement simulates each of its shots anew: hours.
ENDLESS = """OPENQASM 3.0; include "stdgates.inc"; qubit[20] q; bit[20] c;
rx(0.1) q; c = measure q; rx(0.2) q; cx q[0], q[1]; c = measure q; rx(0.3) q; c = measure q;"""


def outcomes(sandbox: Sandbox) -> set[str]:
    return set(sandbox.run(Job(circuit=BELL))["counts"])


def threads(sandbox: Sandbox) -> int:
    return len(os.listdir(f"/proc/{sandbox.pid}/task"))


@contextmanager
def own_zygote() -> Iterator[Callable[[], int]]:
    """Another zygote than the tests before; gives what tells its process id."""
    process.end_simulators()
    yield lambda: process.shared_zygote()._process.pid
    process.end_simulators()


class Running:
    """An endless job in a thread, known to be simulating once this is constructed."""

    def __init__(self, sandbox: Sandbox, circuit: str = ENDLESS) -> None:
        self._circuit = circuit
        assert outcomes(sandbox) == {"00", "11"}  # The child is up and idle.
        pid = sandbox.pid
        assert pid is not None
        before = cpu_ticks(pid)
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(sandbox,))
        self._thread.start()
        eventually(lambda: cpu_ticks(pid) > before + 10, what="it computes")

    def _run(self, sandbox: Sandbox) -> None:
        try:
            sandbox.run(Job(circuit=self._circuit, shots=100_000))
        except BaseException as error:
            self.error = error

    def outcome(self) -> BaseException | None:
        self._thread.join(LIMIT_S)
        assert not self._thread.is_alive()
        return self.error


def test_the_same_child_runs_one_job_after_another(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    assert outcomes(sandbox) == {"00", "11"}
    first = sandbox.pid
    assert outcomes(sandbox) == {"00", "11"}
    assert sandbox.pid == first


def test_start_does_not_wait_for_the_simulator(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    with own_zygote() as zygote_pid:
        sandbox.start()
        assert zygote_pid() and sandbox.pid is None
        assert outcomes(sandbox) == {"00", "11"}


def test_a_child_killed_while_idle_is_replaced_without_an_error(
    make_sandbox: MakeSandbox,
) -> None:
    sandbox = make_sandbox()
    outcomes(sandbox)
    first = sandbox.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    eventually(lambda: sandbox.pid is None, what="it has ended")
    assert outcomes(sandbox) == {"00", "11"}
    assert sandbox.pid != first


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_child_that_dies_under_a_job_is_reported_and_replaced(
    make_sandbox: MakeSandbox, how: signal.Signals
) -> None:
    sandbox = make_sandbox()
    running = Running(sandbox)
    assert sandbox.pid is not None
    os.kill(sandbox.pid, how)
    error = running.outcome()
    assert isinstance(error, SandboxDied)
    assert how.name in str(error)
    assert outcomes(sandbox) == {"00", "11"}


def test_a_job_over_its_deadline_is_killed_and_the_next_one_runs(
    make_sandbox: MakeSandbox,
) -> None:
    sandbox = make_sandbox(deadline_s=4)
    outcomes(sandbox)
    first = sandbox.pid
    assert first is not None
    with pytest.raises(CircuitError) as caught:
        sandbox.run(Job(circuit=ENDLESS, shots=100_000))
    assert caught.value.code == "timed_out"
    assert not alive(first)
    assert outcomes(sandbox) == {"00", "11"}


def test_the_deadline_does_not_count_the_start_of_the_simulator(
    make_sandbox: MakeSandbox,
) -> None:
    sandbox = make_sandbox(deadline_s=3)
    with own_zygote() as zygote_pid:
        sandbox.start()
        os.kill(zygote_pid(), signal.SIGSTOP)
        start_takes_longer = threading.Timer(3.5, os.kill, (zygote_pid(), signal.SIGCONT))
        start_takes_longer.start()
        assert outcomes(sandbox) == {"00", "11"}


def test_it_is_told_why_each_child_ended() -> None:
    told: list[str] = []
    sandbox = Sandbox(Limits(deadline_s=1), ended=told.append)
    sandbox.run(Job(circuit=BELL), owner=1)
    sandbox.run(Job(circuit=BELL), owner=2)
    assert told == ["other_owner"]
    with pytest.raises(CircuitError):
        sandbox.run(Job(circuit=ENDLESS), owner=2)
    outcomes(sandbox)
    assert sandbox.pid is not None
    os.kill(sandbox.pid, signal.SIGKILL)
    eventually(lambda: sandbox.pid is None, what="it has ended")
    outcomes(sandbox)
    sandbox.close()
    assert told == ["other_owner", "timed_out", "died", "closed"]


def test_another_owner_has_another_child(make_sandbox: MakeSandbox) -> None:
    sandbox, pids = make_sandbox(), []
    for owner in (1, 1, 2, None, None, 1):
        metadata = sandbox.run(Job(circuit=BELL), owner=owner)["metadata"]
        # One that has seen the program before says that it took no time to read.
        pids.append((sandbox.pid, metadata["parse_seconds"] > 0))
    first, again, second, nobody, nobody_again, last = pids
    assert first == (again[0], True) and nobody == (nobody_again[0], True)
    assert (again[1], nobody_again[1]) == (False, False)
    assert len({first, second, nobody, last}) == 4


def test_children_of_one_zygote_draw_other_seeds(make_sandbox: MakeSandbox) -> None:
    job = Job(circuit=BELL)
    seeds = [make_sandbox().run(job)["metadata"]["seed"] for _ in range(3)]
    assert len(set(seeds)) == 3


def test_bytes_that_nobody_asked_for_replace_the_child(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    outcomes(sandbox)
    first, child = sandbox.pid, sandbox._child
    assert child is not None
    child._channel, taken_over = socket.socketpair()
    with taken_over:
        taken_over.send(frames.encode({"result": {}, "resident_mb": 1}))
        assert outcomes(sandbox) == {"00", "11"}
    assert sandbox.pid != first


def test_an_answer_is_never_taken_for_that_of_the_next_job(make_sandbox: MakeSandbox) -> None:
    def interrupt() -> None:
        raise InterruptedError

    sandbox = make_sandbox()
    outcomes(sandbox)
    first = sandbox.pid
    assert first is not None
    with pytest.raises(InterruptedError):
        sandbox.run(Job(circuit=ENDLESS, shots=100_000), meanwhile=interrupt)
    assert not alive(first)
    assert outcomes(sandbox) == {"00", "11"}


def test_a_zygote_that_dies_takes_its_children_along_and_is_replaced(
    make_sandbox: MakeSandbox,
) -> None:
    with own_zygote() as zygote_pid:
        sandbox, idle = make_sandbox(), make_sandbox()
        outcomes(idle)
        running, first = Running(sandbox), idle.pid
        assert first is not None
        before = zygote_pid()
        os.kill(before, signal.SIGKILL)
        assert isinstance(running.outcome(), SandboxDied)
        eventually(lambda: not alive(first), what="it has ended too")
        assert outcomes(idle) == outcomes(sandbox) == {"00", "11"}
        assert zygote_pid() != before


def test_a_zygote_has_one_thread_so_that_its_forks_are_whole(make_sandbox: MakeSandbox) -> None:
    with own_zygote() as zygote_pid:
        outcomes(make_sandbox())
        assert len(os.listdir(f"/proc/{zygote_pid()}/task")) == 1


def test_processor_time_is_limited_for_each_job(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox(cpu_s=1)
    with pytest.raises(CircuitError) as caught:
        sandbox.run(Job(circuit=ENDLESS, shots=100_000))
    assert caught.value.code == "cpu_time_exceeded"
    assert outcomes(sandbox) == {"00", "11"}


def test_stop_kills_the_running_job_and_keeps_the_sandbox(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    running = Running(sandbox)
    first = sandbox.pid
    assert first is not None
    sandbox.stop()
    assert isinstance(running.outcome(), SandboxStopped)
    assert not alive(first)
    assert outcomes(sandbox) == {"00", "11"}


def test_stop_without_a_job_does_nothing(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    sandbox.stop()
    outcomes(sandbox)
    first = sandbox.pid
    sandbox.stop()
    assert outcomes(sandbox) == {"00", "11"}
    assert sandbox.pid == first


def test_close_ends_the_child_and_refuses_more_jobs(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    outcomes(sandbox)
    child = sandbox.pid
    assert child is not None
    sandbox.close()
    sandbox.close()
    assert not alive(child)
    assert sandbox.pid is None
    with pytest.raises(RuntimeError):
        sandbox.run(Job(circuit=BELL))


def test_close_stops_a_running_job(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    running = Running(sandbox)
    sandbox.close()
    assert isinstance(running.outcome(), SandboxStopped)
    assert sandbox.pid is None


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one core to share")
def test_large_simulations_share_the_cores_and_small_ones_take_one(
    make_sandbox: MakeSandbox,
) -> None:
    alone, small, beside = (make_sandbox(cpu_cores=2) for _ in range(3))
    for sandbox in (alone, small, beside):
        outcomes(sandbox)
    idle = {sandbox: threads(sandbox) for sandbox in (alone, small, beside)}
    first = Running(small, ENDLESS.replace("[20]", "[15]"))
    assert threads(small) == idle[small]
    small.stop()
    assert isinstance(first.outcome(), SandboxStopped)
    running = [Running(alone)]
    eventually(lambda: threads(alone) == idle[alone] + 1, what="it uses both cores")
    running.append(Running(beside))
    assert threads(beside) == idle[beside]
    alone.stop()
    beside.stop()
    assert all(isinstance(each.outcome(), SandboxStopped) for each in running)


def test_a_child_is_replaced_after_its_share_of_tasks(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox(max_tasks_per_child=2)
    pids = []
    for _ in range(4):
        assert outcomes(sandbox) == {"00", "11"}
        pids.append(sandbox.pid)
    assert pids[0] is not None and pids[2] is not None
    assert pids[0] != pids[2] and pids[1] is None and pids[3] is None


def test_a_child_that_keeps_much_memory_is_replaced(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox(max_idle_memory_mb=1)
    assert outcomes(sandbox) == {"00", "11"}
    assert sandbox.pid is None
    assert outcomes(sandbox) == {"00", "11"}


def test_the_child_outlives_the_thread_that_started_it(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    thread = threading.Thread(target=outcomes, args=(sandbox,))
    thread.start()
    thread.join()
    first = sandbox.pid
    assert outcomes(sandbox) == {"00", "11"}
    assert first is not None and sandbox.pid == first


PARENT = """
import sys
from tasks_app.circuits import Job, Limits, Sandbox
assert not {"qiskit", "numpy", "antlr4", "openqasm3"} & sys.modules.keys()
sandbox = Sandbox(Limits())
sandbox.run(Job(circuit="OPENQASM 2.0; qreg q[1]; creg c[1]; measure q -> c;"))
print(sandbox.pid, flush=True)
sys.stdin.read()
"""


only_root_sees_inside = pytest.mark.skipif(
    os.getuid() != 0, reason="a child is hidden from other processes of its user"
)


def start_parent(folder: Path, environment: dict[str, str]) -> tuple[subprocess.Popen[str], int]:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        cwd=folder,
    )
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())


def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    parent, child = start_parent(tmp_path, {"PYTHONPATH": str(ROOT)})
    with parent:
        assert alive(child)
        parent.kill()
    eventually(lambda: not alive(child), what="it has ended")


@only_root_sees_inside
def test_the_child_gets_no_secret_and_no_socket_of_its_parent(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(ROOT), "SECRET_KEY": "do-not-tell"}
    parent, child = start_parent(tmp_path, environment)
    with parent:
        assert b"do-not-tell" not in Path(f"/proc/{child}/environ").read_bytes()
        files = {
            os.readlink(f"/proc/{child}/fd/{name}") for name in os.listdir(f"/proc/{child}/fd")
        }
        (channel,) = (file for file in files if file.startswith("socket:"))
        assert files == {"/dev/null", f"/proc/{child}/statm", channel}
        parent.kill()


def test_the_package_works_from_a_folder_with_spaces(tmp_path: Path) -> None:
    folder = tmp_path / "a moved checkout"
    (folder / "tasks_app").mkdir(parents=True)
    (folder / "tasks_app/__init__.py").touch()
    (folder / "tasks_app/circuits").symlink_to(ROOT / "tasks_app/circuits")
    parent, child = start_parent(folder, {"PYTHONPATH": str(folder)})
    with parent:
        assert alive(child)
        parent.kill()


def test_the_child_is_confined(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    outcomes(sandbox)
    limits = {
        line[:25].strip(): line[25:].split()[0]
        for line in Path(f"/proc/{sandbox.pid}/limits").read_text().splitlines()
    }
    assert limits["Max core file size"] == "0"
    assert limits["Max file size"] == "0"
    assert limits["Max address space"] != "unlimited"
    assert limits["Max cpu time"] != "unlimited"
    lines = Path(f"/proc/{sandbox.pid}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb") + ("CapBnd",) * (os.getuid() == 0):
        assert int(status[kind], 16) == 0, kind
    assert limits["Max processes"] != "unlimited"


def test_a_child_is_ended_with_all_that_it_has_started() -> None:
    """Seccomp leaves it no way to start anything; where there is none its group goes with it."""
    shell = ["sh", "-c", "sleep 1000 & echo $!; sleep 1000"]
    with subprocess.Popen(shell, stdout=subprocess.PIPE, text=True, process_group=0) as child:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        assert zygote._end(child.pid) == -signal.SIGKILL
    eventually(lambda: not alive(grandchild), what="it has ended too")


@only_root_sees_inside
@pytest.mark.skipif(not kernel_grants_namespaces(), reason="the kernel grants no namespace")
def test_the_child_has_no_network(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    outcomes(sandbox)
    interfaces = Path(f"/proc/{sandbox.pid}/net/dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]
    assert os.readlink(f"/proc/{sandbox.pid}/ns/net") != os.readlink("/proc/self/ns/net")


def test_the_child_yields_to_the_service(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    outcomes(sandbox)
    assert sandbox.pid is not None
    assert os.getpriority(os.PRIO_PROCESS, sandbox.pid) > os.getpriority(os.PRIO_PROCESS, 0)
    assert Path(f"/proc/{sandbox.pid}/oom_score_adj").read_text().strip() == "1000"


def test_check_simulator_says_why_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An Aer that cannot be imported stands before the real one on the child's path."""
    (tmp_path / "qiskit_aer.py").write_text("raise ImportError('libgomp.so.1 is missing')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SimulatorUnavailable, match="libgomp"):
        check_simulator()


def test_check_simulator_names_versions_and_walls() -> None:
    simulator = check_simulator()
    assert set(simulator.versions) == {"qiskit", "qiskit_aer"}
    assert simulator.versions["qiskit"].startswith("2.")
    assert simulator.walls == standing_walls() == list(WALLS)


def test_limits_have_the_documented_defaults() -> None:
    limits = Limits()
    assert (limits.max_circuit_bytes, limits.max_shots) == (1_048_576, 100_000)
    assert limits.deadline_s == 300
