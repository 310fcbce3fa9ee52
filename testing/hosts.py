"""Other hosts, on one machine: network namespaces, each on a wire that can be cut or made bad.

A wire is a pair of TUN devices, one here and one in the namespace, and threads that carry packets
between them. They do what the kernel's netem would, which is not in every kernel.
"""

import contextlib
import fcntl
import os
import queue
import random
import secrets
import select
import struct
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from testing.namespace import Namespace, run

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_TCP = 6
# What a process finds there: its own host name and boot, by which a worker's name tells its host.
_ENTER = (
    'echo "$0" >/proc/sys/kernel/hostname && mount --bind "$1" /proc/sys/kernel/random/boot_id'
    ' && shift && exec "$@"'
)


def missing() -> str | None:
    """What this machine lacks for other hosts; None if it lacks nothing."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    try:
        with Tun() as tun:
            run("unshare", "--net", "--uts", "--mount", "true")
            run("ip", "link", "show", tun.name)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no network namespaces or TUN devices here: {error}"
    return None


Late: TypeAlias = "queue.SimpleQueue[tuple[float, bytes]]"
"""Packets, and when each is due."""


class Tun:
    """A network device whose packets are ours to carry; it goes when it is closed."""

    def __init__(self) -> None:
        self.name = f"qt{secrets.token_hex(5)}"
        self._file = os.open("/dev/net/tun", os.O_RDWR)
        request = struct.pack("16sH22x", self.name.encode(), _IFF_TUN | _IFF_NO_PI)
        try:
            fcntl.ioctl(self._file, _TUNSETIFF, request)
        except OSError:
            os.close(self._file)
            raise

    def read(self, timeout_s: float) -> bytes:
        """The next packet that was sent there; empty if none comes."""
        if select.select([self._file], [], [], timeout_s)[0]:
            with contextlib.suppress(OSError):  # the device is down
                return os.read(self._file, 65536)
        return b""

    def write(self, packet: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(self._file, packet)

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> "Tun":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class Weather:
    """What becomes of packets to and from these TCP ports."""

    ports: frozenset[int] = frozenset()
    sent: float = 0.0
    """The share of what is sent there that is lost."""
    received: float = 0.0
    """The share of what comes back that is lost."""
    delay_s: float = 0.0
    """Each way."""


class Wire:
    """Carries packets between here and there, until it is told otherwise."""

    def __init__(self) -> None:
        self.here, self.there = Tun(), Tun()
        self.weather = Weather()
        self.lost = 0
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []
        for source, sink in ((self.here, self.there), (self.there, self.here)):
            late: Late = queue.SimpleQueue()
            self._start(partial(self._carry, source, sink, late))
            self._start(partial(self._carry_late, sink, late))

    def _start(self, work: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=work, daemon=True))
        self._threads[-1].start()

    def _carry(self, source: Tun, sink: Tun, late: Late) -> None:
        while not self._ending.is_set():
            packet, weather = source.read(0.2), self.weather
            if not packet:
                continue
            if weather.ports.isdisjoint(_tcp_ports(packet)):
                sink.write(packet)
            elif random.random() < (weather.sent if source is self.there else weather.received):
                self.lost += 1
            else:
                late.put((time.monotonic() + weather.delay_s, packet))

    def _carry_late(self, sink: Tun, late: Late) -> None:
        while not self._ending.is_set():
            with contextlib.suppress(queue.Empty):
                due, packet = late.get(timeout=0.2)
                time.sleep(max(0.0, due - time.monotonic()))
                sink.write(packet)

    def close(self) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()
        self.here.close()
        self.there.close()


def _tcp_ports(packet: bytes) -> tuple[int, ...]:
    """Source and destination of an IPv4 packet that is TCP's; else nothing."""
    if packet[0] >> 4 != 4 or packet[9] != _TCP:
        return ()
    return struct.unpack_from("!HH", packet, 4 * (packet[0] & 15))


class Host:
    """Another host: its address, host name, boot, and the wire between it and us."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name, self.wire = name, Wire()
        network = f"10.{random.randrange(64, 192)}.{random.randrange(256)}"
        self.ours, self.address = f"{network}.1", f"{network}.2"
        self._boot_id = folder / f"{name}.boot_id"
        self._boot_id.write_text(f"{uuid.uuid4()}\n")
        self._boot_id.chmod(0o644)
        self._namespace = Namespace()
        there, here = self.wire.there.name, self.wire.here.name
        run("ip", "link", "set", there, "netns", str(self._namespace.pid))
        inside = self._namespace.run
        inside("ip", "link", "set", "lo", "up")
        inside("ip", "address", "add", self.address, "peer", self.ours, "dev", there)
        inside("ip", "link", "set", there, "up")
        run("ip", "address", "add", self.ours, "peer", self.address, "dev", here)
        run("ip", "link", "set", here, "up")

    def command(self, *command: str) -> list[str]:
        """Runs a command there, as the process that is started: nothing stays in between."""
        enter = [*self._namespace.enter, "unshare", "--uts", "--mount"]
        return [*enter, "sh", "-c", _ENTER, self.name, str(self._boot_id), *command]

    def close(self) -> None:
        self._namespace.close()
        self.wire.close()
