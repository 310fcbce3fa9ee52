"""Arguments and options that several commands have."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

Id = Annotated[str, typer.Argument(metavar="ID", help="Of a task or a batch.")]
TaskId = Annotated[str, typer.Argument(metavar="TASK", help="The task's id.")]
Program = Annotated[Path, typer.Argument(metavar="FILE", help="OpenQASM; - for standard input.")]
Json = Annotated[bool, typer.Option("--json", help="Print what the service answered.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print outcomes and counts.")]
Wait = Annotated[bool, typer.Option("--wait", "-w", help="Wait for the result and show it.")]
Timeout = Annotated[float | None, typer.Option(min=0, help="Wait no longer than so many seconds.")]
Shots = Annotated[int | None, typer.Option("--shots", "-n", help="How often to run it.")]
Seed = Annotated[int | None, typer.Option(help="Makes the counts repeatable.")]
Method = Annotated[str | None, typer.Option(help="Simulation method.")]
Noise = Annotated[list[str] | None, typer.Option(metavar="NAME=P", help="As readout=0.01.")]
Param = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="NAME=VALUE", help="Of an input; an array as a=[0,1]."),
]
Observable = Annotated[
    list[str] | None,
    typer.Option("--observable", "-O", metavar="PAULIS", help="ZZ, or ZZ=0.5,IX=-1."),
]
Precision = Annotated[float | None, typer.Option(help="Standard error asked for; 0 is exact.")]
Output = Annotated[list[str] | None, typer.Option(help="counts, memory, probabilities, ...")]
Name = Annotated[str | None, typer.Option(help="A name to find it by.")]
Tag = Annotated[list[str] | None, typer.Option(help="A tag to find it by; repeat for more.")]
Backend = Annotated[str | None, typer.Option(help="Where to run it.")]
Level = Annotated[
    int | None,
    typer.Option("--optimization-level", help="0 to 3: how hard to compile for a device."),
]
Priority = Annotated[int | None, typer.Option(help="-100 to 100, higher first.")]
Key = Annotated[str | None, typer.Option(help="Idempotency-Key: the same is the same task.")]
Picture = Annotated[Path | None, typer.Option("--plot", help="Save a picture.")]
After = Annotated[datetime | None, typer.Option(help="Submitted later.")]
Before = Annotated[datetime | None, typer.Option(help="Submitted earlier.")]
Limit = Annotated[int, typer.Option("--limit", "-l", min=1, help="At most so many.")]
