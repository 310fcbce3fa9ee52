"""An operator browses tasks in the admin, and can only browse."""

import re
import uuid
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tasks_app import lifecycle
from tasks_app.admin import tasks as task_admin
from tasks_app.models import Batch, Status, Task
from tasks_app.tests.api import people
from tasks_app.tests.api.client import error
from tasks_app.tests.unit import tasks
from tasks_app.tests.unit.tasks import submitted
from tasks_app.wording import short_id

pytestmark = pytest.mark.django_db

LIST = "/admin/tasks_app/task/"
HOSTILE = "OPENQASM 3.0; // </pre><script>alert(1)</script>\nqubit q;"


@pytest.fixture
def operator(client: Client) -> Client:
    """Logged in as staff that may view tasks and nothing else."""
    user = User.objects.create_user("operator", is_staff=True)
    view = Permission.objects.get(content_type__app_label="tasks_app", codename="view_task")
    user.user_permissions.add(view)
    client.force_login(user)
    return client


@pytest.fixture
def superuser(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client


def submit(circuit: str = "OPENQASM 3.0; qubit q;", correlation_id: str = "notebook-42") -> Task:
    return submitted(circuit=circuit, shots=77, seed=None, correlation_id=correlation_id)


def claimed(task: Task) -> lifecycle.Claim:
    return tasks.claimed(task.task_id, worker="worker-1:1:1:1")


def completed(counts: dict[str, int], **metadata: object) -> Task:
    task = submit()
    shots = sum(counts.values())
    lifecycle.complete(claimed(task), {"counts": counts, "shots": shots, "metadata": metadata})
    return task


def failed(message: str = "Unexpected 'cx' (line 3, column 1)") -> Task:
    task = submit()
    lifecycle.fail(claimed(task), code="syntax_error", message=message)
    return task


def one_of_each() -> dict[Status, Task]:
    tasks = {Status.PENDING: submit(), Status.PROCESSING: submit()}
    claimed(tasks[Status.PROCESSING])
    tasks[Status.COMPLETED] = completed({"0": 1})
    tasks[Status.FAILED] = failed()
    tasks[Status.CANCELLED] = submit()
    lifecycle.cancel([tasks[Status.CANCELLED].task_id], reason="not needed any more")
    return tasks


def page(task: Task) -> str:
    return reverse("admin:tasks_app_task_change", args=[task.task_id])


def body(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def listed(client: Client, query: str = "") -> list[uuid.UUID]:
    """Ids in the list, in its order."""
    response = client.get(LIST + query)
    assert response.status_code == 200, response.content[:300]
    return [task.task_id for task in response.context["cl"].result_list]


def test_the_list_shows_every_state_newest_first(operator: Client) -> None:
    tasks = one_of_each()
    response = operator.get(LIST)
    assert [t.task_id for t in response.context["cl"].result_list] == [
        task.task_id for task in reversed(tasks.values())
    ]
    html = response.content.decode()
    for status, task in tasks.items():
        assert short_id(task.task_id) in html
        assert task_admin.badge(status) in html
    assert "syntax_error" in html


def test_the_status_filter_lists_exactly_that_status(operator: Client) -> None:
    for status, task in one_of_each().items():
        assert listed(operator, f"?current_status__exact={status}") == [task.task_id]


@pytest.mark.parametrize(
    ("choice", "ages_listed"), [("Today", [0]), ("Past 7 days", [0, 5]), ("Any date", [0, 5, 900])]
)
def test_the_date_filter_lists_what_is_recent_enough(
    operator: Client, choice: str, ages_listed: list[int]
) -> None:
    ids = {age: uuid.uuid4() for age in (0, 5, 900)}
    for age, task_id in ids.items():
        insert(task_id, age_days=age)
    page = operator.get(LIST).content.decode()
    (query,) = re.findall(f'href="([^"]*)"[^>]*>{choice}</a>', page)
    assert listed(operator, unescape(query)) == [ids[age] for age in ages_listed]


def insert(task_id: uuid.UUID, *, age_days: int) -> None:
    """A pending task with an id and an age that no function of ours can give it."""
    submitted_at = timezone.now() - timedelta(days=age_days)
    Task.objects.create(task_id=task_id, circuit=";", shots=1, submitted_at=submitted_at)


@pytest.mark.parametrize(
    "term",
    [
        "{id}",
        "{hex}",
        "{ID}",
        "{id:.8}",
        "{id:.11}",
        "{hex:.20}",
        "{short}",
        "{dotted}",
        "  {id} ",
    ],
)
def test_a_task_is_found_by_any_form_of_its_id(operator: Client, term: str) -> None:
    wanted = uuid.UUID("01a20019-4b36-7467-bd50-9e584fc7bebd")
    insert(wanted, age_days=0)
    insert(uuid.UUID("01a2001a-4b36-7467-bd50-9e584fc7bebd"), age_days=0)
    forms = {
        "id": str(wanted),
        "ID": str(wanted).upper(),
        "hex": wanted.hex,
        "short": short_id(wanted),
        "dotted": f"{wanted.hex[:8]}...{wanted.hex[-4:]}",
    }
    assert listed(operator, f"?q={term.format(**forms)}") == [wanted]


def test_the_short_form_tells_tasks_of_the_same_minute_apart(operator: Client) -> None:
    wanted = uuid.UUID("01a20019-4b36-7467-bd50-9e584fc7bebd")
    insert(wanted, age_days=0)
    insert(uuid.UUID("01a20019-4b36-7467-bd50-9e584fc7dead"), age_days=0)
    assert listed(operator, "?q=01a20019…bebd") == [wanted]


def test_a_task_is_found_by_its_whole_correlation_id_only(operator: Client) -> None:
    wanted = submit(correlation_id="0192aaaa-vqe/17")
    submit(correlation_id="0192aaaa-vqe/170")
    assert listed(operator, "?q=0192aaaa-vqe/17") == [wanted.task_id]


def test_a_correlation_id_that_looks_like_a_task_id_is_found(operator: Client) -> None:
    correlation_id = str(uuid.uuid4())
    assert listed(operator, f"?q={correlation_id}") == []
    wanted = submit(correlation_id=correlation_id)
    assert listed(operator, f"?q={correlation_id}") == [wanted.task_id]


def test_tasks_are_found_by_their_whole_name_and_by_a_tag(operator: Client) -> None:
    named = people.task_of(None, name="H2, 0.74 Å", tags=["vqe"])
    tagged = people.task_of(None, name="other", tags=["a", "H2, 0.74 Å"])
    assert listed(operator, "?q=H2, 0.74 Å") == [tagged.task_id, named.task_id]
    assert listed(operator, "?q=vqe") == [named.task_id]
    assert listed(operator, "?q=H2") == listed(operator, "?q=VQE") == []


@pytest.mark.parametrize("term", ["0192", "zzzzzzzz", "%", "…", "' OR 1=1 --", "01a20019…zzzz"])
def test_a_search_for_anything_else_finds_nothing(operator: Client, term: str) -> None:
    submit()
    assert listed(operator, f"?q={term}") == []


@pytest.mark.parametrize(
    "page",
    [
        *("backend/%00/change/", "worker/a%00b/history/", "task/?current_status__exact=%00"),
        *("auditentry/?action=x%00", "backend/?%00=1", "task/?q=%00"),
    ],
)
def test_an_address_with_a_null_character_is_refused(superuser: Client, page: str) -> None:
    error(superuser.get(f"/admin/tasks_app/{page}"), 400, "malformed_request")  # type: ignore[arg-type]


@pytest.mark.parametrize("query", ["?circuit__contains=h", "?worker=x", "?result__isnull=1"])
def test_lookups_that_no_filter_offers_are_refused(operator: Client, query: str) -> None:
    assert operator.get(LIST + query).status_code == 400


def test_the_page_of_a_completed_task_shows_circuit_result_and_history(operator: Client) -> None:
    task = completed({"00": 600, "11": 424}, seed=7, method="statevector")
    html = body(operator, page(task))
    assert "OPENQASM 3.0; qubit q;" in html
    assert html.index("<code>00</code>") < html.index("<code>11</code>")
    assert "58.6&nbsp;%" in html
    assert "statevector" in html
    history = html[html.index('id="history-group"') :]
    pending, processing, done = (
        history.index(task_admin.badge(status))
        for status in (Status.PENDING, Status.PROCESSING, Status.COMPLETED)
    )
    assert pending < processing < done
    assert "attempt 1 on 1:1" in history


def test_the_page_of_a_failed_task_says_why(operator: Client) -> None:
    html = body(operator, page(failed()))
    assert "syntax_error" in html
    assert "Unexpected 'cx' (line 3, column 1)" in unescape(html)


def test_every_state_has_a_page(operator: Client) -> None:
    for status, task in one_of_each().items():
        assert task_admin.badge(status) in body(operator, page(task))


def test_hostile_text_is_shown_and_not_run(operator: Client) -> None:
    script = "<script>alert(1)</script>"
    task = submit(circuit=HOSTILE, correlation_id=script)
    result = {"counts": {script: 1}, "shots": 1, "metadata": {script: script, "x": [script]}}
    lifecycle.complete(claimed(task), result)
    for_failure = failed(message=script)
    for path in (page(task), page(for_failure), LIST):
        html = body(operator, path)
        assert script not in html
    assert HOSTILE in unescape(body(operator, page(task)))


def test_the_page_links_to_the_tasks_of_the_same_owner_and_batch(operator: Client) -> None:
    ada, bob = (User.objects.create_user(name) for name in ("ada", "bob"))
    batch = Batch.objects.create(size=1, owner=ada)
    fields = {"circuit": ";", "shots": 1, "correlation_id": "x"}
    alone = submitted(**fields, owner=ada, name="vqe", tags=["h2", "sweep"])
    inside = submitted(**fields, owner=ada, batch=batch, batch_index=0)
    submitted(**fields, owner=bob, options={"method": "stabilizer"})

    links = re.findall(r'href="(/admin/tasks_app/task/\?[^"]+)"', body(operator, page(inside)))
    by_owner, by_batch, _ = (unescape(link).removeprefix(LIST) for link in links)
    assert listed(operator, by_owner) == [inside.task_id, alone.task_id]
    assert listed(operator, by_batch) == [inside.task_id]
    assert "h2, sweep" in body(operator, page(alone))
    assert "ada" in body(operator, LIST)


def test_an_option_beyond_the_usual_is_shown(operator: Client) -> None:
    options = {"method": "stabilizer"}
    task = submitted(circuit=";", shots=1, correlation_id="x", options=options)
    assert '{"method": "stabilizer"}' in unescape(body(operator, page(task)))


def test_many_outcomes_are_cut_and_the_rest_is_counted(operator: Client) -> None:
    counts = {f"{n:010b}": n + 1 for n in range(1000)}
    html = body(operator, page(completed(counts)))
    assert f"<code>{999:010b}</code>" in html
    assert f"<code>{949:010b}</code>" not in html
    assert "and 950 more outcomes" in html


def test_a_circuit_without_measurement_is_said_to_have_no_outcomes(operator: Client) -> None:
    assert "No outcomes" in body(operator, page(completed({})))


def test_the_history_button_leads_to_the_tasks_own_history(operator: Client) -> None:
    task = submit()
    response = operator.get(reverse("admin:tasks_app_task_history", args=[task.task_id]))
    assert response.headers["Location"] == page(task) + "#history-group"


def test_not_even_a_superuser_can_write(superuser: Client) -> None:
    task = submit()
    change = page(task)
    delete = reverse("admin:tasks_app_task_delete", args=[task.task_id])
    for path in (change, delete, reverse("admin:tasks_app_task_add")):
        forged = {"current_status": "completed", "shots": "1", "post": "yes", "_save": "Save"}
        assert superuser.post(path, forged).status_code == 403, path
    action = {"action": "delete_selected", "_selected_action": str(task.task_id), "post": "yes"}
    superuser.post(LIST, action)
    task.refresh_from_db()
    assert (task.current_status, task.shots, task.history.count()) == (Status.PENDING, 77, 1)


def test_no_page_offers_to_write(superuser: Client) -> None:
    task = submit()
    for path in (LIST, page(task)):
        html = superuser.get(path).content.decode()
        for control in ('name="_save"', 'name="action"', "deletelink", "addlink", 'name="shots"'):
            assert control not in html, (path, control)


def test_staff_without_the_permission_see_nothing(client: Client) -> None:
    client.force_login(User.objects.create_user("guest", is_staff=True))
    task = submit()
    assert client.get(LIST).status_code == client.get(page(task)).status_code == 403


def test_an_unknown_task_leads_back_to_the_start(operator: Client) -> None:
    unknown = reverse("admin:tasks_app_task_change", args=[uuid.uuid4()])
    assert operator.get(unknown).headers["Location"] == "/admin/"


def test_the_number_of_queries_does_not_grow_with_the_rows(operator: Client) -> None:
    def cost(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            operator.get(path)
        return len(captured)

    task = failed()
    before = cost(LIST), cost(page(task))
    for _ in range(3):
        failed()
        one_of_each()
    assert (cost(LIST), cost(page(task))) == before
    assert before[0] == 6  # session, user, two for permissions, bounded count, rows


def test_the_list_reads_neither_circuits_nor_results(operator: Client) -> None:
    completed({"0": 1})
    with CaptureQueriesContext(connection) as captured:
        operator.get(LIST)
    sql = " ".join(query["sql"] for query in captured)
    assert '"tasks_app_task"."shots"' in sql
    assert '"circuit"' not in sql
    assert '"result"' not in sql


def test_white_text_on_a_badge_is_readable() -> None:
    def luminance(colour: str) -> float:
        """Relative luminance as WCAG defines it."""
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    assert task_admin.BADGES.keys() == set(Status)
    for status, colour in task_admin.BADGES.items():
        assert 1.05 / (luminance(colour) + 0.05) >= 4.5, status
