"""The commands: adapters between a terminal and `Client`."""

import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from getpass import getpass
from pathlib import Path
from typing import Annotated, cast

import typer

from quantumtasks_client.cli import inputs, plot, show
from quantumtasks_client.cli.failures import INTERRUPTED
from quantumtasks_client.client import Client
from quantumtasks_client.configuration import Configuration, forget
from quantumtasks_client.errors import NotFound, TaskError, WaitTimeout
from quantumtasks_client.models import (
    Batch,
    BatchResult,
    BatchSubmission,
    Result,
    Submission,
    Task,
)
from quantumtasks_client.operations import Options

app = typer.Typer(
    name="qtasks",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_Id = Annotated[str, typer.Argument(metavar="ID", help="Of a task or a batch.")]
_TaskId = Annotated[str, typer.Argument(metavar="TASK", help="The task's id.")]
_Program = Annotated[Path, typer.Argument(metavar="FILE", help="OpenQASM; - for standard input.")]
_Json = Annotated[bool, typer.Option("--json", help="Print what the service answered.")]
_Csv = Annotated[bool, typer.Option("--csv", help="Print outcomes and counts.")]
_Wait = Annotated[bool, typer.Option("--wait", "-w", help="Wait for the result and show it.")]
_Timeout = Annotated[float | None, typer.Option(help="Wait no longer than so many seconds.")]
_Shots = Annotated[int | None, typer.Option("--shots", "-n", help="How often to run it.")]
_Seed = Annotated[int | None, typer.Option(help="Makes the counts repeatable.")]
_Method = Annotated[str | None, typer.Option(help="Simulation method.")]
_Noise = Annotated[list[str] | None, typer.Option(metavar="NAME=P", help="As readout=0.01.")]
_Param = Annotated[
    list[str] | None, typer.Option("--param", "-p", metavar="NAME=VALUE", help="Of an input.")
]
_Observable = Annotated[
    list[str] | None,
    typer.Option("--observable", "-O", metavar="PAULIS", help="ZZ, or ZZ=0.5,IX=-1."),
]
_Precision = Annotated[float | None, typer.Option(help="Standard error asked for; 0 is exact.")]
_Output = Annotated[list[str] | None, typer.Option(help="counts, memory, probabilities, ...")]
_Name = Annotated[str | None, typer.Option(help="A name to find it by.")]
_Tag = Annotated[list[str] | None, typer.Option(help="A tag to find it by; repeat for more.")]
_Backend = Annotated[str | None, typer.Option(help="Where to run it.")]
_Priority = Annotated[int | None, typer.Option(help="-100 to 100, higher first.")]
_Key = Annotated[str | None, typer.Option(help="Idempotency-Key: the same is the same task.")]


@app.callback()
def common(
    url: Annotated[str | None, typer.Option(help="The service.", show_default=False)] = None,
) -> None:
    """Run quantum circuits on a Quantum Tasks service.

    URL and token come from `qtasks login`, or from QUANTUMTASKS_URL and QUANTUMTASKS_TOKEN.
    """
    if url is not None:
        os.environ["QUANTUMTASKS_URL"] = url


@app.command()
def login(
    url: Annotated[str, typer.Argument(help="The service's address.", show_default=False)],
) -> None:
    """Remember a service and a token for it, which is asked for or read from standard input.

    It is kept in a file that only you can read. Nothing is sent to any other service.
    """
    if sys.stdin.isatty():
        token = getpass("Token (nothing for a service that needs none): ")
    else:
        token = sys.stdin.readline()
    given = Configuration.find(url, token.strip())
    with Client(given.url, given.token or "", patience_s=0) as client:
        client.queue()
    show.err.print(f"Logged in to {given.url}; kept in {given.save()}.")


@app.command()
def logout() -> None:
    """Forget service and token."""
    show.err.print("Forgotten." if forget() else "Nobody was logged in.")


@app.command()
def submit(
    file: _Program,
    shots: _Shots = None,
    seed: _Seed = None,
    method: _Method = None,
    param: _Param = None,
    noise: _Noise = None,
    observable: _Observable = None,
    precision: _Precision = None,
    output: _Output = None,
    name: _Name = None,
    tag: _Tag = None,
    backend: _Backend = None,
    priority: _Priority = None,
    key: _Key = None,
    wait: _Wait = False,
    timeout: _Timeout = None,
    json: _Json = False,
) -> None:
    """Submit a circuit; print the task's id, or with --wait its result."""
    options = Options(
        shots=shots,
        seed=seed,
        method=method,
        parameters=inputs.values(param),
        noise=inputs.values(noise),
        observables=inputs.observables(observable),
        precision=precision,
        outputs=output,
        name=name,
        tags=tag,
        backend=backend,
        priority=priority,
    )
    circuit, key = inputs.program(file), key or str(uuid.uuid4())
    with Client() as client:
        with _unanswered(key):
            task = client.submit(circuit, idempotency_key=key, **options)
        _accepted(client, task, wait=wait, timeout=timeout, json=json)


@app.command()
def rerun(
    task: _TaskId,
    shots: _Shots = None,
    seed: _Seed = None,
    method: _Method = None,
    noise: _Noise = None,
    output: _Output = None,
    name: _Name = None,
    tag: _Tag = None,
    backend: _Backend = None,
    priority: _Priority = None,
    key: _Key = None,
    wait: _Wait = False,
    timeout: _Timeout = None,
    json: _Json = False,
) -> None:
    """Submit a task's circuit again, changed where you say so."""
    wanted = Options(
        shots=shots,
        seed=seed,
        method=method,
        noise=inputs.values(noise),
        outputs=output,
        name=name,
        tags=tag,
        backend=backend,
        priority=priority,
    )
    changes = cast(Options, {name: value for name, value in wanted.items() if value is not None})
    key = key or str(uuid.uuid4())
    with Client() as client:
        with _unanswered(key):
            again = client.rerun(task, idempotency_key=key, **changes)
        _accepted(client, again, wait=wait, timeout=timeout, json=json)


@app.command()
def batch(
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="A circuit each.")],
    shots: _Shots = None,
    seed: _Seed = None,
    method: _Method = None,
    noise: _Noise = None,
    name: _Name = None,
    tag: _Tag = None,
    backend: _Backend = None,
    priority: _Priority = None,
    key: _Key = None,
    wait: _Wait = False,
    timeout: _Timeout = None,
    json: _Json = False,
) -> None:
    """Submit up to 1,000 circuits together, all or none; print the batch's id, or the results."""
    shared = Options(
        shots=shots,
        seed=seed,
        method=method,
        noise=inputs.values(noise),
        name=name,
        tags=tag,
        backend=backend,
        priority=priority,
    )
    key = key or str(uuid.uuid4())
    circuits = [inputs.program(file) for file in files]
    with Client() as client:
        with _unanswered(key):
            accepted = client.submit_batch(circuits, idempotency_key=key, **shared)
        if not wait:
            show.as_json(accepted) if json else print(accepted.batch_id)
            return
        with _coming_back([accepted.batch_id]):
            found = list(client.results(accepted, timeout=timeout, progress=True))
    _elements(found, [str(file) for file in files], json=json)


