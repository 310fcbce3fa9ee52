"""Who may do what on the routes of the IBM Runtime client, and what it exchanges keys for."""

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from pytest_django.fixtures import Settings
from qiskit import QuantumCircuit

from tasks_app import access
from tasks_app.models import ApiToken, Backend, OwnerLimits, RuntimeSession, Task
from tasks_app.runtime_api import iam
from tasks_app.runtime_api.urls import urlpatterns
from tasks_app.tests.api import people
from tasks_app.tests.api.client import error, get, post, send
from tasks_app.tests.api.runtime import JOBS, bell, read, sampler, submitted, work, written

pytestmark = pytest.mark.django_db

EXCHANGE = "/runtime/iam/identity/token"
EVERYBODY = {"iam/identity/token"}
OWN = {"job_id", "session_id"}
SESSION = {"mode": "dedicated", "backend": "aer"}
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "v1/jobs"): sampler([written(bell())]),
    ("PUT", "v1/jobs/<str:job_id>/tags"): {"tags": []},
    ("POST", "v1/sessions"): SESSION,
    ("PATCH", "v1/sessions/<str:session_id>"): {"accepting_jobs": False},
}
DONE = {
    **dict.fromkeys([("POST", "v1/jobs/<str:job_id>/cancel"), ("DELETE", "v1/jobs/<str:job_id>")]),
    ("PUT", "v1/jobs/<str:job_id>/tags"): None,
    ("DELETE", "v1/sessions/<str:session_id>/close"): None,
    ("GET", "v1/jobs/<str:job_id>/results"): None,
}
"""What answers 204: results do before the end."""


@pytest.fixture(autouse=True)
def required(settings: Settings) -> None:
    settings.API_AUTH = "required"


def routes() -> list[tuple[str, str]]:
    found = []
    for pattern in urlpatterns:
        view: Any = pattern.callback
        found += [
            (name.upper(), str(pattern.pattern))
            for name in ("get", "post", "put", "patch", "delete")
            if hasattr(view.view_class, name)
        ]
    return [(method, path) for method, path in found if path not in EVERYBODY]


def owner_headers(owner: User) -> dict[str, str]:
    return people.bearer(people.token(owner))


def address(path: str, owner: User) -> str:
    """A route's, with the owner's own job or session in it."""
    if "<str:job_id>" in path:
        job = submitted(sampler([written(bell())]), **owner_headers(owner))
        path = path.replace("<str:job_id>", job)
    if "<str:session_id>" in path:
        session = RuntimeSession.objects.create(
            owner=owner, backend="aer", mode="batch", max_time_s=9
        )
        path = path.replace("<str:session_id>", str(session.pk))
    return "/runtime/" + path.replace("<str:name>", "aer").replace("<str:plan>", "internal")


def asked(method: str, path: str, headers: dict[str, str]) -> HttpResponse:
    body = BODIES.get((method, path), {})
    where = address(path, people.user("ada"))
    raw = b"" if method == "GET" else json.dumps(body).encode()
    return send(method, where, raw, **headers)


@pytest.mark.parametrize(("method", "path"), routes(), ids=" ".join)
def test_nobody_gets_in_without_a_good_token(method: str, path: str) -> None:
    revoked, expired = people.revoked(people.user("ada")), people.expired(people.user("ada"))
    for text in (revoked, expired, "qt_unknown", "a.b.c", "", "x" * 5_000):
        for scheme in ("Bearer", "apikey"):
            headers = {"Authorization": f"{scheme} {text}"}
            error(asked(method, path, headers), 401, "not_authenticated")
    error(asked(method, path, {}), 401, "not_authenticated")


@pytest.mark.parametrize(("method", "path"), routes(), ids=" ".join)
def test_who_is_known_may_do_what_concerns_them(method: str, path: str) -> None:
    ok = 204 if (method, path) in DONE else 200
    assert asked(method, path, owner_headers(people.user("ada"))).status_code == ok
    assert asked(method, path, owner_headers(people.user("eve", is_staff=True))).status_code == ok
    mine = any(f"<str:{name}>" in path for name in OWN)
    stranger = asked(method, path, owner_headers(people.user("bob")))
    assert stranger.status_code == (404 if mine else ok), stranger.content


