"""The database wrapper: every wait ends, whatever the server or the network does."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from django.conf import LazySettings
from django.db import OperationalError, ProgrammingError, connection
from structlog.testing import capture_logs

from tasks_app.postgresql import base
from tasks_app.postgresql.base import DatabaseWrapper, deadline, why
from testing.service import LIMIT_S, Proxy, eventually

pytestmark = pytest.mark.django_db

T = TypeVar("T")


def ends(work: Callable[[], T]) -> T:
    """What `work` returns or raises, which it must do without being helped."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(timeout=LIMIT_S)


def to_port(port: int) -> DatabaseWrapper:
    """A connection, not opened yet, like the default one but to another port."""
    settings = connection.settings_dict | {"HOST": "127.0.0.1", "PORT": str(port)}
    wrapper = DatabaseWrapper(settings, alias="other")
    wrapper.inc_thread_sharing()
    return wrapper


def ask(wrapper: DatabaseWrapper, sql: str = "SELECT pg_backend_pid()") -> Any:
    with wrapper.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def reason(wrapper: DatabaseWrapper) -> str | None:
    """Why it does not connect; None if it does."""
    try:
        wrapper.ensure_connection()
    except OperationalError as error:
        return str(error)
    finally:
        wrapper.close()
    return None


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy(int(connection.settings_dict["PORT"])) as running:
        yield running


@pytest.fixture
def proxied(proxy: Proxy) -> Iterator[DatabaseWrapper]:
    wrapper = to_port(proxy.port)
    yield wrapper
    proxy.thaw()
    wrapper.close()


class Counting:
    """A port that answers no connection properly, and counts them."""

    def __init__(self) -> None:
        self.count = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.count += 1
            client.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def broken_server() -> Iterator[Counting]:
    server = Counting()
    yield server
    server.close()


# -- waits -------------------------------------------------------------------------------------


def test_a_query_to_a_frozen_server_ends_with_its_deadline(
    proxy: Proxy, proxied: DatabaseWrapper, settings: LazySettings
) -> None:
    settings.DB_STATEMENT_TIMEOUT_S = 0  # so that nothing else ends it
    ask(proxied)
    proxy.freeze()

    def query() -> None:
        with deadline(0.5):
            ask(proxied)

    with pytest.raises(OperationalError, match="in time"):
        ends(query)


def test_after_a_deadline_the_connection_is_closed_and_its_late_answer_read_by_nobody(
    proxy: Proxy, proxied: DatabaseWrapper
) -> None:
    first = ask(proxied)
    proxy.freeze()
    with pytest.raises(OperationalError), deadline(0.3):
        ask(proxied, "SELECT 'late'")
    assert proxied.connection.closed

    proxy.thaw()
    proxied.close_if_unusable_or_obsolete()

    assert ask(proxied, "SELECT 'new'") == "new"
    assert ask(proxied) != first


def test_in_a_transaction_too_nothing_more_is_written_after_a_deadline(
    proxy: Proxy, proxied: DatabaseWrapper
) -> None:
    ask(proxied)
    proxied.set_autocommit(False)
    ask(proxied)
    proxy.freeze()
    with pytest.raises(OperationalError), deadline(0.3):
        ask(proxied)
    proxy.thaw()
    with pytest.raises(Exception, match="closed"):
        ask(proxied)


