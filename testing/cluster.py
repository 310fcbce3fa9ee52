"""A cluster of RabbitMQ nodes, and the arena on it.

As root each node has a network namespace to itself, as if it were on a host of its own. Otherwise
nodes differ by their ports, and no link between two of them can be cut.
"""

import json
import os
import random
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

from embedded.postgres import PostgresServer
from tasks_app.queue.doorbell import QUEUE
from testing.arena import Arena, Link, Trial
from testing.ledger import table
from testing.namespace import Namespace, run
from testing.servers import HERE, Place, RabbitServer, new_rabbit_server
from testing.service import LIMIT_S, Answer, eventually


class Network:
    """Hosts on one bridge: network namespaces, which go when the process that made them ends."""

    def __init__(self, hosts: int) -> None:
        self._bridge = f"qt{secrets.token_hex(5)}"
        self._network = f"10.{random.randrange(192, 255)}.{random.randrange(256)}"
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("address", "add", f"{self._network}.254/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        self._namespaces: list[Namespace] = []
        self.places = [self._add(turn) for turn in range(1, hosts + 1)]

    def _add(self, turn: int) -> Place:
        there = Namespace()
        self._namespaces.append(there)
        address, wire, enter = f"{self._network}.{turn}", f"qt{secrets.token_hex(5)}", there.enter
        _ip("link", "add", wire, "type", "veth", "peer", "name", "eth0", "netns", str(there.pid))
        _ip("link", "set", wire, "master", self._bridge, "up")
        _ip("link", "set", "lo", "up", enter=enter)
        _ip("address", "add", f"{address}/24", "dev", "eth0", enter=enter)
        _ip("link", "set", "eth0", "up", enter=enter)
        return Place(f"host{turn}", address, enter)

    def cut(self, place: Place) -> None:
        """Drop whatever this host sends to the others; we still reach it, and it us."""
        for other in self.places:
            if other != place:
                _ip("route", "add", "blackhole", f"{other.address}/32", enter=place.enter)

    def mend(self, place: Place) -> None:
        """Undo `cut`."""
        _ip("route", "flush", "type", "blackhole", enter=place.enter)

    def close(self) -> None:
        for namespace in self._namespaces:
            namespace.close()
        _ip("link", "del", self._bridge)

    @staticmethod
    def missing() -> str | None:
        """What this machine lacks for hosts; None if it lacks nothing."""
        if os.geteuid() != 0:
            return "network namespaces need root"
        try:
            Network(1).close()
        except (OSError, subprocess.CalledProcessError) as error:
            return f"no network namespaces here: {error}"
        return None


def _ip(*arguments: str, enter: Sequence[str] = ()) -> None:
    run(*enter, "ip", *arguments)


class RabbitCluster:
    """Three nodes that find each other when they first start, and a new one that is alone."""

    def __init__(self, folder: Path) -> None:
        self.network = None if Network.missing() else Network(hosts=4)
        places = self.network.places if self.network else [HERE] * 4
        password, cookie = secrets.token_hex(20), secrets.token_hex(20).upper()
        *self.nodes, self.new = (
            new_rabbit_server(folder / f"rabbitmq-{turn}", place=place, password=password)
            for turn, place in enumerate(places)
        )
        for node in (*self.nodes, self.new):
            node.epmd_port = self.new.epmd_port  # where nodes look for each other
            self._introduce(node, cookie)
        for node in self.nodes:
            self._configure(node)

    def _introduce(self, node: RabbitServer, cookie: str) -> None:
        """What any node needs to know of the others."""
        path = node.data_dir / ".erlang.cookie"
        path.write_text(cookie)
        path.chmod(0o400)
        hosts = [
            f'{{host, {{{peer.place.address.replace(".", ",")}}}, ["{peer.place.host}"]}}.'
            for peer in (*self.nodes, self.new)
        ]
        lines = [*hosts, "{lookup, [file, native]}.\n"]
        (node.data_dir / "hosts").write_text("\n".join(lines))

    def _configure(self, node: RabbitServer) -> None:
        """As docs/operations.md says."""
        with (node.data_dir / "rabbitmq.conf").open("a") as conf:
            conf.write("cluster_partition_handling = pause_minority\nnet_ticktime = 4\n")
            conf.write("cluster_formation.peer_discovery_backend = classic_config\n")
            for turn, peer in enumerate(self.nodes, 1):
                conf.write(f"cluster_formation.classic_config.nodes.{turn} = {peer.node}\n")
        (node.data_dir / "advanced.config").write_text("[{aten, [{poll_interval, 1000}]}].\n")

    def start(self, *nodes: RabbitServer) -> None:
        """Start these nodes, or all, side by side, and wait until they are together."""
        for node in nodes or self.nodes:
            node.launch()
        for node in nodes or self.nodes:
            node.wait_ready()
        self.await_whole()

    def await_whole(self, *, within_s: float = LIMIT_S) -> None:
        """Wait until all nodes see each other, and each queue has all its members."""
        eventually(self._is_whole, what="the cluster is whole", within_s=within_s)

    def _is_whole(self) -> bool:
        try:
            is_whole = len(self.running()) >= len(self.nodes)
            return is_whole and all(
                set(queue["online"]) == set(queue["members"]) for queue in self._queues()
            )
        except subprocess.CalledProcessError:  # a node is not as far yet
            return False

    def running(self) -> set[str]:
        """The names of the nodes that see each other, as the first that answers says."""
        status = json.loads(self.ctl("cluster_status", "--formatter=json"))
        return set(status["running_nodes"])

    def ctl(self, *arguments: str, program: str = "rabbitmqctl") -> str:
        """`RabbitServer.ctl` of a node that runs."""
        node = next(node for node in self.nodes if node.running)
        return node.ctl(*arguments, program=program)

    def of_queue(self, queue: str = QUEUE) -> Any:
        """Its `leader`, `members` and those `online`, by the names of their nodes."""
        return next(row for row in self._queues() if row["name"] == queue)

    def _queues(self) -> Any:
        columns = ("name", "leader", "members", "online")
        return json.loads(self.ctl("list_queues", *columns, "--formatter=json"))

    def leader(self) -> RabbitServer:
        """The node that leads the queue."""
        name = self.of_queue()["leader"]
        return next(node for node in self.nodes if node.node == name)

    def clients(self, node: RabbitServer) -> int:
        """How many connections a node serves."""
        rows = json.loads(self.ctl("list_connections", "port", "--formatter=json"))
        return sum(row["port"] == node.port for row in rows)

    def close(self) -> None:
        """End all nodes, and their network."""
        with ExitStack() as stack:
            if self.network:
                stack.callback(self.network.close)
            for node in (*self.nodes, self.new):
                stack.callback(node.remove)


@dataclass(frozen=True, slots=True)
class Outage:
    """How clients and workers bore that a node was away."""

    fault: str
    accepted: int
    refused: int
    """Answered 503."""
    refused_for_s: float
    """The longest time in which such answers followed each other within a second."""
    served_s: float
    """From the fault until the service was healthy and a new task completed, without the node."""
    silent_s: float
    """The longest time after the fault in which a worker process began no task."""
    waited_s: float
    """The longest time from a task's submission until it began."""
    slowest_s: float
    lost: int
    stuck: int
    terminal_twice: int


class ClusterArena(Arena):
    """API and workers know all nodes, and find out which of them serve."""

    database = "faults_of_a_cluster"

    def __init__(self, folder: Path, *, postgres: PostgresServer, cluster: RabbitCluster) -> None:
        super().__init__(folder, postgres=postgres, rabbit=cluster.nodes[0])
        self.cluster = cluster
        self.outages: list[Outage] = []

    def through(self, link: Link) -> dict[str, str]:
        urls = ",".join(node.url for node in self.cluster.nodes)
        return super().through(link) | {"RABBITMQ_URL": urls}

    @contextmanager
    def outage(self, fault: str) -> Iterator["Absence"]:
        """A trial; the block makes the fault, says so, and ends it."""
        with self.trial(fault, clients=8, every_s=0.25) as trial:
            absence = Absence(self, trial)
            yield absence
            trial.end()
            silent_s, waited_s = absence.silent_s(), absence.waited_s()
        ledger = trial.ledger
        self.outages.append(
            Outage(
                fault=fault,
                accepted=ledger.accepted,
                refused=ledger.refused,
                refused_for_s=_longest_refusal_s(trial.stream.answers),
                served_s=absence.served_s,
                silent_s=silent_s,
                waited_s=waited_s,
                slowest_s=ledger.slowest_s,
                lost=ledger.lost,
                stuck=ledger.stuck,
                terminal_twice=ledger.terminal_twice,
            )
        )


def _longest_refusal_s(answers: Sequence[Answer]) -> float:
    longest_s, begun, latest = 0.0, 0.0, 0.0
    for answer in sorted(answers, key=lambda answer: answer.at):
        if answer.status == 503:
            if answer.at > latest + 1:
                begun = answer.at - answer.seconds
            latest = answer.at
            longest_s = max(longest_s, latest - begun)
    return longest_s


class Absence:
    """A trial's fault, as it goes on."""

    def __init__(self, arena: ClusterArena, trial: Trial) -> None:
        self._arena, self._trial = arena, trial
        self._workers = set(self._begun_tasks("1 minute"))
        self._since = self._now()
        self.served_s = 0.0

    def begins(self) -> None:
        """The fault has just been made."""
        self._since = self._now()

    def is_borne(self) -> None:
        """Wait until the service is healthy, whatever is away."""
        self.served_s = self._arena.healthy(self._trial)

    def silent_s(self) -> float:
        """See `Outage`."""
        times = self._begun_tasks(f"{self._now() - self._since} seconds")
        return max(
            later - sooner
            for worker in self._workers
            for sooner, later in pairwise([self._since, *times.get(worker, []), self._now()])
        )

    def waited_s(self) -> float:
        """See `Outage`."""
        ((waited_s,),) = self._arena.sql(
            "SELECT extract(epoch FROM max(h.transitioned_at - t.submitted_at))"
            " FROM tasks_app_statushistory h JOIN tasks_app_task t USING (task_id)"
            f" WHERE h.status = 'processing' AND t.submitted_at >= '{self._trial.begun_at}'"
        )
        return float(str(waited_s))

    def _now(self) -> float:
        return float(str(self._arena.sql("SELECT extract(epoch FROM clock_timestamp())")[0][0]))

    def _begun_tasks(self, span: str) -> dict[str, list[float]]:
        """When each worker process began a task, by its name."""
        found: dict[str, list[float]] = {}
        for worker, at in self._arena.sql(
            "SELECT split_part(split_part(notes, ' on ', 2), ';', 1),"
            " extract(epoch FROM transitioned_at)"
            " FROM tasks_app_statushistory WHERE status = 'processing'"
            f" AND transitioned_at > now() - interval '{span}' ORDER BY transitioned_at"
        ):
            found.setdefault(str(worker), []).append(float(str(at)))
        return found


def outages_markdown(outages: Sequence[Outage]) -> str:
    """A row for each."""
    titles = [each.name for each in fields(Outage)]
    return table(titles, ([getattr(outage, title) for title in titles] for outage in outages))
