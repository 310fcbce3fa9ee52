"""Submissions that come together while PostgreSQL is away."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
import pytest
from django.db import OperationalError, connection

from tasks_app import submission
from tasks_app.models import Task
from tasks_app.postgresql import base
from tasks_app.tests.conftest import database_url
from testing.service import BELL, LIMIT_S, eventually


def submit(within_s: float = LIMIT_S) -> None:
    with base.deadline(within_s):
        submission.accept([Task(circuit=BELL, shots=1, correlation_id="c-1")])


def submit_in_a_thread(within_s: float = LIMIT_S) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        submit(within_s)
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_who_may_not_connect_does_not_wait_for_who_is_stuck(
    monkeypatch: pytest.MonkeyPatch, empty_queue: None
) -> None:
    monkeypatch.setattr(base, "_breakers", {})
    monkeypatch.setattr(base, "RETRY_CONNECT_S", LIMIT_S)
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database_url()) as other:
        other.execute("LOCK TABLE tasks_app_task")
        stuck = pool.submit(submit_in_a_thread)
        eventually(lambda: submission._store_and_ring._led, what="a submission at work")
        connection.close()
        with (
            suppress(ConnectionError),
            base._breaker(connection.get_connection_params()).attempt(),
        ):
            raise ConnectionError
        with pytest.raises(OperationalError, match="could not be reached a moment ago"):
            submit()
        assert not stuck.done()
        other.rollback()
        stuck.result()
    monkeypatch.undo()
    assert Task.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_who_has_no_time_left_fails_alone(empty_queue: None) -> None:
    """It waited for the group before, and would lead the next one into its own time-out."""
    with ThreadPoolExecutor(3) as pool, psycopg.connect(database_url()) as other:
        other.execute("LOCK TABLE tasks_app_task")
        first = pool.submit(submit_in_a_thread)
        eventually(lambda: submission._store_and_ring._led, what="a submission at work")
        late = pool.submit(submit_in_a_thread, submission.LEADER_S)
        eventually(lambda: len(submission._store_and_ring._waiting) == 1, what="the second waits")
        fresh = pool.submit(submit_in_a_thread)
        eventually(lambda: len(submission._store_and_ring._waiting) == 2, what="the third waits")
        other.rollback()
        with pytest.raises(OperationalError, match="too little time"):
            late.result()
        assert [first.result(), fresh.result()] == [None, None]
    assert Task.objects.count() == 2
