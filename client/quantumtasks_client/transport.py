"""Takes the steps of operations, with httpx: blocking calls, or asynchronous ones."""

import asyncio
import os
import ssl
import sys
import time
import weakref
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any, TypeVar
from urllib.request import getproxies

# httpx imports its own command line where click and rich are installed, which takes as long as the
# rest of it. It does without if that is not to be had.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
import httpx  # noqa: E402

from quantumtasks_client.configuration import Configuration  # noqa: E402
from quantumtasks_client.errors import NotConfigured  # noqa: E402
from quantumtasks_client.exchange import (  # noqa: E402
    CONNECT_S,
    Answer,
    Emit,
    Lost,
    Pause,
    Read,
    Request,
    Step,
    Steps,
)

CONNECTIONS = 100

T = TypeVar("T")


class Blocking:
    """The steps of one thread after another, or of several: connections are shared."""

    def __init__(self, service: Configuration) -> None:
        self._service = service
        self._connect()

    def _connect(self) -> None:
        self._http, self._process = httpx.Client(**_settings(self._service)), os.getpid()
        # Who lets go of a client has no more use for its connections. Not of the client itself:
        # what iterates may be all that is kept.
        self._end = weakref.finalize(self, self._http.close)

    def close(self) -> None:
        self._http.close()

    def run(self, steps: Steps[T]) -> T:
        """Take all steps, and return what they lead to."""
        result = None
        with ExitStack() as streams:
            while True:
                try:
                    step = steps.send(result)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
                result = self._take(step, streams)

    def iterate(self, steps: Steps[None]) -> Iterator[Any]:
        """Take steps as far as the values that they emit are asked for."""
        result = None
        with ExitStack() as streams:
            while True:
                try:
                    step = steps.send(result)
                except StopIteration:
                    return
                if isinstance(step, Emit):
                    yield step.value
                    result = None
                else:
                    result = self._take(step, streams)

    def _take(self, step: Step, streams: ExitStack) -> Any:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            if isinstance(step, Read):
                return next(step.stream, None)
            assert isinstance(step, Request)
            return self._send(step, streams)
        except httpx.RequestError as error:
            return _lost(error)

    def _send(self, request: Request, streams: ExitStack) -> Answer:
        if self._process != os.getpid():
            # A fork has its parent's connections: each would read the answers to the other.
            self._end.detach()
            self._connect()
        response = self._http.send(_sent(self._http, request), stream=request.streamed)
        if not request.streamed:
            return Answer(response.status_code, response.headers, response.content)
        streams.callback(response.close)
        if response.is_success:
            return Answer(response.status_code, response.headers, stream=response.iter_bytes())
        return Answer(response.status_code, response.headers, response.read())


class Asynchronous:
    """The same for asyncio."""

    def __init__(self, service: Configuration) -> None:
        self._service = service
        self._connect()

    def _connect(self) -> None:
        self._http, self._process = httpx.AsyncClient(**_settings(self._service)), os.getpid()

    async def close(self) -> None:
        await self._http.aclose()

    async def run(self, steps: Steps[T]) -> T:
        """Take all steps, and return what they lead to."""
        result = None
        async with AsyncExitStack() as streams:
            while True:
                try:
                    step = steps.send(result)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
                result = await self._take(step, streams)

    async def iterate(self, steps: Steps[None]) -> AsyncGenerator[Any, None]:
        """Take steps as far as the values that they emit are asked for."""
        result = None
        async with AsyncExitStack() as streams:
            while True:
                try:
                    step = steps.send(result)
                except StopIteration:
                    return
                if isinstance(step, Emit):
                    yield step.value
                    result = None
                else:
                    result = await self._take(step, streams)

    async def _take(self, step: Step, streams: AsyncExitStack) -> Any:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        try:
            if isinstance(step, Read):
                return await anext(step.stream, None)
            assert isinstance(step, Request)
            return await self._send(step, streams)
        except httpx.RequestError as error:
            return _lost(error)

    async def _send(self, request: Request, streams: AsyncExitStack) -> Answer:
        if self._process != os.getpid():  # as above
            self._connect()
        response = await self._http.send(_sent(self._http, request), stream=request.streamed)
        if not request.streamed:
            return Answer(response.status_code, response.headers, response.content)
        streams.push_async_callback(response.aclose)
        if response.is_success:
            return Answer(response.status_code, response.headers, stream=response.aiter_bytes())
        return Answer(response.status_code, response.headers, await response.aread())


def _settings(service: Configuration) -> dict[str, Any]:
    headers = {"Accept": "application/json", "User-Agent": "quantumtasks-client"}
    if service.token:
        headers["Authorization"] = f"Bearer {service.token}"
    # Reading the certificates of authorities takes longer than a task, and is for TLS only.
    encrypted = service.url.startswith("https:") or bool(getproxies())
    # Redirects are not followed: the token is for this service only. A call may wait for one of
    # the connections as long as it likes.
    return {
        "base_url": service.url,
        "headers": headers,
        "follow_redirects": False,
        "verify": encrypted and _trusted(),
        "limits": httpx.Limits(max_connections=CONNECTIONS),
        "timeout": httpx.Timeout(None, connect=CONNECT_S),
    }


def _trusted() -> ssl.SSLContext:
    """Whose certificates are believed."""
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        sentence = f"What SSL_CERT_FILE or SSL_CERT_DIR names cannot be read: {error}."
        raise NotConfigured(sentence) from None


def _sent(http: httpx.Client | httpx.AsyncClient, request: Request) -> httpx.Request:
    timeout = httpx.Timeout(request.answer_s, connect=request.connect_s, pool=None)
    return http.build_request(
        request.method,
        request.path,
        params=request.query or None,
        content=request.body,
        headers=dict(request.headers),
        timeout=timeout,
    )


def _lost(error: httpx.RequestError) -> Lost:
    return Lost(str(error) or type(error).__name__)
