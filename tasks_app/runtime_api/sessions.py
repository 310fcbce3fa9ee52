"""Sessions: jobs of one client that belong together. Nothing is kept free for them here."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app import access
from tasks_app.api.errors import ApiError
from tasks_app.models import RuntimeSession
from tasks_app.runtime_api import jobs, pubs
from tasks_app.runtime_api.arrays import invalid
from tasks_app.runtime_api.backends import backend
from tasks_app.runtime_api.jobs import Job
from tasks_app.runtime_api.view import RuntimeView, uuid_of

MODES = ("dedicated", "batch")
MAX_TIME_S = 28_800
_MOST_TIME_S = 2**31 - 1


class SessionsView(RuntimeView):
    """`POST /sessions`."""

    def post(self, request: Request) -> Response:
        """Begin one."""
        body = request.data
        known = {"mode", "backend", "backend_name", "instance", "max_ttl"}  # QRMI names it twice
        if not isinstance(body, dict) or body.keys() - known:
            raise invalid(f"A session is an object with {', '.join(sorted(known))}.")
        if body.get("mode", MODES[0]) not in MODES:
            raise invalid(f"A session's mode is one of {', '.join(MODES)}.")
        most = body.get("max_ttl", MAX_TIME_S)
        session = RuntimeSession.objects.create(
            owner=access.owner_of(request.user),
            backend=backend(str(body.get("backend") or body.get("backend_name") or "")).name,
            mode=body.get("mode", MODES[0]),
            max_time_s=pubs.whole(most, "max_ttl", least=1, most=_MOST_TIME_S),
        )
        session.refresh_from_db()
        return Response(_shown(session, []))


class SessionView(RuntimeView):
    """`GET /sessions/{id}`, `PATCH /sessions/{id}`."""

    def get(self, request: Request, session_id: str) -> Response:
        """How it stands."""
        session = _found(request, session_id)
        return Response(_shown(session, _jobs_of(request, session)))

    def patch(self, request: Request, session_id: str) -> Response:
        """Let it take no further jobs."""
        session = _found(request, session_id)
        if request.data != {"accepting_jobs": False}:
            raise invalid("Of a session only accepting_jobs can be set, to false.")
        return Response(_shown(_close(session), _jobs_of(request, session)))


class CloseView(RuntimeView):
    """`DELETE /sessions/{id}/close`."""

    def delete(self, request: Request, session_id: str) -> Response:
        """Let it take no further jobs, and cancel those that have not ended."""
        session = _close(_found(request, session_id))
        jobs.cancel(request, _jobs_of(request, session))
        return Response(status=204)


def accepting(request: Request, session_id: Any) -> RuntimeSession | None:
    """The session of a new job, if it names one. Raises 404, and 409 if it is closed."""
    if not session_id:
        return None
    session = _found(request, str(session_id))
    if not _accepts(session):
        raise ApiError(409, "session_closed", "The session takes no further jobs.")
    return session


def _found(request: Request, session_id: str) -> RuntimeSession:
    wanted = uuid_of(session_id)
    visible = access.visibility(request.user).of(RuntimeSession.objects.all())
    session = visible.filter(pk=wanted).first() if wanted else None
    if session is None:
        raise NotFound("There is no session with this id.")
    return session


def _close(session: RuntimeSession) -> RuntimeSession:
    RuntimeSession.objects.filter(pk=session.pk, closed_at=None).update(closed_at=Now())
    session.refresh_from_db()
    return session


def _end(session: RuntimeSession) -> datetime | None:
    """From when on it takes no job."""
    over = session.created_at + timedelta(seconds=session.max_time_s or MAX_TIME_S)
    return session.closed_at or (over if over <= timezone.now() else None)


def _accepts(session: RuntimeSession) -> bool:
    return _end(session) is None


def _jobs_of(request: Request, session: RuntimeSession) -> list[Job]:
    """Those that one may know of: staff may have some in a user's session."""
    return jobs.told(jobs.visible(request).filter(session=session).defer("params", "parts"))


def _shown(session: RuntimeSession, own: list[Job]) -> dict[str, Any]:
    accepts, going = _accepts(session), any(not job.ended for job in own)
    started = [job.started_at for job in own if job.started_at]
    completed = [job.completed_at for job in own if job.completed_at]
    state = "active" if going else ("open" if not own else "inactive")
    return {
        "id": session.pk,
        "backend_name": session.backend,
        "mode": session.mode,
        "max_ttl": session.max_time_s,
        "active_ttl": session.max_time_s,
        "interactive_ttl": session.max_time_s,
        "state": state if accepts or going else "closed",
        "accepting_jobs": accepts,
        "started_at": session.created_at,
        "activated_at": min(started, default=None),
        "closed_at": _end(session),
        "last_job_started": max(started, default=None),
        "last_job_completed": max(completed, default=None),
        "elapsed_time": sum(job.seconds for job in own),
        "timestamps": [],
    }