@pytest.mark.parametrize(("method", "path"), routes(), ids=" ".join)
def test_a_read_only_token_reads(method: str, path: str) -> None:
    headers = people.bearer(people.token(people.user("ada"), read_only=True))
    response = asked(method, path, headers)
    if method == "GET":
        assert response.status_code in (200, 204)
    else:
        assert "read-only" in error(response, 403, "permission_denied")["error"]


def test_an_anothers_job_looks_like_none_and_is_not_listed() -> None:
    job = submitted(sampler([written(bell())]), **owner_headers(people.user("bob")))
    ada = owner_headers(people.user("ada"))
    theirs = error(get(f"{JOBS}/{job}", **ada), 404, "not_found")
    for wrong in ("01a21687-aa5f-7464-a012-df1be27e8264", "BAD", "x" * 300):
        none = error(get(f"{JOBS}/{wrong}", **ada), 404, "not_found")
        assert none["error"] == theirs["error"]
    assert read(JOBS, **ada)["jobs"] == []


# -- tokens --------------------------------------------------------------------------------------


def exchanged(key: str, grant: str = iam.GRANT) -> HttpResponse:
    form = urlencode({"grant_type": grant, "apikey": key}).encode()
    return send("POST", EXCHANGE, form, content_type="application/x-www-form-urlencoded")


def bearer_for(key: str) -> dict[str, str]:
    return people.bearer(json.loads(exchanged(key).content)["access_token"])


def test_a_key_is_exchanged_for_a_token_that_the_client_can_read() -> None:
    body = json.loads(exchanged(people.token(people.user("ada"))).content)
    header, claims, _ = body["access_token"].split(".")
    told = [json.loads(base64.urlsafe_b64decode(part + "===")) for part in (header, claims)]
    assert told[0] == {"alg": "HS256", "typ": "JWT"}
    assert told[1]["exp"] - told[1]["iat"] == body["expires_in"] == 3600
    assert body["token_type"] == "Bearer" and body["expiration"] == told[1]["exp"]
    assert get(JOBS, **people.bearer(body["access_token"])).status_code == 200


def test_a_revoked_key_ends_its_tokens() -> None:
    headers = bearer_for(people.token(people.user("ada")))
    access.revoke(ApiToken.objects.all())
    error(get(JOBS, **headers), 401, "not_authenticated")


def test_a_token_of_a_read_only_key_only_reads() -> None:
    headers = bearer_for(people.token(people.user("ada"), read_only=True))
    assert get(JOBS, **headers).status_code == 200
    error(post(sampler([written(bell())]), JOBS, **headers), 403, "permission_denied")


def test_a_token_ends_after_an_hour_and_cannot_be_made_up() -> None:
    key = access.hash_of(people.token(people.user("ada")))
    good = iam.issued(key, 1_000)
    assert iam.hash_in(good, 1_000 + 3_599) == key
    assert iam.hash_in(good, 1_000 + 3_600) is None
    header, claims, signature = good.split(".")
    later = base64.urlsafe_b64encode(json.dumps({"exp": 1e12, "sub": key}).encode()).decode()
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode()
    for made_up in (f"{header}.{later}.{signature}", f"{none}.{claims}.", f"{header}.{claims}"):
        assert iam.hash_in(made_up, 1_000) is None


def test_a_bad_key_gets_no_token() -> None:
    error(exchanged("qt_unknown"), 401, "not_authenticated")
    error(exchanged(people.revoked(people.user("ada"))), 401, "not_authenticated")
    error(exchanged("anything"), 401, "not_authenticated")
    key = people.token(people.user("ada"))
    error(exchanged(key, grant="password"), 400, "unsupported_grant_type")


