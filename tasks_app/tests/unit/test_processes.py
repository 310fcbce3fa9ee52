"""Small facts about Linux processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from testing.ports import free_port, reserve


def test_a_free_port_is_none_that_an_outgoing_connection_could_take_meanwhile() -> None:
    first_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    if first_outgoing < 32_768:
        pytest.skip("this machine's outgoing connections take more ports than Linux's default")
    ports = {free_port() for _ in range(50)}
    assert len(ports) > 25, "two who ask at once hardly get the same"
    assert max(ports) < first_outgoing


def test_a_port_that_was_given_is_given_to_nobody_else_until_its_process_ends() -> None:
    code = "from testing.ports import free_port; print(free_port(), flush=True); input()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        assert not reserve(port), "nobody listens on it yet, and it is the other's"
        other.communicate("\n")
    assert reserve(port)