def test_without_a_deadline_a_query_ends_after_the_statement_timeout_and_a_margin(
    proxy: Proxy,
    proxied: DatabaseWrapper,
    settings: LazySettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.DB_STATEMENT_TIMEOUT_S = 0.2
    monkeypatch.setattr(base, "STATEMENT_WAIT_MARGIN_S", 0.2)
    ask(proxied)
    proxy.freeze()
    with pytest.raises(OperationalError, match="in time"):
        ends(lambda: ask(proxied))


def test_the_server_itself_ends_a_statement_that_takes_too_long() -> None:
    with pytest.raises(OperationalError, match="statement timeout"), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '50ms'")
        cursor.execute("SELECT pg_sleep(30)")


def test_connecting_to_a_frozen_server_ends(proxy: Proxy, proxied: DatabaseWrapper) -> None:
    proxy.freeze()
    with pytest.raises(OperationalError):
        ends(proxied.ensure_connection)


def test_the_health_check_of_a_frozen_connection_ends(
    proxy: Proxy, proxied: DatabaseWrapper, settings: LazySettings
) -> None:
    settings.DB_STATEMENT_TIMEOUT_S = 0
    ask(proxied)
    assert proxied.is_usable()
    proxy.freeze()
    assert not ends(proxied.is_usable)


def test_a_busy_connection_is_checked_now_and_then_and_after_every_error(
    proxy: Proxy, proxied: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def checked() -> bool:
        before = proxied._healthy_until
        proxied.close_if_unusable_or_obsolete()  # as Django does before each request
        ask(proxied)
        return proxied._healthy_until != before

    monkeypatch.setattr(proxied, "health_check_enabled", True)
    monkeypatch.setattr(base, "HEALTHY_FOR_S", 1e6)
    ask(proxied)
    assert [checked(), checked()] == [True, False]
    with pytest.raises(ProgrammingError):
        ask(proxied, "SELECT nothing")
    assert checked()
    proxied._healthy_until = 0.0  # the time is over
    assert checked()


def test_a_prepared_statement_is_kept_by_the_server(proxied: DatabaseWrapper) -> None:
    for number in range(3):
        assert proxied.prepared("SELECT %s::int + 1", [number]) == [(number + 1,)]
    assert ask(proxied, "SELECT count(*) FROM pg_prepared_statements") == 1


def test_nobody_begins_to_connect_when_the_time_is_up(broken_server: Counting) -> None:
    with deadline(0), pytest.raises(OperationalError, match="no time"):
        to_port(broken_server.port).ensure_connection()
    assert broken_server.count == 0


def test_an_inner_deadline_does_not_extend_the_outer_one() -> None:
    with deadline(1000):
        outer = base.remaining_s()
        with deadline(2000):
            assert base.remaining_s() <= outer
        with deadline(1):
            assert base.remaining_s() <= 1
        assert 1 < base.remaining_s() <= outer


# -- slow queries ------------------------------------------------------------------------------


def test_a_slow_query_is_logged_with_its_time_but_without_its_parameters(
    settings: LazySettings,
) -> None:
    settings.SLOW_QUERY_S = 0.01
    with capture_logs() as logs, connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s), %s", [0.02, "a secret circuit"])

    (entry,) = logs
    assert (entry["event"], entry["log_level"]) == ("slow_query", "warning")
    assert entry["seconds"] >= 0.02
    assert entry["sql"] == "SELECT pg_sleep(%s), %s"
    assert "secret" not in str(logs)


def test_a_slow_query_that_fails_is_logged_too(settings: LazySettings) -> None:
    settings.SLOW_QUERY_S = 0.0
    with capture_logs() as logs, pytest.raises(OperationalError), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '20ms'")
        cursor.execute("SELECT pg_sleep(30)")
    assert logs[-1]["sql"] == "SELECT pg_sleep(30)"


def test_other_queries_are_not_logged(settings: LazySettings) -> None:
    settings.SLOW_QUERY_S = 60
    with capture_logs() as logs:
        ask(to_port(int(connection.settings_dict["PORT"])))
    assert logs == []


# -- the breaker -------------------------------------------------------------------------------

REFUSED = "a moment ago"


def test_after_a_failed_connection_others_are_refused_without_trying(
    broken_server: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "RETRY_CONNECT_S", 600)
    first = reason(to_port(broken_server.port))
    assert first is not None and REFUSED not in first

    later = [reason(to_port(broken_server.port)) for _ in range(10)]

    assert all(REFUSED in (each or "") for each in later)
    assert broken_server.count == 1


def test_after_a_pause_it_is_tried_again(
    broken_server: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "RETRY_CONNECT_S", 0.2)
    reason(to_port(broken_server.port))

    def tried_again() -> bool:
        reason(to_port(broken_server.port))
        return broken_server.count == 3

    eventually(tried_again, what="two more attempts")


def test_one_thread_probes_a_frozen_server_while_the_others_are_refused(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "RETRY_CONNECT_S", 0)
    proxy.freeze()
    assert REFUSED not in (reason(to_port(proxy.port)) or "")
    monkeypatch.setattr(base, "RETRY_CONNECT_S", 600)  # after the probe of the following

    with ThreadPoolExecutor(8) as pool:
        reasons = list(pool.map(lambda _: reason(to_port(proxy.port)), range(8)))

    assert [REFUSED in (each or "") for each in reasons].count(False) == 1
    assert None not in reasons


def test_a_probe_that_succeeds_lets_everybody_in_again(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "RETRY_CONNECT_S", 0.1)
    proxy.refuse()
    assert reason(to_port(proxy.port)) is not None

    proxy.allow()
    eventually(lambda: reason(to_port(proxy.port)) is None, what="it connects")

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: reason(to_port(proxy.port)), range(8))) == {None}


def test_another_server_is_not_affected(
    broken_server: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "RETRY_CONNECT_S", 600)
    assert reason(to_port(broken_server.port)) is not None
    assert reason(to_port(int(connection.settings_dict["PORT"]))) is None


