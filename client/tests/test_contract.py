"""That the client knows everything that this version of the service answers."""

import os
import re
import subprocess
import sys
from typing import Any

import msgspec
import pytest
import yaml

from quantumtasks_client import AsyncClient, Client, errors, models, operations
from tasks_app.circuits.errors import ERROR_CODES
from tasks_app.circuits.job import MAX_SETS
from tasks_app.circuits.simulation.aer import SEED_STEP
from testing.service import ROOT

API: dict[str, Any] = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text())
SCHEMAS: dict[str, Any] = API["components"]["schemas"]


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("Accepted", models.Submission),
        ("AcceptedBatch", models.BatchSubmission),
        ("Backend", models.Backend),
        ("BackendSummary", models.BackendSummary),
        ("Batch", models.Batch),
        ("BatchElement", models.BatchElement),
        ("BatchPage", models.BatchPage),
        ("BatchResult", models.BatchResult),
        ("BatchSummary", models.BatchSummary),
        ("HistoryEntry", models.HistoryEntry),
        ("ParameterSetResult", models.Result),
        ("Queue", models.Queue),
        ("Result", models.Result),
        ("Task", models.Task),
        ("TaskPage", models.TaskPage),
        ("TaskSummary", models.TaskSummary),
    ],
)
def test_every_field_of_an_answer_is_known(name: str, model: type[msgspec.Struct]) -> None:
    assert set(SCHEMAS[name]["properties"]) <= {
        field.name for field in msgspec.structs.fields(model)
    }


def test_every_option_is_known() -> None:
    known = set(operations.Options.__annotations__)
    assert set(SCHEMAS["SubmissionRequest"]["properties"]) - {"circuit"} <= known


@pytest.mark.parametrize(
    ("path", "filters"), [("/tasks", operations.Filters), ("/batches", operations.BatchFilters)]
)
def test_every_filter_is_known(path: str, filters: type) -> None:
    described = {each["name"] for each in API["paths"][path]["get"]["parameters"]}
    assert described - {"cursor"} == set(filters.__annotations__)


def test_options_and_filters_are_in_the_help() -> None:
    for kind in Client, AsyncClient:
        for method, named in (
            (kind.submit, operations.Options),
            (kind.list, operations.Filters),
        ):
            told = set(re.findall("`([a-z_]+)`", method.__doc__ or ""))
            assert named.__annotations__.keys() <= told


def test_every_error_of_circuits_is_of_a_kind() -> None:
    plain = {
        code for code in ERROR_CODES if type(errors.task_error("", code, "")) is errors.TaskFailed
    }
    assert plain == {"simulation_failed"}


def test_sets_are_counted_and_seeded_as_the_service_does() -> None:
    assert (operations.MAX_SETS, operations.SEED_STEP) == (MAX_SETS, SEED_STEP)


def test_importing_it_imports_little_else() -> None:
    """httpx, Qiskit and the command line's packages would make every script slower to start."""
    script = "import sys; old = set(sys.modules); import quantumtasks_client; "
    script += "print(*{m.partition('.')[0] for m in set(sys.modules) - old})"
    loaded = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT / "client")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    others = set(loaded) - sys.stdlib_module_names - {"quantumtasks_client"}
    assert others <= {"msgspec", "typing_extensions"}
