"""Which service and which token are used."""

import os
import pickle
import stat
from collections.abc import Callable

import pytest

from quantumtasks_client import Client, NotConfigured, errors
from quantumtasks_client.configuration import Configuration, file_path, forget
from quantumtasks_client.errors import task_error

ELSEWHERE = "https://elsewhere.example.org"


def saved(url: str = "https://quantum.example.org", token: str | None = "qt_saved") -> None:
    Configuration(url, token).save()


def test_arguments_come_before_the_environment_and_that_before_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    saved()
    assert Configuration.find() == Configuration("https://quantum.example.org", "qt_saved")
    monkeypatch.setenv("QUANTUMTASKS_URL", "http://localhost:1/")
    monkeypatch.setenv("QUANTUMTASKS_TOKEN", "qt_environment")
    assert Configuration.find() == Configuration("http://localhost:1", "qt_environment")
    assert Configuration.find("http://x/api/", "qt_a") == Configuration("http://x/api", "qt_a")


def test_the_saved_token_is_for_the_saved_service_only() -> None:
    saved()
    assert Configuration.find("https://quantum.example.org/").token == "qt_saved"
    assert Configuration.find(ELSEWHERE).token is None
    assert Configuration.find("http://quantum.example.org").token is None


def test_a_home_that_is_no_folder_has_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/dev/null")
    assert Configuration.find(ELSEWHERE) == Configuration(ELSEWHERE)


def test_certificates_that_cannot_be_read_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    with pytest.raises(NotConfigured, match="SSL_CERT_FILE"):
        Client(ELSEWHERE)


def test_an_empty_token_is_none() -> None:
    saved()
    assert Configuration.find(None, "").token is None


def test_the_file_is_its_owners_alone_whatever_the_mask() -> None:
    mask = os.umask(0)
    try:
        saved()
    finally:
        os.umask(mask)
    assert stat.S_IMODE(file_path().stat().st_mode) == 0o600
    assert stat.S_IMODE(file_path().parent.stat().st_mode) == 0o700
    saved(token=None)
    assert Configuration.find().token is None
    assert forget()
    assert not forget()


def test_a_file_that_others_read_is_not_used() -> None:
    saved()
    file_path().chmod(0o640)
    with pytest.raises(NotConfigured, match="chmod 600"):
        Configuration.find()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"url": 1}', '{"token": "qt_x"}', "\xff"])
def test_a_file_that_is_none_of_ours_is_told(text: str) -> None:
    saved()
    file_path().write_text(text, encoding="latin-1")
    with pytest.raises(NotConfigured):
        Configuration.find()


@pytest.mark.parametrize(
    "url",
    [
        *("", "quantum.example.org", "ftp://x", "http://", "http://x:99999", "http://x:port"),
        *("http://ada:secret@x", "https://x/?a=1", "https://x/#a", "http://[x"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(url: str) -> None:
    with pytest.raises(NotConfigured) as caught:
        Client(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("token", ["qt_a\n", "qt_ä", "qt a", "qt_\x00"])
def test_a_token_that_no_header_can_carry_is_refused(token: str) -> None:
    with pytest.raises(NotConfigured) as caught:
        Client("http://x", token)
    assert token not in str(caught.value)


def test_no_repr_has_the_token() -> None:
    assert "qt_" not in repr(Configuration("http://x", "qt_secret"))


@pytest.mark.parametrize(
    ("message", "program", "shown"),
    [
        ("Wrong (line 2, column 3)", "a\nbcde", "\n    2 | bcde\n          ^"),
        ("Wrong (line 2, column 3)", "a\n\tcde", "\n    2 |  cde\n          ^"),
        ("Wrong (line 3)", "a\f\v\u2028\x85b\rc\r\nd", "\n    3 | d"),
        ("Wrong (line 2)", "a\nbcde", "\n    2 | bcde"),
        ("Wrong (line 9, column 1)", "a", ""),
        ("Wrong", "a", ""),
        ("Wrong (line 1, column 300)", "x" * 400, f"\n    1 | {'x' * 160}\n{' ' * 87}^"),
        ("Wrong (line 1, column 1)", None, ""),
    ],
)
def test_the_line_is_shown_with_a_caret(message: str, program: str | None, shown: str) -> None:
    assert str(task_error("1", "syntax_error", message, program)) == message + shown


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("syntax_error", errors.ProgramError),
        ("invalid_seed", errors.OptionsError),
        ("timed_out", errors.LimitReached),
        ("internal_error", errors.ServiceFault),
        ("brand_new", errors.TaskFailed),
        (None, errors.TaskCancelled),
    ],
)
def test_a_failure_is_of_the_kind_that_its_code_says(
    code: str | None, kind: type[errors.TaskError]
) -> None:
    assert type(task_error("1", code, "Wrong.")) is kind


@pytest.mark.parametrize(
    "make",
    [
        lambda: task_error("1", "syntax_error", "Wrong (line 2, column 3)"),
        lambda: errors.api_error(429, {"error": "No."}, retry_after_s=3),
    ],
)
def test_errors_travel_between_processes(make: Callable[[], Exception]) -> None:
    error = make()
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), str(copied), vars(copied)) == (type(error), str(error), vars(error))
