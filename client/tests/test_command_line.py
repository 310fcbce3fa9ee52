"""`qtasks` as processes of their own, against a running service."""

import json
import math
import re
import shlex
import stat
import subprocess
import uuid
from pathlib import Path

import pytest

from quantumtasks_client import Client
from quantumtasks_client.cli import inputs, plot
from tests.site import BELL, LINE, Site
from tests.terminal import COMMAND, Shell

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def test_a_circuit_becomes_a_histogram(shell: Shell) -> None:
    shown = shell.out("submit", "bell.qasm", "--shots", "1000", "--seed", "7", "--wait")
    lines = [line.split() for line in shown.splitlines()]
    assert [(outcome, set(bar)) for outcome, bar, *_ in lines] == [("00", {"█"}), ("11", {"█"})]
    assert sum(int(count) for *_, count, _ in lines) == 1000


def test_without_waiting_the_id_alone_is_printed_for_scripts(shell: Shell) -> None:
    task = shell.out("submit", "-", stdin=BELL).strip()
    assert ID.fullmatch(task)
    assert shell.out("watch", task).count("█")
    assert shell.out("result", task).count("█")
    shown = shell.out("status", task)
    for told in (task, "completed", "submitted", "attempt 1 succeeded"):
        assert told in shown


def test_json_is_what_the_service_answers(shell: Shell, client: Client) -> None:
    accepted = json.loads(shell.out("submit", "bell.qasm", "--json"))
    assert sorted(accepted) == ["correlation_id", "message", "status", "submitted_at", "task_id"]
    task = json.loads(shell.out("watch", accepted["task_id"], "--json"))
    assert task["status"] == "completed"
    assert task["result"]["counts"] == client.get(task["task_id"]).counts
    assert json.loads(shell.out("result", task["task_id"], "--json")) == task["result"]
    listed = json.loads(shell.out("list", "--limit", "1", "--json"))
    assert [each["task_id"] for each in listed] == [task["task_id"]]
    assert task["task_id"] in shell.out("list", "--limit", "1").splitlines()[1]
    assert json.loads(shell.out("queue", "--json"))["workers"] >= 1


def test_counts_come_as_csv_and_as_a_picture(shell: Shell) -> None:
    task = shell.out("submit", "bell.qasm", "--shots", "8", "--seed", "1").strip()
    rows = shell.out("result", task, "--wait", "--csv").splitlines()
    assert rows[0] == "outcome,count"
    assert sum(int(row.split(",")[1]) for row in rows[1:]) == 8
    assert shell.out("result", task, "--plot", "bell.png") == ""
    assert (shell.folder / "bell.png").read_bytes().startswith(b"\x89PNG")
    for name in ("bell.nonsense", "bell"):
        assert shell.run("result", task, "--plot", name).returncode == 2


def test_a_sweep_is_a_table_or_csv_or_json_or_a_picture(shell: Shell) -> None:
    sweep = ["sweep", "rotation.qasm", "-p", "theta=0:2*pi/2:3", "--shots", "10"]
    lines = [line.split() for line in shell.out(*sweep).splitlines()]
    assert lines[0] == ["theta", "result"]
    assert lines[1] == ["0", "0:", "10"]
    assert lines[3] == ["3.14159", "1:", "10"]
    rows = shell.out(*sweep, "--csv").splitlines()
    assert (rows[0], rows[1], rows[-1]) == ("set,outcome,count", "0,0,10", "2,1,10")
    elements = json.loads(shell.out(*sweep, "--json"))
    assert [element["parameters"]["theta"] for element in elements] == [0, math.pi / 2, math.pi]
    assert elements[0]["result"]["counts"] == {"0": 10}
    shell.out(*sweep, "--plot", "sweep.svg")
    drawn = (shell.folder / "sweep.svg").read_text()
    assert "<svg" in drawn
    assert "<!-- theta -->" in drawn


def test_sets_without_counts_say_where_what_came_of_them_is(shell: Shell, client: Client) -> None:
    angles = [{"theta": 0.0}, {"theta": 1.0}]
    circuit = (shell.folder / "rotation.qasm").read_text()
    task = client.submit(circuit, parameter_sets=angles, outputs=["probabilities"]).task_id
    lines = shell.out("result", task, "--wait").splitlines()
    assert [line.split(maxsplit=1)[1] for line in lines] == ["result", "see --json", "see --json"]


