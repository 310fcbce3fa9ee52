"""Which service, and as whom: from arguments, the environment, or the file of `qtasks login`."""

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import msgspec

from quantumtasks_client.errors import NotConfigured

_HOW = "Pass it, set QUANTUMTASKS_URL, or run `qtasks login`."


@dataclass(frozen=True, slots=True)
class Configuration:
    """A service's URL, and a token for it; None where it needs none. Reprs have no token."""

    url: str
    token: str | None = field(default=None, repr=False)

    @classmethod
    def find(cls, url: str | None = None, token: str | None = None) -> Self:
        """What is given, else the environment's, else the file's. An empty token is none.

        The file's token is used for the file's URL only: it is not shown to another service.
        Raises `NotConfigured`.
        """
        url = url or os.environ.get("QUANTUMTASKS_URL")
        token = os.environ.get("QUANTUMTASKS_TOKEN") if token is None else token
        saved = None if url and token is not None else cls.saved()
        if not url and saved:
            url = saved.url
        if not url:
            raise NotConfigured(f"The service's URL is not known. {_HOW}")
        url = checked_url(url)
        if token is None and saved and saved.url == url:
            token = saved.token
        return cls(url, checked_token(token) if token else None)

    @classmethod
    def saved(cls) -> Self | None:
        """The file's, if there is one. Raises `NotConfigured` if others may read or wrote it."""
        path = file_path()
        try:
            with path.open("rb") as file:
                mode, text = os.fstat(file.fileno()).st_mode, file.read()
        except (FileNotFoundError, NotADirectoryError):  # a home may be /dev/null
            return None
        if mode & 0o077 and os.name == "posix":
            raise NotConfigured(f"Others may read {path}. Run: chmod 600 {path}")
        try:
            values = msgspec.json.decode(text, type=dict[str, str | None])
            return cls(checked_url(values["url"] or ""), values.get("token"))
        except (msgspec.MsgspecError, KeyError):
            raise NotConfigured(f"{path} is not valid. Run `qtasks login` again.") from None

    def save(self) -> Path:
        """Write the file, for its owner's eyes only from the first byte on."""
        path = file_path()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode({"url": self.url, "token": self.token}))
        new.replace(path)
        return path


def forget() -> bool:
    """Remove the file; whether there was one."""
    with contextlib.suppress(FileNotFoundError):
        file_path().unlink()
        return True
    return False


def file_path() -> Path:
    """Where `qtasks login` keeps URL and token."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "quantumtasks" / "login.json"


def checked_url(url: str) -> str:
    """The URL without a slash at its end. Raises `NotConfigured`, never repeating a password."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise NotConfigured("The service's URL must be like https://quantum.example.org.")
    if parts.username is not None or parts.query or parts.fragment:
        raise NotConfigured("The service's URL must have no user, query or fragment in it.")
    return url.rstrip("/")


def checked_token(token: str) -> str:
    """Raises `NotConfigured` for what no header can carry, as a token with a line's end."""
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise NotConfigured("The token holds characters that no token has. Copy it anew.")
    return token
