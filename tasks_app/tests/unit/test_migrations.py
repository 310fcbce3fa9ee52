"""Every migration goes down and up again, with data in between, in a database of its own."""

import io
import itertools

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from tasks_app import lifecycle
from tasks_app.models import Batch, Status, StatusHistory, Task
from tasks_app.tests.unit.tasks import CIRCUIT, history, in_state, submitted

APP = "tasks_app"
TABLES = {"tasks_app_task", "tasks_app_statushistory"}


def names() -> list[str]:
    """This app's migrations, first to last."""
    graph = MigrationLoader(None).graph
    return [name for app, name in graph.forwards_plan(graph.leaf_nodes(APP)[0]) if app == APP]


def migrate(target: str) -> None:
    call_command("migrate", APP, target, verbosity=0)


def applied() -> list[str]:
    done = MigrationExecutor(connection).loader.applied_migrations
    return sorted(name for app, name in done if app == APP)


def tables() -> set[str]:
    with connection.cursor() as cursor:
        found = connection.introspection.table_names(cursor)
    return {name for name in found if name.startswith("tasks_app_")}


def triggers() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
        return {name for (name,) in cursor.fetchall()}


def functions() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT proname FROM pg_proc WHERE proname LIKE 'tasks_app%'")
        return {name for (name,) in cursor.fetchall()}


def test_the_models_have_all_their_migrations(own_database: None) -> None:
    call_command("makemigrations", check=True, dry_run=True, stdout=io.StringIO())


def test_each_single_step_goes_down_and_up_again_with_data(own_database: None) -> None:
    """Tasks in every state and their whole history survive every step but the first one's."""
    steps = names()
    assert applied() == steps
    ids = [in_state(status) for status in Status]
    before = {task_id: history(task_id) for task_id in ids}
    guards, routines = triggers(), functions()

    for target, step in reversed(list(itertools.pairwise(steps))):
        migrate(target)
        assert step not in applied()
        migrate(step)
        assert step in applied()
        migrate(steps[-1])
        assert {task_id: history(task_id) for task_id in ids} == before
        assert Task.objects.filter(circuit=CIRCUIT).count() == len(ids)
        assert (triggers(), functions()) == (guards, routines)


def test_without_shared_circuits_each_task_has_its_own_copy(own_database: None) -> None:
    batch = Batch.objects.create(size=1, circuit=CIRCUIT)
    shared = submitted(
        circuit=None, shots=3, correlation_id="c-1", batch=batch, batch_index=0
    ).task_id
    migrate("0002")
    with connection.cursor() as cursor:
        cursor.execute("SELECT circuit FROM tasks_app_task WHERE task_id = %s", [shared])
        assert cursor.fetchall() == [(CIRCUIT,)]
        with pytest.raises(DatabaseError):  # guarded again
            cursor.execute("UPDATE tasks_app_task SET circuit = 'x'")

    migrate(names()[-1])

    assert Task.objects.get().program == CIRCUIT


def test_down_to_zero_takes_everything_along_and_up_again_starts_empty(own_database: None) -> None:
    guards, routines = triggers(), functions()
    for status in Status:
        in_state(status)

    migrate("zero")

    assert applied() == []
    assert tables() == set()
    assert functions() == set()
    assert not {name for name in triggers() if name.startswith(APP)}

    migrate(names()[-1])

    assert tables() >= TABLES
    assert (triggers(), functions()) == (guards, routines)
    assert not Task.objects.exists()
    in_state(Status.COMPLETED)


def test_without_the_guards_rows_stay_and_with_them_again_they_are_guarded(
    own_database: None,
) -> None:
    task_id = in_state(Status.COMPLETED)
    migrate("0001")
    with connection.cursor() as cursor:  # nothing but the code guards them now
        cursor.execute(
            "UPDATE tasks_app_statushistory SET notes = notes WHERE task_id = %s", [task_id]
        )

    migrate(names()[-1])

    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE tasks_app_statushistory SET notes = 'x' WHERE task_id = %s", [task_id]
        )


def test_history_left_behind_while_unguarded_does_not_stop_the_way_up(own_database: None) -> None:
    keep, withdrawn = in_state(Status.PENDING), in_state(Status.PENDING)
    migrate("0001")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM tasks_app_task WHERE task_id = %s", [withdrawn])
    assert StatusHistory.objects.filter(task_id=withdrawn).exists()

    migrate(names()[-1])

    assert not StatusHistory.objects.filter(task_id=withdrawn).exists()
    assert history(keep) == [("pending", "submitted")]
    assert lifecycle.withdraw(keep)
