"""What follows a submission: waiting for what came of it, showing that, and coming back to it."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from quantumtasks_client.cli import show
from quantumtasks_client.cli.failures import INTERRUPTED
from quantumtasks_client.client import Client
from quantumtasks_client.errors import TaskError, WaitTimeout
from quantumtasks_client.models import BatchResult, BatchSubmission, Submission, Task


def show_accepted(
    client: Client, task: Submission, *, wait: bool, timeout: float | None, json: bool
) -> None:
    """The task's id alone, or what came of it."""
    if wait:
        show_ended(waited(client, task, timeout), json=json)
    elif json:
        show.as_json(task)
    else:
        print(task.task_id)


def waited(client: Client, task: str | Submission, timeout: float | None) -> Task:
    """The task once it has ended, with a line that says where it is until then."""
    with coming_back([id_of(task)]), show.live("submitted") as line:
        return client.wait(
            task,
            timeout=timeout,
            callback=line and (lambda seen: line(show.waiting(seen))),
            check=False,
        )


def show_ended(task: Task, *, json: bool) -> None:
    """What came of a task. An error ends the process, after the task has been printed."""
    if json:
        show.as_json(task)
    elif task.result is not None:
        show.result(task.result)
    task.get_result()


def show_elements(found: list[BatchResult], names: list[str], *, json: bool) -> None:
    """What came of a batch. The process ends with an error unless each has a result."""
    if json:
        show.as_json(found)
    else:
        show.elements(found, names)
    failed = [element for element in found if element.result is None]
    if failed:
        raise TaskError(f"{len(failed)} of {len(found)} have no result.")


@contextmanager
def unanswered(key: str) -> Iterator[None]:
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
def coming_back(accepted: list[str]) -> Iterator[None]:
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


def id_of(of: str | Submission | BatchSubmission) -> str:
    """What names it, for a person to come back with."""
    if isinstance(of, BatchSubmission):
        return of.batch_id
    return of if isinstance(of, str) else of.task_id
