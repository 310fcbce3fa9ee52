"""What several processes count is added up, whoever is asked, and whoever has died."""

import os
import signal
from collections.abc import Callable
from http.client import HTTPConnection

from prometheus_client.parser import text_string_to_metric_families

from testing.ports import free_port
from testing.service import Service, eventually

Figures = dict[str, float]


def _values(labels: dict[str, str]) -> list[str]:
    return [labels[name] for name in sorted(labels)]


def figures(text: str) -> Figures:
    return {
        "/".join([sample.name.removeprefix("quantumtasks_"), *_values(sample.labels)]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of_the_api(service: Service) -> Figures:
    return figures(service.get("/metrics").body)


def of_the_workers(port: int) -> Figures:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return figures(text)


def counted(ask: Callable[[], Figures], **expected: float) -> None:
    """`submissions_total__accepted=3`: wait until that is the figure, and never more than that."""
    wanted = {name.replace("__", "/"): value for name, value in expected.items()}
    told = eventually(
        lambda: f if all((f := ask()).get(name, 0) >= wanted[name] for name in wanted) else None,
        what=f"{wanted}",
    )
    assert {name: told[name] for name in wanted} == wanted


def test_the_sums_of_all_processes_are_right_also_after_one_has_died(service: Service) -> None:
    port = free_port()
    api = service.start_api(processes=2)
    service.start_worker(processes=2, threads=1, WORKER_METRICS_BIND=f"127.0.0.1:{port}")

    answers = service.submit_many(20, clients=4)
    for answer in answers:
        service.finished(answer.body["task_id"])
    counted(
        lambda: of_the_api(service),
        submissions_total__accepted=20,
        transitions_total__none__pending=20,
        request_seconds_count__POST__tasks__202=20,
    )
    done = {
        "transitions_total__pending__processing": 20.0,
        "task_running_seconds_count__stabilizer": 20.0,
    }
    counted(
        lambda: of_the_workers(port),
        transitions_total__processing__completed=20,
        task_waiting_seconds_count__automatic=20,
        **done,
    )

    victim = api.children()[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: victim not in api.children(), what="the process is gone")
    eventually(lambda: len(api.children()) == 2, what="another one is there")
    service.submit_many(20, clients=4)
    counted(
        lambda: of_the_api(service),
        submissions_total__accepted=40,
        request_seconds_count__POST__tasks__202=40,
    )
    counted(lambda: of_the_workers(port), transitions_total__processing__completed=40)


def test_failures_and_ended_sandboxes_are_counted_by_why(service: Service) -> None:
    port = free_port()
    service.start_api(processes=1)
    service.start_worker(WORKER_METRICS_BIND=f"127.0.0.1:{port}", TASK_DEADLINE_S="0.5", threads=1)
    service.finished(service.accepted("OPENQASM 3.0; nonsense"))
    forever = "OPENQASM 3.0; qubit q; bit c; while (!c) { c = measure q; }"
    service.finished(service.accepted(forever, method="statevector"))
    counted(
        lambda: of_the_workers(port),
        failures_total__syntax_error=1,
        failures_total__timed_out=1,
        sandboxes_ended_total__timed_out=1,
        transitions_total__processing__failed=2,
        task_waiting_seconds_count__statevector=1,
    )


def test_two_workers_do_not_share_a_port(service: Service) -> None:
    address = f"127.0.0.1:{free_port()}"
    service.start_worker(WORKER_METRICS_BIND=address)
    second = service._start_worker(1, 1, {"WORKER_METRICS_BIND": address})
    assert second.wait() == 1
    assert "WORKER_METRICS_BIND" in second.log.read_text()
