"""TCP ports for servers of tests, which start side by side and may be away for a while."""

import socket

from tasks_app import processes

_reserved: list[socket.socket] = []


def free_port() -> int:
    """A port of the loopback interface that is given to nobody else while this process lives."""
    while not reserve(port := processes.free_port()):
        pass
    return port


def reserve(port: int) -> bool:
    """Take the port's name, which the kernel gives to one process and takes back at its end."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0quantum-tasks-port-{port}")
    except OSError:
        name.close()
        return False
    _reserved.append(name)
    return True
