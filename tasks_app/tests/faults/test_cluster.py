"""Three nodes of RabbitMQ: what may become of one of them while tasks come in and are run."""

import shlex
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from embedded.postgres import PostgresServer
from tasks_app.queue.broker import DoorbellBroker
from tasks_app.queue.doorbell import queue_of
from testing.cluster import ClusterArena, Outage, RabbitCluster
from testing.pages import commands
from testing.servers import DockerRabbitServer, RabbitServer
from testing.service import eventually

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def arena(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: PostgresServer,
    rabbit_server: RabbitServer,
    outages: list[Outage],
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[ClusterArena]:
    """The service on three nodes and on a database of its own."""
    if isinstance(rabbit_server, DockerRabbitServer):
        pytest.skip("nodes in containers do not see each other")
    with django_db_blocker.unblock():
        connections.close_all()
    folder = tmp_path_factory.mktemp("cluster")
    with closing(RabbitCluster(folder)) as cluster:
        cluster.start()
        arena = ClusterArena(folder, postgres=postgres_server, cluster=cluster)
        try:
            arena.start()
            yield arena
        finally:
            arena.stop()
            outages.extend(arena.outages)


def leader(cluster: RabbitCluster) -> RabbitServer:
    return cluster.leader()


def follower(cluster: RabbitCluster) -> RabbitServer:
    """Of the others the node with the most clients."""
    leader = cluster.leader()
    return max((node for node in cluster.nodes if node is not leader), key=cluster.clients)


Which = Callable[[RabbitCluster], RabbitServer]


def kill(which: Which, arena: ClusterArena) -> None:
    cluster, node = arena.cluster, which(arena.cluster)
    with arena.outage(f"The {which.__name__}'s node killed") as absence:
        node.kill()
        absence.begins()
        absence.is_borne()
        cluster.start(node)


def test_the_leaders_node_is_killed(arena: ClusterArena) -> None:
    assert len(arena.cluster.of_queue()["members"]) == 3
    kill(leader, arena)


@pytest.mark.long
def test_a_followers_node_is_killed(arena: ClusterArena) -> None:
    kill(follower, arena)


@pytest.mark.long
@pytest.mark.parametrize("which", [leader, follower])
def test_a_node_stands_still(which: Which, arena: ClusterArena) -> None:
    node = which(arena.cluster)
    with arena.outage(f"The {which.__name__}'s node paused") as absence:
        node.pause()
        try:
            absence.begins()
            absence.is_borne()
            arena.hold(8)
        finally:
            node.resume()
        node.stop()  # which was away for longer than net_ticktime: an operator starts it anew
        arena.cluster.start(node)


@pytest.mark.long
@pytest.mark.parametrize("which", [leader, follower])
def test_a_node_is_cut_off_from_the_others(which: Which, arena: ClusterArena) -> None:
    """Its clients still reach it, until it notices that it is alone and pauses."""
    network, node = arena.cluster.network, which(arena.cluster)
    if network is None:
        pytest.skip("nodes have no hosts of their own here: that needs root and namespaces")
    with arena.outage(f"The {which.__name__}'s node cut off from the others") as absence:
        network.cut(node.place)
        try:
            absence.begins()
            absence.is_borne()
            eventually(lambda: not node.speaks_amqp(), what="it serves nobody any more")
        finally:
            network.mend(node.place)
        try:
            arena.cluster.await_whole(within_s=60)
        except AssertionError:  # seen on 3.10: Erlang's `global` waits for ever
            node.kill()
            arena.cluster.start(node)


@pytest.mark.long
def test_all_nodes_are_restarted_in_turn(arena: ClusterArena) -> None:
    with arena.outage("All nodes restarted in turn") as absence:
        absence.begins()
        for node in arena.cluster.nodes:
            node.ctl("await_online_quorum_plus_one", program="rabbitmq-upgrade")
            node.stop()
            absence.is_borne()
            arena.cluster.start(node)


@pytest.mark.long
def test_without_a_majority_nothing_is_accepted_and_nothing_lost(arena: ClusterArena) -> None:
    gone = arena.cluster.nodes[:2]
    with arena.outage("Two of three nodes killed") as absence:
        for node in gone:
            node.kill()
        absence.begins()
        arena.hold(3)
        arena.stream.await_round()
        assert arena.stream.answers[-1].status == 503
        arena.cluster.start(*gone)
        absence.is_borne()


@pytest.mark.long
def test_queues_grow_onto_a_new_node_and_leave_it(arena: ClusterArena) -> None:
    cluster, new = arena.cluster, arena.cluster.new
    join, leave = commands("docs/operations.md", "More nodes")
    with arena.outage("Queues grown onto a fourth node, which leaves again") as absence:
        new.start()
        absence.begins()
        typed(join, on=new, names={"one": cluster.nodes[0], "four": new})
        assert len(cluster.of_queue()["online"]) == 4
        absence.is_borne()
        typed(leave, on=cluster.nodes[0], names={"four": new})
        assert new.node not in cluster.running()
    assert len(cluster.of_queue()["online"]) == 3


@pytest.mark.long
def test_a_queue_declared_while_a_node_is_away_is_there_when_it_comes_back(
    arena: ClusterArena,
) -> None:
    *others, away = arena.cluster.nodes
    away.stop()
    broker = DoorbellBroker(url=",".join(node.url for node in others), middleware=[])
    queue = queue_of("made_meanwhile")
    eventually(lambda: broker.consume(queue), what="it is declared").close()
    broker.close()
    assert len(arena.cluster.of_queue(queue)["online"]) == 2

    arena.cluster.start(away)

    eventually(lambda: away.node in arena.cluster.of_queue(queue)["online"], what="it has a member")


def typed(block: str, *, on: RabbitServer, names: dict[str, RabbitServer]) -> None:
    """Run commands of the documentation on a node; `names` are those that it has for nodes."""
    for line in block.splitlines():
        program, *words = shlex.split(line, comments=True)
        for name, node in names.items():
            words = [node.node if word == f"rabbit@{name}" else word for word in words]
        if program == "systemctl":
            assert words == ["stop", "rabbitmq-server"]
            names["four"].stop()
        else:
            on.ctl(*words, program=program)