@app.command()
def sweep(
    file: _Program,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUES", help="As a=0,1 or a=0:3.14:20."),
    ] = None,
    sets: Annotated[Path | None, typer.Option(help="JSON: a list of objects of values.")] = None,
    shots: _Shots = None,
    seed: _Seed = None,
    method: _Method = None,
    noise: _Noise = None,
    observable: _Observable = None,
    precision: _Precision = None,
    name: _Name = None,
    tag: _Tag = None,
    backend: _Backend = None,
    priority: _Priority = None,
    timeout: _Timeout = None,
    json: _Json = False,
    csv: _Csv = False,
    picture: Annotated[Path | None, typer.Option("--plot", help="Save a picture.")] = None,
) -> None:
    """Run a circuit with every combination of the values given, and show what came of each."""
    points = inputs.parameter_sets(param, sets)
    circuit = inputs.program(file)
    accepted: list[str] = []
    with Client() as client, _coming_back(accepted), show.live(f"{len(points):,} sets"):
        results = client.sweep(
            circuit,
            points,
            timeout=timeout,
            submitted=lambda answer: accepted.append(_id(answer)),
            shots=shots,
            seed=seed,
            method=method,
            noise=inputs.values(noise),
            observables=inputs.observables(observable),
            precision=precision,
            name=name,
            tags=tag,
            backend=backend,
            priority=priority,
        )
    if json:
        show.as_json([{"parameters": p, "result": r} for p, r in zip(points, results, strict=True)])
    elif csv:
        show.as_csv(Result(sets=results))
    else:
        show.sets(results, points)
    if picture:
        plot.save(Result(sets=results), picture)


@app.command()
def status(of: _Id, json: _Json = False) -> None:
    """Show where a task or a batch is."""
    with Client() as client:
        found = _named(client, of)
    if json:
        show.as_json(found)
    elif isinstance(found, Task):
        show.task(found)
    else:
        show.batch(found)


@app.command()
def watch(of: _Id, timeout: _Timeout = None, json: _Json = False) -> None:
    """Wait for a task or a batch, and show what came of it."""
    with Client() as client:
        found = _named(client, of)
        if isinstance(found, Task):
            _shown(_waited(client, found.task_id, timeout), json=json)
            return
        with _coming_back([of]):
            elements = list(client.results(found, timeout=timeout, progress=True))
    _elements(elements, [element.task_id for element in elements], json=json)


