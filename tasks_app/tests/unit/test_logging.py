"""What the real processes log: one correlation id from request to result, and no secrets."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from testing.service import ROOT, Service

SENTINEL = "qubit_of_the_unpublished_paper"
GOOD = f"OPENQASM 2.0; qreg {SENTINEL}[1]; creg c[1]; measure {SENTINEL} -> c;"
BAD = [
    f"OPENQASM 2.0; qreg q[1]; {SENTINEL} q[0];",
    f"OPENQASM 3.0; qubit q; {SENTINEL} q;",
    f"OPENQASM 3.0; qubit {SENTINEL}; qubit {SENTINEL};",
    f"OPENQASM 3.0; {SENTINEL} = 1;",
    f'OPENQASM 2.0; include "{SENTINEL}";',
    f"OPENQASM 3.0; qubit {SENTINEL} @@",
    f"{SENTINEL}",
]


def lines(service: Service) -> list[dict[str, Any]]:
    return [line for process in service.processes for line in process.lines()]


def test_a_full_disk_costs_the_lines_and_nothing_else() -> None:
    code = "import structlog; from quantumtasks.logging import configure_logging as begin; "
    code += "begin(console=False, level='INFO'); structlog.get_logger().info('x'); print('goes on')"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=full, check=False
        )
    assert done.stdout == b"goes on\n"


def test_one_id_joins_a_submissions_lines_and_all_lines_are_json_without_secrets(
    service: Service,
) -> None:
    service.start_api()
    service.start_worker()

    submitted = service.post("/tasks", {"circuit": GOOD}, **{"X-Correlation-ID": "follow-me"})
    assert submitted.status == 202
    task_id = submitted.body["task_id"]
    assert service.finished(task_id)["status"] == "completed"
    failed = [service.accepted(circuit) for circuit in BAD]
    for each in failed:
        assert service.finished(each)["status"] == "failed"
    service.post("/tasks", {"circuit": [SENTINEL]})
    service.post("/tasks", {"circuit": GOOD, "seed": SENTINEL})
    service.request("POST", "/tasks", f'{{"circuit": "{SENTINEL}')
    service.get("/tasks", Authorization="Bearer qt_a-token-that-nobody-should-see")
    service.post("/login", {"username": "nobody", "password": "a-password-that-nobody-should-see"})
    service.stop()

    followed = [line for line in lines(service) if line.get("correlation_id") == "follow-me"]
    events = [line["event"] for line in followed if line["event"] != "slow_query"]
    assert sorted(events) == sorted(
        [
            *("request", "task_submitted", "message_received"),
            *("task_transition", "task_transition"),
        ]
    )
    moves = [line for line in followed if line["event"] == "task_transition"]
    assert [(line["from"], line["to"]) for line in moves] == [
        ("pending", "processing"),
        ("processing", "completed"),
    ]
    assert all(line["task_id"] == task_id and line["seconds"] >= 0 for line in moves)
    assert all({"timestamp", "level", "logger"} <= set(line) for line in followed)

    written = "".join(Path(process.log).read_text() for process in service.processes)
    secrets = {
        "circuit": SENTINEL,
        "SECRET_KEY": service.env["SECRET_KEY"],
        "database password": urlsplit(service.env["DATABASE_URL"]).password,
        "queue password": urlsplit(os.environ["RABBITMQ_URL"]).password,
        "token": "a-token-that-nobody-should-see",
        "password": "a-password-that-nobody-should-see",
    }
    for name, secret in secrets.items():
        assert secret
        assert secret not in written, (name, [s for s in written.splitlines() if secret in s][:3])

    plain = [line for line in written.splitlines() if line.strip() and not line.startswith("{")]
    assert plain == []
