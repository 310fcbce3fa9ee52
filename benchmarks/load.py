"""A cheap closed-loop HTTP/1.1 client: each client sends, waits for the answer, sends again.

Run as a process of its own, since it shares the cores with what it measures, by `drive`. One
thread, one epoll loop, requests made beforehand: about 25 µs of processor time for each.
"""

import json
import select
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

Request = tuple[str, str, str]  # method, path, body


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it: 2xx answers within the time, and all the requests that were sent."""

    milliseconds: list[float]
    requests: int
    statuses: dict[str, int]
    seconds: float
    cpu_s: float

    @property
    def failed(self) -> int:
        return sum(n for status, n in self.statuses.items() if not status.startswith("2"))

    @property
    def per_s(self) -> float:
        return len(self.milliseconds) / self.seconds

    def percentile(self, percent: int) -> float:
        return quantiles(self.milliseconds, n=100)[percent - 1]


def drive(
    port: int,
    requests: Sequence[Request],
    *,
    clients: int,
    seconds: float = 60,
    most: int = 0,
    headers: Mapping[str, str] | None = None,
) -> Load:
    """Send the requests in turn for so long, or `most` of them."""
    plan = [port, list(requests), clients, seconds, most, dict(headers or {})]
    done = subprocess.run(
        [sys.executable, __file__], input=json.dumps(plan), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return Load(**json.loads(done.stdout))


def run(
    port: int,
    requests: Sequence[Request],
    clients: int,
    seconds: float,
    most: int,
    headers: Mapping[str, str],
) -> dict[str, Any]:
    fixed = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    raw = [
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"{fixed}Content-Length: {len(body.encode())}\r\n\r\n{body}".encode()
        for method, path, body in requests
    ]
    epoll, sockets, answers = select.epoll(), {}, {}
    for _ in range(clients):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets[sock.fileno()], answers[sock.fileno()] = sock, b""
        epoll.register(sock, select.EPOLLIN)
    sent_at, times, statuses, sent = {}, [], Counter[str](), 0
    clock, cpu_s = time.perf_counter, time.process_time()
    start = ended = clock()

    def send(number: int) -> None:
        nonlocal sent
        sent_at[number] = clock()
        sockets[number].sendall(raw[sent % len(raw)])
        sent += 1

    for number in list(sockets)[: most or clients]:
        send(number)
    while sent_at:
        for number, _ in epoll.poll(30) or sys.exit("no answer within 30 s"):
            data = sockets[number].recv(1 << 20)
            answer = answers[number] + data
            head, separator, body = answer.partition(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r")[0]
            if not data or (separator and not length):
                sys.exit(f"closed, or an answer without a length: {answer[:400]!r}")
            if not separator or len(body) < int(length):
                answers[number] = answer
                continue
            now, answers[number] = clock(), b""
            began = sent_at.pop(number)
            statuses[head[9:12].decode()] += 1
            if now - start <= seconds:
                ended = now
                if head[9:10] == b"2":
                    times.append(round(1000 * (now - began), 3))
                if not most or sent < most:
                    send(number)
    return {
        "milliseconds": times,
        "requests": sent,
        "statuses": statuses,
        "seconds": ended - start if most else seconds,
        "cpu_s": time.process_time() - cpu_s,
    }


if __name__ == "__main__":
    print(json.dumps(run(*json.load(sys.stdin))))