@app.command()
def result(
    task: _TaskId,
    json: _Json = False,
    csv: _Csv = False,
    picture: Annotated[Path | None, typer.Option("--plot", help="Save a picture.")] = None,
    wait: _Wait = False,
    timeout: _Timeout = None,
) -> None:
    """Show a task's result."""
    with Client() as client:
        found = _waited(client, task, timeout) if wait else client.get(task)
    outcome = found.get_result()
    if picture:
        plot.save(outcome, picture)
    if json:
        show.as_json(outcome)
    elif csv:
        show.as_csv(outcome)
    elif not picture:
        show.result(outcome)


@app.command("list")
def list_tasks(
    status: Annotated[
        list[str] | None, typer.Option(help="pending, processing, completed, failed, cancelled.")
    ] = None,
    tag: _Tag = None,
    name: _Name = None,
    batch: Annotated[str | None, typer.Option(help="Of this batch.")] = None,
    after: Annotated[datetime | None, typer.Option(help="Submitted later.")] = None,
    before: Annotated[datetime | None, typer.Option(help="Submitted earlier.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-l", help="At most so many.")] = 20,
    json: _Json = False,
) -> None:
    """List tasks, newest first."""
    with Client() as client:
        found = list(
            client.list(
                limit=limit,
                status=status,  # type: ignore[arg-type]  # the service says which there are
                tag=tag,
                name=name,
                batch_id=batch,
                submitted_after=after,
                submitted_before=before,
                page_size=max(1, min(limit, 500)),
            )
        )
    show.as_json(found) if json else show.tasks(found)


@app.command()
def cancel(of: _Id, json: _Json = False) -> None:
    """Cancel a task, or what has not ended of a batch."""
    with Client() as client:
        try:
            found: Task | Batch = client.cancel(of)
        except NotFound:
            found = client.cancel_batch(of)
    if json:
        show.as_json(found)
    elif isinstance(found, Batch):
        show.batch(found)
    else:
        print(found.status)


@app.command()
def queue(json: _Json = False) -> None:
    """Show how long the queue is, and how fast it moves."""
    with Client() as client:
        found = client.queue()
    show.as_json(found) if json else show.queue(found)


def _named(client: Client, of: str) -> Task | Batch:
    """The task or the batch with this id: which it is only the service knows."""
    try:
        return client.get(of)
    except NotFound:
        return client.get_batch(of)


def _accepted(
    client: Client, task: Submission, *, wait: bool, timeout: float | None, json: bool
) -> None:
    if wait:
        _shown(_waited(client, task, timeout), json=json)
    elif json:
        show.as_json(task)
    else:
        print(task.task_id)


def _waited(client: Client, task: str | Submission, timeout: float | None) -> Task:
    """The task once it has ended, with a line that says where it is until then."""
    with _coming_back([_id(task)]), show.live("submitted") as line:
        return client.wait(
            task,
            timeout=timeout,
            callback=line and (lambda seen: line(show.waiting(seen))),
            check=False,
        )


def _shown(task: Task, *, json: bool) -> None:
    """What came of a task. An error ends the process, after the task has been printed."""
    if json:
        show.as_json(task)
    elif task.result is not None:
        show.result(task.result)
    task.get_result()


def _elements(found: list[BatchResult], names: list[str], *, json: bool) -> None:
    """What came of a batch. The first element without a result ends the process."""
    if json:
        show.as_json(found)
    else:
        show.elements(found, names)
    failed = [element for element in found if element.result is None]
    if failed:
        raise TaskError(f"{len(failed)} of {len(found)} have no result.")


@contextmanager
def _unanswered(key: str) -> Iterator[None]:
    """Says how to find out whether an interrupted submission was accepted."""
    try:
        yield
    except KeyboardInterrupt:
        show.err.print(
            "Interrupted before an answer came: it may have been accepted, or not. The same "
            f"command with --key {key} submits it once."
        )
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _coming_back(accepted: list[str]) -> Iterator[None]:
    """Says how to come back to what goes on when one has stopped waiting for it."""
    try:
        yield
    except (KeyboardInterrupt, WaitTimeout) as error:
        if isinstance(error, KeyboardInterrupt):
            show.err.print("Interrupted; what was accepted goes on.")
        for of in accepted:
            show.err.print(f"Come back to it with: qtasks watch {of}")
        if isinstance(error, WaitTimeout):
            raise
        raise typer.Exit(INTERRUPTED) from None


def _id(of: str | Submission | BatchSubmission) -> str:
    if isinstance(of, BatchSubmission):
        return of.batch_id
    return of if isinstance(of, str) else of.task_id