def test_arrays_are_written_in_brackets(shell: Shell) -> None:
    program = (
        (shell.folder / "rotation.qasm").read_text().replace("float theta", "array[float, 2] theta")
    )
    (shell.folder / "array.qasm").write_text(program.replace("theta)", "theta[1])"))
    told = shell.out(
        "submit", "array.qasm", "-p", "theta=[1, 0]", "--shots", "10", "--wait", "--json"
    )
    assert json.loads(told)["result"]["counts"] == {"0": 10}
    sweep = ["sweep", "array.qasm", "-p", "theta=[1, 0],[0, pi]", "--shots", "10"]
    rows = [line.split("  ") for line in shell.out(*sweep).splitlines()[1:]]
    assert [(row[0], row[-1].strip()) for row in rows] == [
        ("[1, 0]", "0: 10"),
        ("[0, 3.14159]", "1: 10"),
    ]
    assert shell.run("submit", "array.qasm", "-p", "theta=1,0").returncode == 2


@pytest.mark.parametrize(
    ("written", "values"),
    [("n=0:4:3", "[0, 2, 4]"), ("n=0:1:3", "[0.0, 0.5, 1.0]"), ("n=2:2:1", "[2]")],
)
def test_whole_numbers_stay_whole(tmp_path: Path, written: str, values: str) -> None:
    assert str([point["n"] for point in inputs.parameter_sets([written], None)]) == values
    file = tmp_path / "sets.json"
    file.write_text(f'[{{"n": {2**69 + 1}}}]')
    assert inputs.parameter_sets(None, file) == [{"n": 2**69 + 1}]


def test_a_picture_is_over_the_one_value_that_differs() -> None:
    assert plot._axis([{"a": 0, "b": 1}, {"a": 2, "b": 1}]) == ("a", [0, 2])
    assert plot._axis([{"a": 0, "b": 1}, {"a": 2, "b": 2}]) is None


def test_a_sweep_takes_sets_from_a_file_and_estimates(shell: Shell) -> None:
    (shell.folder / "sets.json").write_text('[{"theta": 0}, {"theta": 1.5707963267948966}]')
    sweep = ["sweep", "rotation.qasm", "--sets", "sets.json", "-O", "Z", "-O", "Z=2,X=1"]
    lines = [line.split() for line in shell.out(*sweep).splitlines()]
    assert lines[1] == ["0", "1", "2"]
    rows = [row.split(",") for row in shell.out(*sweep, "--csv").splitlines()]
    assert rows[0] == ["set", "observable", "value", "standard_error"]
    assert [float(row[2]) for row in rows[1:]] == pytest.approx([1, 2, 0, 1])
    shell.out(*sweep, "--plot", "values.png")
    (shell.folder / "sets.json").write_text('{"theta": 0}')
    assert shell.run(*sweep).returncode == 2


def test_backends_are_a_table_and_one_of_them_is_chosen(shell: Shell) -> None:
    header, *rows = (line.split() for line in shell.out("backends").splitlines())
    assert header == ["backend", "online", "qubits", "pending", "running", "workers", "waits"]
    assert {row[0]: row[1] for row in rows} == dict.fromkeys(["aer", LINE, "noisy_grid16"], "yes")
    shown = shell.out("backends", LINE)
    for told in ("aer_device", "cx, id, reset, rz, sx, x", "0-1, 1-0, 1-2"):
        assert told in shown
    assert {each["name"] for each in json.loads(shell.out("backends", "--json"))} >= {LINE}
    assert json.loads(shell.out("backends", LINE, "--json"))["qubits"] == 5
    assert shell.run("backends", "nowhere").returncode == 4

    device = ["--backend", LINE, "--optimization-level", "1", "--priority", "-3", "--json"]
    task = json.loads(shell.out("submit", "bell.qasm", *device, "--wait"))
    assert (task["backend"], task["priority"]) == (LINE, -3)
    assert task["result"]["metadata"]["optimization_level"] == 1
    assert LINE in shell.out("status", task["task_id"])
    (element,) = json.loads(shell.out("batch", "bell.qasm", *device, "--wait"))
    assert element["result"]["metadata"]["backend"] == LINE
    sweep = json.loads(shell.out("sweep", "rotation.qasm", "-p", "theta=0,1", *device))
    assert len(sweep) == 2
    assert [
        (each["shots"], each["priority"])
        for each in json.loads(shell.out("list", "--backend", LINE, "--json", "--limit", "3"))
    ] == [(1024, -3)] * 3


def test_an_observable_of_a_task_is_shown(shell: Shell) -> None:
    shown = shell.out("submit", "bell.qasm", "-O", "ZZ", "--wait")
    assert shown.splitlines()[1].split() == ["0", "1", "0"]


def test_what_is_too_long_for_a_terminal_is_named(shell: Shell) -> None:
    shown = shell.out("submit", "bell.qasm", "--output", "circuit", "--output", "memory", "--wait")
    assert shown == "memory: see --json\ncircuit: see --json\n"
    task = shell.out("submit", "bell.qasm", "--output", "statevector").strip()
    done = shell.run("result", task, "--wait", "--csv")
    assert (done.returncode, done.stdout) == (1, "") and "--json" in done.stderr


