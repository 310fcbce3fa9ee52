"""Requests, answers and when to ask again, as data: nothing here opens a connection or sleeps.

An operation is a generator. It yields steps (send this, pause so long, read on, here is a value)
and is sent what came of each. `Client` and `AsyncClient` take the same steps, each in its way.
"""

import random
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import msgspec

from quantumtasks_client.errors import ApiError, ServiceUnreachable, api_error

CONNECT_S = 5.0
ANSWER_S = 30.0  # how long an answer may take that is not waited for
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_AGAIN = (429, 502, 503, 504)
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"  # as OpenSSL says it

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """What to send; the token is the transport's. `path` is below the service's URL."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    connect_s: float = CONNECT_S
    answer_s: float = ANSWER_S
    streamed: bool = False  # the answer's body is read piece by piece
    again: "Request | None" = None  # what to send once it has failed, if not the same


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `stream` is the transport's, for `Read`; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    stream: Any = None


@dataclass(frozen=True, slots=True)
class Lost:
    """Instead of an answer or a piece: the connection failed. What was asked may be done or not."""

    reason: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Read:
    """The next piece of a streamed answer: bytes, None at its end, or `Lost`."""

    stream: Any


@dataclass(frozen=True, slots=True)
class Emit:
    """A value for whoever iterates."""

    value: Any


Step: TypeAlias = Request | Pause | Read | Emit
Steps: TypeAlias = Generator[Step, Any, T]


class Patience:
    """How long to go on asking: with growing pauses, from the first failure on."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._pause_s = _FIRST_PAUSE_S
        self.waited_s = 0.0
        """How long it will have been when the pause is over."""

    def pause_s(self, limit_s: float, *, asked_s: float | None = None) -> float | None:
        """How long to pause before the next try, longer than asked. None: `limit_s` is over."""
        now = time.monotonic()
        self._since = self._since or now
        # Clients that failed together should not come back together.
        pause_s = self._pause_s * random.uniform(0.5, 1) + (asked_s or 0)
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
        self.waited_s = now + pause_s - self._since
        return pause_s if self.waited_s <= limit_s else None


class Lines:
    """Puts together the lines of a streamed answer, as far as they have come whole."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []

    def of(self, piece: bytes) -> list[bytes]:
        """The lines that the next piece completes."""
        *ends, begun = piece.split(b"\n")
        lines = [b"".join([*self._begun, *ends[:1]]), *ends[1:]] if ends else []
        self._begun = [begun] if ends else [*self._begun, begun]
        return lines


def may_retry(answer: Answer | Lost) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(answer, Lost):
        return _UNTRUSTED not in answer.reason
    if answer.status == 429:  # without a time: waiting does not help
        return "retry-after" in answer.headers
    return answer.status in _AGAIN


def asked_s(answer: Answer | Lost) -> float | None:
    """Seconds of `Retry-After`."""
    text = "" if isinstance(answer, Lost) else answer.headers.get("retry-after", "")
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text)
    # A date is rare, and what reads one takes as long to import as msgspec.
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def failure(answer: Answer | Lost, url: str) -> ApiError | ServiceUnreachable:
    """Why there is no good answer from the service at `url`."""
    if isinstance(answer, Lost):
        sentence = f"The service at {url} cannot be reached: {answer.reason}."
        if _UNTRUSTED in answer.reason:
            sentence += " If an authority of your own signed it, SSL_CERT_FILE names that one's."
        return ServiceUnreachable(sentence)
    if answer.status < 400:
        # Not followed: the token is for this service, not for whom it names.
        sentence = f"The service redirects to {answer.headers.get('location', '?')}: use that URL."
        return api_error(answer.status, None, retry_after_s=None, fallback=sentence)
    try:
        body = msgspec.json.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        body = None
    return api_error(answer.status, body, retry_after_s=asked_s(answer))


def decoded(body: bytes, kind: type[T]) -> T:
    """An answer's body as a value. Raises `ServiceUnreachable` for what is none of ours."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        sentence = f"What answered is no Quantum Tasks service that this client knows: {error}."
        raise ServiceUnreachable(sentence) from None


def encoded(value: Any) -> bytes:
    """A request's body. NumPy's numbers and arrays are taken as numbers and lists."""
    return msgspec.json.encode(value, enc_hook=_plain)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")


def collected(steps: Steps[None]) -> Steps[list[Any]]:
    """What is emitted, as a list."""
    values: list[Any] = []
    result = None
    while True:
        try:
            step = steps.send(result)
        except StopIteration:
            return values
        if isinstance(step, Emit):
            values.append(step.value)
            result = None
        else:
            result = yield step