def test_where_access_is_open_any_word_is_a_key(settings: Settings) -> None:
    settings.API_AUTH = "open"
    headers = bearer_for("anything")
    job = submitted(sampler([written(bell())]), **headers)
    assert Task.objects.get(batch_id=job).owner is None
    error(exchanged("qt_unknown"), 401, "not_authenticated")
    settings.API_AUTH = "required"
    error(get(JOBS, **headers), 401, "not_authenticated")


# -- limits, repetitions, sessions -----------------------------------------------------------------


def test_an_owners_limits_hold_for_jobs() -> None:
    ada = people.user("ada")
    OwnerLimits.objects.create(owner=ada, pending=1, shots=10)
    headers = owner_headers(ada)
    two = sampler([written(bell()), None, 10], [written(bell()), None, 10])
    error(post(two, JOBS, **headers), 429, "limit_exceeded")
    error(post(sampler([written(bell()), None, 11]), JOBS, **headers), 429, "limit_exceeded")
    submitted(sampler([written(bell()), None, 10]), **headers)
    assert Task.objects.count() == 1


def test_what_is_sent_again_makes_no_second_job() -> None:
    headers = owner_headers(people.user("ada"))
    cookie = get("/runtime/v1/instances/usage", **headers).cookies["submission"]
    with_cookie = {**headers, "Cookie": f"submission={cookie.value}"}
    assert cookie["httponly"] and cookie["samesite"] == "Strict"
    body = sampler([written(bell())])
    first, again = (submitted(body, **with_cookie) for _ in range(2))
    assert first == again
    other = submitted(sampler([written(bell()), None, 7]), **with_cookie)
    on_purpose = submitted(body, **headers)
    assert len({first, other, on_purpose}) == 3
    bob = {**owner_headers(people.user("bob")), "Cookie": f"submission={cookie.value}"}
    assert submitted(body, **bob) != first


def test_an_accepted_submission_is_followed_by_another() -> None:
    headers = owner_headers(people.user("ada"))
    body, cookie = sampler([written(bell())]), "begin"
    ids = set()
    for _ in range(2):  # twice on purpose
        response = post(body, JOBS, **headers, Cookie=f"submission={cookie}")
        ids.add(json.loads(response.content)["id"])
        cookie = response.cookies["submission"].value
    assert len(ids) == 2


def test_an_idempotency_key_means_the_same_here() -> None:
    headers = {**owner_headers(people.user("ada")), "Idempotency-Key": "one"}
    body = sampler([written(bell())])
    assert submitted(body, **headers) == submitted(body, **headers)
    other = post(sampler([written(bell()), None, 7]), JOBS, **headers)
    error(other, 409, "idempotency_key_reused")


def test_a_session_takes_jobs_until_it_is_closed() -> None:
    headers = owner_headers(people.user("ada"))
    session = json.loads(post(SESSION, "/runtime/v1/sessions", **headers).content)
    where = f"/runtime/v1/sessions/{session['id']}"
    assert (
        session["state"] == "open" and session["accepting_jobs"] and session["mode"] == "dedicated"
    )
    body = sampler([written(bell())]) | {"session_id": session["id"]}
    job = submitted(body, **headers)
    submitted(sampler([written(bell())]), **headers)
    assert read(where, **headers)["state"] == "active"
    assert [
        each["id"] for each in read(f"{JOBS}?session_id={session['id']}", **headers)["jobs"]
    ] == [job]
    assert read(f"{JOBS}/{job}", **headers)["session_id"] == session["id"]

    send("PATCH", where, b'{"accepting_jobs": false}', **headers)
    error(post(body, JOBS, **headers), 409, "session_closed")
    assert read(f"{JOBS}/{job}", **headers)["state"] == {"status": "Queued"}
    work()
    ended = read(where, **headers)
    assert ended["state"] == "closed" and ended["closed_at"] and ended["elapsed_time"] > 0


