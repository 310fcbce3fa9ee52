"""A submission that is sent again makes no second job.

The client sends a POST again, unchanged, when the answer is a 5xx: a proxy's, for instance, behind
which the job was accepted. Circuits that are run twice on purpose are just as unchanged, so that
the body alone says nothing. Before each submission the client asks for its usage; the answer sets a
cookie that the submission brings back, as often as it is sent, and an accepted one sets another.
Who keeps no cookies may send an `Idempotency-Key`.
"""

import secrets

from django.conf import settings
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from tasks_app import access, submission
from tasks_app.api.views import idempotency

COOKIE = "submission"
_MOST = 64  # characters of a cookie that may be one of ours
_MAX_AGE_S = 3600


def key_of(request: Request) -> submission.Idempotency | None:
    """What tells this submission from others; None if nothing does."""
    given = idempotency(request)
    cookie = request.COOKIES.get(COOKIE, "")
    if given is not None or not 0 < len(cookie) <= _MOST or not cookie.isascii():
        return given
    requester, path = access.owner_of(request.user), request.path.rstrip("/")
    body = submission.Idempotency.of(requester, "", path, request.data).request_sha256
    # With the body's hash: two threads of a client may have been given one cookie.
    return submission.Idempotency(requester, f"cookie {cookie} {body}", body)


def mark(request: Request, response: HttpResponseBase) -> None:
    """From here on the client's submission is another one."""
    response.set_cookie(
        COOKIE,
        secrets.token_urlsafe(24),
        max_age=_MAX_AGE_S,
        path=f"{settings.URL_PREFIX}/runtime",
        secure=request.is_secure(),
        httponly=True,
        samesite="Strict",
    )