def test_a_missing_database_does_not_keep_others_of_its_server_closed(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "RETRY_CONNECT_S", 600)
    missing = to_port(proxy.port)
    missing.settings_dict["NAME"] = "there-is-none"
    assert "does not exist" in (reason(missing) or "")
    assert reason(to_port(proxy.port)) is None


def test_a_probe_that_is_interrupted_does_not_keep_the_breaker_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(base, "RETRY_CONNECT_S", 0)
    breaker = base.ConnectBreaker()
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), breaker.attempt():
            raise KeyboardInterrupt
    with breaker.attempt():
        pass
    with breaker.attempt():
        pass


# -- several servers ---------------------------------------------------------------------------


def to_ports(*ports: int) -> DatabaseWrapper:
    wrapper = to_port(0)
    wrapper.settings_dict |= {
        "HOST": ",".join(["127.0.0.1"] * len(ports)),
        "PORT": ",".join(map(str, ports)),
    }
    return wrapper


def test_of_several_servers_one_that_refuses_is_asked_once(
    proxy: Proxy, broken_server: Counting
) -> None:
    for _ in range(3):
        assert reason(to_ports(broken_server.port, proxy.port)) is None
    assert broken_server.count == 1


def test_one_that_does_not_answer_costs_one_request_and_not_the_next(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "RETRY_CONNECT_S", 0)
    with Proxy(int(connection.settings_dict["PORT"])) as frozen:
        frozen.freeze()
        with deadline(2.6):  # too little for two attempts
            assert "timeout" in (reason(to_ports(frozen.port, proxy.port)) or "")
        with deadline(1.9):  # nothing is left for one that does not answer
            assert reason(to_ports(frozen.port, proxy.port)) is None
        frozen.thaw()


def test_one_that_answers_no_more_is_left_for_another(proxy: Proxy) -> None:
    with Proxy(int(connection.settings_dict["PORT"])) as first:
        wrapper = to_ports(first.port, proxy.port)
        ask(wrapper)
        assert first.outgoing_ports() and not proxy.outgoing_ports()
        first.freeze()
        with pytest.raises(OperationalError, match="in time"), deadline(0.3):
            ask(wrapper)
        wrapper.close()
        first.thaw()

        ask(wrapper)
        assert proxy.outgoing_ports(), "though the first would answer again"
        wrapper.close()


def test_all_that_fail_are_told(broken_server: Counting, proxy: Proxy) -> None:
    proxy.refuse()
    (told_of,) = told(to_ports(broken_server.port, proxy.port))
    assert str(proxy.port) in told_of and str(broken_server.port) in told_of


# -- what is told of a failure -----------------------------------------------------------------


def told(*wrappers: DatabaseWrapper) -> list[str]:
    """The reasons that are logged while these fail to connect."""
    with capture_logs() as logs:
        for wrapper in wrappers:
            assert reason(wrapper) is not None
    assert {entry["event"] for entry in logs} <= {"database_unreachable"}
    return [entry["reason"] for entry in logs]


def with_settings(**changes: str) -> DatabaseWrapper:
    wrapper = to_port(int(connection.settings_dict["PORT"]))
    wrapper.settings_dict |= changes
    return wrapper


def test_a_failed_connection_tells_why_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "RETRY_CONNECT_S", 0)
    with Proxy(int(connection.settings_dict["PORT"])) as proxy:
        proxy.refuse()
        (refused,) = told(to_port(proxy.port), to_port(proxy.port))
        assert "Connection refused" in refused and str(proxy.port) in refused

        proxy.allow()
        assert reason(to_port(proxy.port)) is None
        proxy.refuse()
        assert told(to_port(proxy.port)) == [refused], "a new outage is told again"


def test_what_postgresql_refuses_is_told_in_its_words() -> None:
    (role,) = told(with_settings(USER="nobody-of-this-name"))
    assert 'authentication failed for user "nobody-of-this-name"' in role
    (database,) = told(with_settings(NAME="no-such-database"))
    assert 'database "no-such-database" does not exist' in database


def test_no_password_and_no_statement_is_told() -> None:
    password = str(connection.settings_dict["PASSWORD"])
    assert password
    assert why(OperationalError(f"bad option near {password}")) == "bad option near …"
    with connection.cursor() as cursor, pytest.raises(ProgrammingError) as refused:
        cursor.execute("SELECT nothing, 'a secret circuit'")
    assert "secret" in str(refused.value)
    assert "nothing" in why(refused.value)
    assert "secret" not in why(refused.value)
