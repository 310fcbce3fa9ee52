"""The commands: adapters between a terminal and `Client`."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from getpass import getpass
from typing import Annotated

import typer

from quantumtasks_client.cli import plot, show
from quantumtasks_client.cli.following import coming_back, show_elements, show_ended, waited
from quantumtasks_client.cli.options import (
    After,
    Before,
    Csv,
    Id,
    Json,
    Limit,
    Name,
    Picture,
    Tag,
    TaskId,
    Timeout,
    Wait,
)
from quantumtasks_client.cli.submitting import batch, rerun, submit, sweep
from quantumtasks_client.client import Client
from quantumtasks_client.configuration import Configuration, forget
from quantumtasks_client.errors import NotFound
from quantumtasks_client.models import Backend, Batch, Task

app = typer.Typer(
    name="qtasks",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # takes longer to import than all the rest here

        print(f"qtasks {version('quantumtasks-client')}")
        raise typer.Exit


@app.callback()
def common(
    url: Annotated[str | None, typer.Option(help="The service.", show_default=False)] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Show its version.", callback=_show_version)
    ] = False,
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


for command in (submit, rerun, batch, sweep):
    app.command()(command)


@app.command()
def status(of: Id, json: Json = False) -> None:
    """Show where a task or a batch is."""
    with Client() as client:
        found = _either(of, client.get, client.get_batch)
    if json:
        show.as_json(found)
    elif isinstance(found, Task):
        show.task(found)
    else:
        show.batch(found)


@app.command()
def watch(of: Id, timeout: Timeout = None, json: Json = False) -> None:
    """Wait for a task or a batch, and show what came of it."""
    with Client() as client:
        found = _either(of, client.get, client.get_batch)
        if isinstance(found, Task):
            show_ended(waited(client, found.task_id, timeout), json=json)
            return
        with coming_back([of]):
            elements = list(client.results(found, timeout=timeout, progress=True))
    show_elements(elements, [element.task_id for element in elements], json=json)


@app.command()
def result(
    task: TaskId,
    json: Json = False,
    csv: Csv = False,
    picture: Picture = None,
    wait: Wait = False,
    timeout: Timeout = None,
) -> None:
    """Show a task's result."""
    with Client() as client:
        found = waited(client, task, timeout) if wait else client.get(task)
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
    tag: Tag = None,
    name: Name = None,
    backend: Annotated[str | None, typer.Option(help="On this backend.")] = None,
    batch: Annotated[str | None, typer.Option(help="Of this batch.")] = None,
    after: After = None,
    before: Before = None,
    limit: Limit = 20,
    json: Json = False,
) -> None:
    """List tasks, newest first."""
    with Client() as client:
        found = list(
            client.list(
                limit=limit,
                status=status,  # type: ignore[arg-type]  # the service says which there are
                tag=tag,
                name=name,
                backend=backend,
                batch_id=batch,
                submitted_after=after,
                submitted_before=before,
                page_size=min(limit, 500),
            )
        )
    show.as_json(found) if json else show.tasks(found)


@app.command("batches")
def list_batches(
    tag: Tag = None,
    name: Name = None,
    after: After = None,
    before: Before = None,
    limit: Limit = 20,
    json: Json = False,
) -> None:
    """List batches, newest first."""
    with Client() as client:
        found = list(
            client.batches(
                limit=limit,
                tag=tag,
                name=name,
                submitted_after=after,
                submitted_before=before,
                page_size=min(limit, 500),
            )
        )
    show.as_json(found) if json else show.batches(found)


@app.command()
def cancel(of: Id, json: Json = False) -> None:
    """Cancel a task, or what has not ended of a batch."""
    with Client() as client:
        found = _either(of, client.cancel, client.cancel_batch)
    if json:
        show.as_json(found)
    elif isinstance(found, Batch):
        show.batch(found)
    else:
        print(found.status)


@app.command()
def queue(json: Json = False) -> None:
    """Show how long the queue is, and how fast it moves."""
    with Client() as client:
        found = client.queue()
    show.as_json(found) if json else show.queue(found)


@app.command()
def backends(
    name: Annotated[str | None, typer.Argument(help="One of them.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """Show what tasks can be run on, or what one of them is."""
    with Client() as client:
        found = client.backends() if name is None else client.backend(name)
    if json:
        show.as_json(found)
    elif isinstance(found, Backend):
        show.backend(found)
    else:
        show.backends(found)


def _either(of: str, *asked: Callable[[str], Task | Batch]) -> Task | Batch:
    """What the first says that knows this id: whether it is a task's only the service knows."""
    for ask in asked:
        with suppress(NotFound):
            return ask(of)
    raise NotFound("There is no task and no batch with this id.", status=404, code="not_found")
