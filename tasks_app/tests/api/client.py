"""A client for the API in this process, and what every answer must be like."""

import base64
import json
import uuid
from typing import Any

from django.http import HttpResponse
from django.test import Client

CIRCUIT = "OPENQASM 2.0; qreg q[1]; creg c[1]; measure q -> c;"
# What no answer may show to a client, whatever went wrong.
INTERNALS = (
    "Traceback",
    "psycopg",
    "SELECT",
    "INSERT",
    "tasks_app",
    "127.0.0.1:",
    "pika",
    'File "',
)


def post(body: Any, path: str = "/tasks", **headers: str) -> HttpResponse:
    """POST a JSON value, or bytes as they are."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return _send("POST", path, raw, **headers)


def get(path: str, **headers: str) -> HttpResponse:
    return _send("GET", path, b"", **headers)


def send(method: str, path: str, body: bytes = b"", **headers: str) -> HttpResponse:
    return _send(method, path, body, **headers)


def _send(method: str, path: str, raw: bytes, **headers: str) -> HttpResponse:
    client = Client(raise_request_exception=False)
    content_type = headers.pop("content_type", "application/json")
    response: HttpResponse = client.generic(  # type: ignore[assignment]
        method, path, raw, content_type=content_type, headers=headers or None
    )
    return response


def error(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """The body of an error, which must have the one shape and show nothing internal."""
    assert response.status_code == status, (response.status_code, response.content[:500])
    assert response["Content-Type"].startswith("application/json")
    text = response.content.decode()
    for internal in INTERNALS:
        assert internal not in text, text
    body: dict[str, Any] = json.loads(text)
    assert set(body) == {"error", "code", "details", "correlation_id"}, body
    assert body["code"] == code, body
    assert body["error"] and isinstance(body["error"], str)
    assert isinstance(body["details"], dict)
    assert body["correlation_id"] == response["X-Correlation-ID"] != ""
    assert len(text) < 20_000
    return body


def unknown_id() -> str:
    return str(uuid.uuid4())


def qpy(version: int = 17, more: bytes = b"") -> str:
    """The header of a file, which is all that is looked at before a worker has it."""
    header = b"QISKIT" + bytes((version, 2, 6, 2)) + (1).to_bytes(8) + b"pq"
    return base64.b64encode(header + more).decode()
