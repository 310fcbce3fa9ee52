"""The commands that submit."""

from pathlib import Path
from typing import Annotated, cast

import typer

from quantumtasks_client.cli import inputs, plot, show
from quantumtasks_client.cli.following import (
    coming_back,
    id_of,
    show_accepted,
    show_elements,
    unanswered,
)
from quantumtasks_client.cli.options import (
    Backend,
    Csv,
    Json,
    Key,
    Level,
    Method,
    Name,
    Noise,
    Observable,
    Output,
    Param,
    Picture,
    Precision,
    Priority,
    Program,
    Seed,
    Shots,
    Tag,
    TaskId,
    Timeout,
    Wait,
)
from quantumtasks_client.client import Client
from quantumtasks_client.models import Result
from quantumtasks_client.operations import Options


def submit(
    file: Program,
    shots: Shots = None,
    seed: Seed = None,
    method: Method = None,
    param: Param = None,
    noise: Noise = None,
    observable: Observable = None,
    precision: Precision = None,
    output: Output = None,
    name: Name = None,
    tag: Tag = None,
    backend: Backend = None,
    optimization_level: Level = None,
    priority: Priority = None,
    key: Key = None,
    wait: Wait = False,
    timeout: Timeout = None,
    json: Json = False,
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
        optimization_level=optimization_level,
        priority=priority,
    )
    circuit, key = inputs.program(file), inputs.key(key)
    with Client() as client:
        with unanswered(key):
            task = client.submit(circuit, idempotency_key=key, **options)
        show_accepted(client, task, wait=wait, timeout=timeout, json=json)


def rerun(
    task: TaskId,
    shots: Shots = None,
    seed: Seed = None,
    method: Method = None,
    noise: Noise = None,
    output: Output = None,
    name: Name = None,
    tag: Tag = None,
    backend: Backend = None,
    optimization_level: Level = None,
    priority: Priority = None,
    key: Key = None,
    wait: Wait = False,
    timeout: Timeout = None,
    json: Json = False,
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
        optimization_level=optimization_level,
        priority=priority,
    )
    changes = cast(Options, {name: value for name, value in wanted.items() if value is not None})
    key = inputs.key(key)
    with Client() as client:
        with unanswered(key):
            again = client.rerun(task, idempotency_key=key, **changes)
        show_accepted(client, again, wait=wait, timeout=timeout, json=json)


def batch(
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="A circuit each.")],
    shots: Shots = None,
    seed: Seed = None,
    method: Method = None,
    noise: Noise = None,
    name: Name = None,
    tag: Tag = None,
    backend: Backend = None,
    optimization_level: Level = None,
    priority: Priority = None,
    key: Key = None,
    wait: Wait = False,
    timeout: Timeout = None,
    json: Json = False,
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
        optimization_level=optimization_level,
        priority=priority,
    )
    key = inputs.key(key)
    circuits = [inputs.program(file) for file in files]
    with Client() as client:
        with unanswered(key):
            accepted = client.submit_batch(circuits, idempotency_key=key, **shared)
        if not wait:
            show.as_json(accepted) if json else print(accepted.batch_id)
            return
        with coming_back([accepted.batch_id]):
            found = list(client.results(accepted, timeout=timeout, progress=True))
    show_elements(found, [str(file) for file in files], json=json)


def sweep(
    file: Program,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param", "-p", metavar="NAME=VALUES", help="a=0,1, a=0:3.14:20, a=[0,1],[2,3]."
        ),
    ] = None,
    sets: Annotated[Path | None, typer.Option(help="JSON: a list of objects of values.")] = None,
    shots: Shots = None,
    seed: Seed = None,
    method: Method = None,
    noise: Noise = None,
    observable: Observable = None,
    precision: Precision = None,
    name: Name = None,
    tag: Tag = None,
    backend: Backend = None,
    optimization_level: Level = None,
    priority: Priority = None,
    timeout: Timeout = None,
    json: Json = False,
    csv: Csv = False,
    picture: Picture = None,
) -> None:
    """Run a circuit with every combination of the values given, and show what came of each."""
    points = inputs.parameter_sets(param, sets)
    circuit = inputs.program(file)
    accepted: list[str] = []
    with Client() as client, coming_back(accepted), show.live(f"{len(points):,} sets"):
        results = client.sweep(
            circuit,
            points,
            timeout=timeout,
            submitted=lambda answer: accepted.append(id_of(answer)),
            shots=shots,
            seed=seed,
            method=method,
            noise=inputs.values(noise),
            observables=inputs.observables(observable),
            precision=precision,
            name=name,
            tags=tag,
            backend=backend,
            optimization_level=optimization_level,
            priority=priority,
        )
    if json:
        show.as_json([{"parameters": p, "result": r} for p, r in zip(points, results, strict=True)])
    elif csv:
        show.as_csv(Result(sets=results))
    else:
        show.sets(results, points)
    if picture:
        plot.save(Result(sets=results), picture, points)
