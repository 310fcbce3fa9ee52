"""A proxy that passes requests on and forgets answers to submissions: its client is told 502."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_KEPT = ("content-type", "set-cookie")


class Forgetful:
    """In front of a port of this machine. Of each job's answers it forgets the first two."""

    def __init__(self, port: int) -> None:
        self.submissions = self.forgotten = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, port))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def forgets(self, method: str, path: str) -> bool:
        """Whether this answer does not reach its client."""
        if method != "POST" or not path.endswith("/jobs"):
            return False
        self.submissions += 1
        forgets = self.submissions % 3 != 0
        self.forgotten += forgets
        return forgets

    @contextmanager
    def running(self) -> Iterator["Forgetful"]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


def _handler(proxy: Forgetful, port: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            connection = HTTPConnection("127.0.0.1", port)
            connection.request(self.command, self.path, body, dict(self.headers.items()))
            answer = connection.getresponse()
            data = answer.read()
            forgets = proxy.forgets(self.command, self.path)
            self.send_response(502 if forgets else answer.status)
            for name, value in answer.getheaders():
                if name.lower() in _KEPT and not forgets:
                    self.send_header(name, value)
            self.send_header("Content-Length", "0" if forgets else str(len(data)))
            self.end_headers()
            if not forgets:
                self.wfile.write(data)
            connection.close()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    return Handler
