"""The front door of deploy/nginx/nginx.conf on loopback, where nginx is installed."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks_app.processes import tail, tethered
from testing import packages
from testing.ports import free_port
from testing.service import ROOT, eventually

_DEPLOY = ROOT / "deploy" / "nginx"
SITE = _DEPLOY / "nginx.conf"
_MAIN = """
daemon off;
{user}
pid {folder}/pid;
error_log {folder}/error.log;
worker_processes 1;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/*.site.conf;
}}
"""


@contextmanager
def nginx(
    folder: Path, api_port: int, certificate: Path | None = None, *, ingress: bool = False
) -> Iterator[int]:
    """The port that nginx serves the site at, before an API on `api_port`.

    With a `certificate` (its key in the same file) HTTPS as the site's comments have it. `ingress`:
    every client is a proxy of ours, as in deploy/kubernetes.
    """
    program = packages.found("nginx")
    assert program is not None
    port, folder = free_port(), folder.absolute()
    folder.mkdir(mode=0o755)
    site = SITE.read_text().replace("127.0.0.1:8001", f"127.0.0.1:{api_port}")
    if certificate:
        site = site.replace("listen 8080 backlog=4096;", "", 1).replace("# ssl_", "ssl_")
        site = site.replace("# listen 8443", f"listen 127.0.0.1:{port}")
        for name in ("certificate", "key"):
            site = site.replace(f"/etc/quantum-tasks/tls/{name}.pem", str(certificate))
    else:
        site = site.replace("listen 8080", f"listen 127.0.0.1:{port}")
    (folder / "default.site.conf").write_text(site)
    if ingress:
        (folder / "ingress.site.conf").write_text((_DEPLOY / "ingress.conf").read_text())
    user = "user root;" if os.geteuid() == 0 else ""  # who may write below a private folder
    (folder / "nginx.conf").write_text(_MAIN.format(folder=folder, user=user))
    command = [program, "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, preexec_fn=tethered(), start_new_session=True
        )
    try:
        eventually(lambda: _listens(port) or process.poll() is not None, what="nginx answers")
        assert process.poll() is None, tail(folder / "output", 20)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def certificate_for_localhost(folder: Path) -> tuple[Path, Path]:
    """A certificate with its key in one file, and alone in another."""
    both, alone = folder / "tls.pem", folder / "only.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(both), "-out", str(alone)),
        ],
        check=True,
        capture_output=True,
    )
    both.write_text(both.read_text() + alone.read_text())
    return both, alone


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