def test_it_is_interrupted_while_it_begins(shell: Shell) -> None:
    (shell.folder / "typer.py").write_text("raise KeyboardInterrupt")
    path = f"{shell.folder}:{shell.env['PYTHONPATH']}"
    assert shell.run("queue", PYTHONPATH=path).returncode == 130


def test_a_wrong_program_is_shown_with_a_caret(shell: Shell) -> None:
    task = shell.out("submit", "broken.qasm").strip()
    for command in (["submit", "broken.qasm", "--wait"], ["watch", task]):
        done = shell.run(*command)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.splitlines()[1:] == ["    5 | hh q[0];", "        ^"]


def test_a_task_is_run_again_with_changes(shell: Shell) -> None:
    task = shell.out("submit", "bell.qasm", "--shots", "3", "--seed", "1").strip()
    again = json.loads(shell.out("rerun", task, "--shots", "5", "--wait", "--json"))
    assert (again["rerun_of"], again["shots"], again["seed"]) == (task, 5, 1)


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["submit", "missing.qasm"], 2, "qtasks: missing.qasm: No such file or directory."),
        (["list", "--limit", "0"], 2, "--limit"),
        (["submit", "bell.qasm", "--shots", "0"], 2, "shots"),
        (["submit", "bell.qasm", "--shots", "many"], 2, "integer"),
        (["submit", "bell.qasm", "--noise", "readout"], 2, "name=value"),
        (["submit", "bell.qasm", "-p", "theta=half"], 2, "number"),
        (["submit", "bell.qasm", "--wait", "--observable", "ZQ", "--shots", "0"], 2, "shots"),
        (["submit", "bell.qasm", "-p", "theta=pi/0"], 2, "number"),
        (["submit", "bell.qasm", "-p", "theta=1e3*pi"], 2, "number"),
        (["submit", "bell.qasm", "-p", "a=1", "-p", "a=2"], 2, "a is given twice"),
        (["submit", "bell.qasm", "-O", "ZZ=1,ZZ=2"], 2, "ZZ is given twice"),
        (["submit", "bell.qasm", "--precision", "nan"], 2, "precision is nan"),
        (["submit", "bell.qasm", "--key", ""], 2, "1 to 255 printable"),
        (["status", "no-id"], 2, "UUID"),
        (["status", ""], 2, "empty"),
        (["status", "01a20017-8ed7-725d-bb02-5241f3e7abf2"], 4, "no task and no batch"),
        (["sweep", "bell.qasm"], 2, "--param"),
        (["sweep", "bell.qasm", "-p", "theta=0:1"], 2, "first:last:count"),
        (["sweep", "bell.qasm", "-p", "a=0:1:1000", "-p", "b=0:1:1001"], 2, "1,000,000"),
        (["--url", "ftp://example.org", "queue"], 2, "URL"),
        (["--url", "http://ada:secret@example.org", "queue"], 2, "no user"),
    ],
)
def test_what_can_be_foreseen_has_a_sentence_and_a_status(
    shell: Shell, arguments: list[str], status: int, told: str
) -> None:
    done = shell.run(*arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert told in done.stderr
    assert "secret" not in done.stderr


def test_who_is_not_logged_in_is_told_how(shell: Shell) -> None:
    done = shell.run("queue", QUANTUMTASKS_TOKEN="")
    assert done.returncode == 3
    assert "qtasks login" in done.stderr
    del shell.env["QUANTUMTASKS_URL"]
    done = shell.run("queue")
    assert done.returncode == 2
    assert "qtasks login" in done.stderr


def test_a_login_is_kept_for_its_owner_alone(shell: Shell, site: Site) -> None:
    del shell.env["QUANTUMTASKS_URL"], shell.env["QUANTUMTASKS_TOKEN"]
    assert shell.run("login", site.url, stdin="qt_wrong\n").returncode == 3
    done = shell.run("login", site.url, stdin=f"{site.token}\n")
    assert done.returncode == 0
    assert site.token not in done.stdout + done.stderr
    kept = Path(shell.env["XDG_CONFIG_HOME"], "quantumtasks/login.json")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert shell.out("queue")
    kept.chmod(0o644)
    done = shell.run("queue")
    assert done.returncode == 2
    assert "chmod 600" in done.stderr
    assert shell.run("logout").returncode == 0
    assert shell.run("queue").returncode == 2


def test_a_token_is_asked_for_without_being_shown(shell: Shell, site: Site) -> None:
    with shell.on_terminal("login", site.url) as terminal:
        terminal.until("Token")
        terminal.type(f"{site.token}\n")
        assert terminal.status() == 0
    assert "Logged in" in terminal.seen
    assert site.token not in terminal.seen


def test_a_person_watches_a_task_and_leaves_it_running(shell: Shell, client: Client) -> None:
    name = uuid.uuid4().hex
    command = ["submit", "long.qasm", "--shots", "100000", "--name", name, "--wait"]
    with shell.on_terminal(*command) as terminal:
        terminal.until("running for")
        terminal.interrupt()
        assert terminal.status() == 130
    (task,) = client.list(name=name)
    assert f"qtasks watch {task.task_id}" in terminal.seen
    assert client.get(task).status == "processing"
    done = shell.run("watch", task.task_id, "--timeout", "1")
    assert done.returncode == 7
    assert f"qtasks watch {task.task_id}" in done.stderr
    assert shell.run("result", task.task_id).returncode == 7
    assert shell.out("cancel", task.task_id) == "cancelled\n"
    assert shell.run("watch", task.task_id).returncode == 1


def test_a_batch_is_a_table_with_an_element_in_each_line(shell: Shell) -> None:
    done = shell.run("batch", "bell.qasm", "broken.qasm", "--shots", "7", "--wait")
    assert done.returncode == 1
    assert "1 of 2 have no result" in done.stderr
    header, bell, broken = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert header == ["circuit", "status", "result"]
    assert bell[:2] == ["bell.qasm", "completed"]
    assert sum(map(int, bell[2].split()[1::2])) == 7
    assert broken[:2] == ["broken.qasm", "failed"]
    assert "(line 5, column 1)" in broken[2]


def test_a_batch_is_come_back_to_by_its_id(shell: Shell) -> None:
    batch = shell.out("batch", "bell.qasm", "bell.qasm", "--name", "twins").strip()
    assert len(json.loads(shell.out("watch", batch, "--json"))) == 2
    shown = shell.out("status", batch)
    assert [line.split() for line in shown.splitlines()] == [
        *(["batch", batch], ["name", "twins"], ["completed", "2"]),
    ]
    assert len(json.loads(shell.out("list", "--batch", batch, "--json"))) == 2
    assert batch in shell.out("batches", "--limit", "1")
    assert json.loads(shell.out("batches", "--name", "twins", "--json"))[0]["batch_id"] == batch
    batch = shell.out("batch", "long.qasm", "long.qasm", "--shots", "100000").strip()
    assert json.loads(shell.out("cancel", batch, "--json"))["counts"]["cancelled"] == 2


def test_a_person_sees_how_far_a_batch_is(shell: Shell) -> None:
    with shell.on_terminal("batch", *["bell.qasm"] * 3, "--wait") as terminal:
        assert terminal.status() == 0
    assert f"{'█' * 30} 3/3  0 pending, 0 running, 3 done, 0 failed" in terminal.seen


def test_who_waits_for_a_service_that_is_away_is_told_soon(shell: Shell) -> None:
    away = "http://127.0.0.1:9"
    with shell.on_terminal("--url", away, "queue") as terminal:
        seen = " ".join(terminal.until("for up to").split())
        terminal.interrupt()
    assert f"qtasks: The service at {away} cannot be reached" in seen


def test_colors_are_for_terminals_that_want_them(shell: Shell) -> None:
    with shell.on_terminal("submit", "bell.qasm", "--wait") as terminal:
        assert terminal.status() == 0
    assert "\x1b[36m█" in terminal.seen
    with shell.on_terminal("submit", "bell.qasm", "--wait", NO_COLOR="1") as terminal:
        assert terminal.status() == 0
    assert "\x1b[3" not in terminal.seen
    assert "█" in terminal.seen


def test_a_name_cannot_command_the_terminal(shell: Shell) -> None:
    name = f"\x1b[31mred {uuid.uuid4().hex} [bold]"
    shell.out("submit", "bell.qasm", "--name", name)
    shown = shell.out("list", "--name", name)
    assert "\x1b" not in shown
    assert "[bold]" in shown


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_letter_that_cannot_be_printed_costs_no_output(shell: Shell, encoding: str) -> None:
    name = f"{encoding} é α 😀"
    shell.out("submit", "bell.qasm", "--name", name)
    there = {"PYTHONIOENCODING": encoding}
    line, found = (
        shell.run("list", "--name", name, *more, encoding=encoding, **there).stdout
        for more in ([], ["--json"])
    )
    assert "\\u03b1" in line
    assert json.loads(found)[0]["name"] == name


def test_the_shell_completes_commands(shell: Shell) -> None:
    """It looks for the shell that called it: the last command would take that one's place."""
    command = f"{shlex.join([*COMMAND, '--show-completion'])}; true"
    done = subprocess.run(["bash", "-c", command], env=shell.env, capture_output=True, check=True)
    assert b"complete" in done.stdout