def test_closing_at_once_cancels_a_sessions_jobs() -> None:
    headers = owner_headers(people.user("ada"))
    session = json.loads(post(SESSION, "/runtime/v1/sessions", **headers).content)["id"]
    job = submitted(sampler([written(bell())]) | {"session_id": session}, **headers)
    assert (
        send("DELETE", f"/runtime/v1/sessions/{session}/close", b"", **headers).status_code == 204
    )
    assert read(f"{JOBS}/{job}", **headers)["state"] == {"status": "Cancelled"}


def test_closing_leaves_what_is_anothers() -> None:
    ada, eve = owner_headers(people.user("ada")), owner_headers(people.user("eve", is_staff=True))
    session = json.loads(post(SESSION, "/runtime/v1/sessions", **ada).content)["id"]
    body = sampler([written(bell())]) | {"session_id": session}
    own, staffs = submitted(body, **ada), submitted(body, **eve)
    send("DELETE", f"/runtime/v1/sessions/{session}/close", b"", **ada)
    assert read(f"{JOBS}/{own}", **ada)["status"] == "Cancelled"
    assert read(f"{JOBS}/{staffs}", **eve)["status"] == "Queued"


def test_a_sessions_time_runs_out() -> None:
    ada = people.user("ada")
    session = RuntimeSession.objects.create(owner=ada, backend="aer", mode="batch", max_time_s=1)
    RuntimeSession.objects.update(created_at=people.ago(seconds=2))
    body = sampler([written(bell())]) | {"session_id": str(session.pk)}
    error(post(body, JOBS, **owner_headers(ada)), 409, "session_closed")


@pytest.mark.parametrize(
    "body",
    [{"mode": "x"}, {"max_ttl": 0}, {"max_ttl": "1h"}, {"backend": "ibm_fez"}, {"colour": 1}, []],
    ids=str,
)
def test_a_session_that_is_none_is_refused(body: Any) -> None:
    given = body if isinstance(body, list) else SESSION | body
    response = post(given, "/runtime/v1/sessions", **owner_headers(people.user("ada")))
    assert response.status_code in (400, 404)
    assert not RuntimeSession.objects.exists()


@pytest.mark.parametrize("name", ["aer", "noisy_line5"])
def test_a_backend_has_what_both_clients_ask_for(name: str) -> None:
    headers = owner_headers(people.user("ada"))
    devices = {each["name"]: each for each in read("/runtime/v1/backends", **headers)["devices"]}
    where = f"/runtime/v1/backends/{name}"
    configuration = read(f"{where}/configuration", **headers)
    assert configuration["online_date"] and not configuration["simulator"]
    properties = read(f"{where}/properties?updated_before=2026-01-01", **headers)
    width = devices[name]["qubits"]
    assert len(properties["qubits"]) == configuration["n_qubits"] == width
    assert {"last_update_date", "gates", "general"} <= properties.keys()
    submitted(sampler([written(QuantumCircuit(1))]) | {"backend": name}, **headers)
    assert read(f"{where}/status", **headers)["length_queue"] == 1
    error(get(f"{where}/configuration?calibration_id=x", **headers), 404, "not_found")
    error(get("/runtime/v1/backends/ibm_fez/status", **headers), 404, "not_found")


def test_a_device_tells_its_couplings_and_errors() -> None:
    headers = owner_headers(people.user("ada"))
    configuration = read("/runtime/v1/backends/noisy_line5/configuration", **headers)
    assert configuration["basis_gates"] == ["cx", "id", "rz", "sx", "x"]
    assert [0, 1] in configuration["coupling_map"]
    (cx,) = [gate for gate in configuration["gates"] if gate["name"] == "cx"]
    assert cx["coupling_map"] == configuration["coupling_map"]
    properties = read("/runtime/v1/backends/noisy_line5/properties", **headers)
    names = {each["name"] for each in properties["qubits"][0]}
    assert {"T1", "T2", "readout_error"} <= names
    assert {each["gate"] for each in properties["gates"]} >= {"cx", "sx"}


def test_a_backend_that_is_offline_says_so() -> None:
    Backend.objects.filter(name="aer").update(online=False)
    headers = owner_headers(people.user("ada"))
    assert not read("/runtime/v1/backends/aer/status", **headers)["state"]
