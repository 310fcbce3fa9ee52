""".env.example describes exactly the variables that are read."""

import ast
import re
from itertools import pairwise

from django.conf import settings

ROOT = settings.BASE_DIR
LINES = (ROOT / ".env.example").read_text().splitlines()
# An assignment, commented out where the default does.
ASSIGNMENT = re.compile(r"(# )?([A-Z][A-Z0-9_]*)=(\S*)")


def described() -> dict[str, str]:
    """Each variable of .env.example with its value there."""
    return {match[2]: match[3] for line in LINES if (match := ASSIGNMENT.fullmatch(line))}


def required() -> set[str]:
    """The variables that are not commented out: somebody must fill them in."""
    return {m[2] for line in LINES if (m := ASSIGNMENT.fullmatch(line)) and not m[1]}


def read_by(path: str) -> dict[str, object]:
    """Variables that the settings read, with their literal default (else None)."""
    found: dict[str, object] = {}
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        reader = ast.unparse(node.func)
        name = node.args[0]
        if not isinstance(name, ast.Constant):
            continue
        if re.fullmatch(r"env(\.\w+)?|_required|_number|_whole|_list|_choice|_flag", reader):
            defaults = [k.value for k in node.keywords if k.arg == "default"]
            if reader in {"_number", "_whole", "_choice"}:
                defaults += node.args[1:]
            if reader == "_flag":
                defaults.append(ast.Constant(False))
            literal = [d.value for d in defaults if isinstance(d, ast.Constant)]
            found.setdefault(str(name.value), literal[0] if literal else None)
    return found


READ = read_by("quantumtasks/settings.py")


def test_nothing_but_the_settings_reads_variables() -> None:
    assert "environ" not in (ROOT / "gunicorn.conf.py").read_text()


def test_every_variable_that_is_read_is_described() -> None:
    assert len(READ) > 20
    assert READ.keys() - described().keys() == set()


def test_every_variable_described_is_read_or_marked_as_composes_own() -> None:
    for before, line in pairwise(LINES):
        match = ASSIGNMENT.fullmatch(line)
        if match and match[2] not in READ:
            assert before.startswith("# docker compose only: "), match[2]
            assert "${" + match[2] in (ROOT / "docker-compose.yml").read_text()


def test_each_has_one_line_that_explains_it() -> None:
    names = [match[2] for line in LINES if (match := ASSIGNMENT.fullmatch(line))]
    assert len(names) == len(set(names))
    for before, line in pairwise(LINES):
        if ASSIGNMENT.fullmatch(line):
            assert re.fullmatch(r"# \S.*[.:]", before), line
            assert not ASSIGNMENT.fullmatch(before), line


def test_the_defaults_are_those_of_the_code() -> None:
    for name, default in READ.items():
        if default is None or default == "":
            continue
        stated = described()[name]
        if isinstance(default, bool):
            assert stated == str(default).lower(), name
        elif isinstance(default, int | float):
            assert float(stated) == default, name
        else:
            assert stated == default, name


def test_a_copy_that_nobody_filled_in_holds_no_secret() -> None:
    assert required() == {
        "SECRET_KEY",
        "POSTGRES_PASSWORD",
        "WORKER_POSTGRES_PASSWORD",
        "RABBITMQ_PASSWORD",
    }
    assert {described()[name] for name in required()} == {""}
