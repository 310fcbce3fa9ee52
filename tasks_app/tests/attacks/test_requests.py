"""Requests that cost their sender little and would cost the service much."""

from collections.abc import Iterator

import pytest

from tasks_app.models import Batch, Task
from tasks_app.tests.attacks.costs import Cost, Meter
from testing.service import Service

SIZE = 6_300_000  # Bytes; somewhat more is refused by its length.
MAX_ANSWER = 65_536  # Bytes.
MAX_MEMORY = 200  # MiB.


def many(unit: str, size: int = SIZE) -> str:
    """As often as it fits, separated by commas."""
    return ",".join([unit] * (size // (len(unit) + 1)))


def names(size: int = SIZE, value: str = "1") -> str:
    width = len(value) + 12
    return ",".join(f'"p{index:07x}":{value}' for index in range(size // width))


def sets(value: str) -> str:
    """A thousand sets of as many parameters as fit."""
    inner = names(6_200, value)
    return ",".join([f"{{{inner}}}"] * 1000)


BOMBS: dict[str, tuple[str, str]] = {
    "tags without end": ("/tasks", f'{{"circuit":"x","tags":[{many("1")}]}}'),
    "parameter sets without end": ("/tasks/batch", f'{{"parameter_sets":[{many("1")}]}}'),
    "tasks without end": ("/tasks/batch", f'{{"tasks":[{many("{}")}]}}'),
    "parameters without end": ("/tasks", f'{{"circuit":"x","parameters":{{{names()}}}}}'),
    "arrays without end": ("/tasks", f'{{"circuit":"x","parameters":{{"a":[{many("1.5")}]}}}}'),
    "arrays in arrays": (
        "/tasks",
        f'{{"circuit":"x","parameters":{{"a":[{many("[" * 60 + "]" * 60)}]}}}}',
    ),
    "a thousand sets of wrong values": (
        "/tasks/batch",
        f'{{"circuit":"x","parameter_sets":[{sets("[]")}]}}',
    ),
    "a thousand tasks of unknown fields": (
        "/tasks/batch",
        f'{{"circuit":"x","tasks":[{sets("1")}]}}',
    ),
    "unknown fields without end": ("/tasks", f"{{{names()}}}"),
    "one name of megabytes": ("/tasks", f'{{"{"n" * SIZE}":1}}'),
    "one text of megabytes": ("/tasks", f'{{"circuit":"x","name":"{"n" * SIZE}"}}'),
    "a method of megabytes": ("/tasks", f'{{"circuit":"x","method":"{"n" * SIZE}"}}'),
    "lists without end": ("/tasks", f"[{many('[]')}]"),
    "lists in lists": ("/tasks", f"[{many('[' * 60 + ']' * 60)}]"),
    "objects without end": ("/tasks", f"[{many('{}')}]"),
    "numbers without end": ("/tasks", f"[{many('1.5')}]"),
    "a number without end": ("/tasks", f'{{"circuit":"x","shots":{"1" * SIZE}}}'),
    "a text without its end": ("/tasks", '["' + "\\" * (SIZE - 3)),
    "quotes without end": ("/tasks", '["' + '\\"' * (SIZE // 2 - 2)),
    "brackets without end": ("/tasks", "[" * SIZE),
    "eight megabytes": ("/tasks", f'{{"circuit":"{"x" * 8_388_590}"}}'),
}


@pytest.fixture
def meter(service: Service) -> Iterator[Meter]:
    api = service.start_api(processes=1)
    yield Meter(service, api)
    assert service.get("/health/live").status == 200


def test_a_circuit_of_a_megabyte_in_a_thousand_tasks_is_one(
    meter: Meter, costs: list[Cost]
) -> None:
    circuit = "OPENQASM 3.0; //" + "x" * 1_000_000
    body = f'{{"circuit":"{circuit}","parameter_sets":[{many("{}", 3_000)}]}}'
    cost, answer = meter.send("a thousand times a circuit of 1 MB", "/tasks/batch", body.encode())
    costs.append(cost)
    assert cost.status == 202, answer
    assert cost.memory_mb <= MAX_MEMORY, cost
    assert Task.objects.count() == 1000
    assert Task.objects.filter(circuit__isnull=False).count() == 0


def test_defaults_that_each_task_would_store_are_refused_before_they_are_made(
    meter: Meter, costs: list[Cost]
) -> None:
    body = f'{{"circuit":"x","parameters":{{{names(120_000)}}},"tasks":[{many("{}", 3_000)}]}}'
    cost, answer = meter.send("a thousand times 9,000 parameters", "/tasks/batch", body.encode())
    costs.append(cost)
    assert (cost.status, answer.body["code"]) == (413, "batch_too_large")
    assert cost.memory_mb <= MAX_MEMORY, cost
    assert Task.objects.count() == 0


def test_no_body_costs_more_than_its_sender(meter: Meter, costs: list[Cost]) -> None:
    for name, (path, text) in BOMBS.items():
        cost, answer = meter.send(name, path, text.encode())
        costs.append(cost)
        # 0: the connection was closed over a body that is much too large.
        assert cost.status in {400, 413} or (cost.status == 0 and len(text) > 8e6), (cost, answer)
        assert cost.answered <= MAX_ANSWER, cost
        assert cost.memory_mb <= MAX_MEMORY, cost
    assert Task.objects.count() == Batch.objects.count() == 0
