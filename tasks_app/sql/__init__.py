"""The statements that run all the time, a file each: the server plans each once a session.

Each is a whole transaction, without BEGIN and COMMIT. Whatever changes a task locks its row first
(`FOR UPDATE`), so that of two moves the second waits, and finds what the first has made of it.
"""

from pathlib import Path


def statement(name: str, **parts: str) -> str:
    """The text of `name`.sql, with the texts of other files in the place of their {part}s."""
    text = (Path(__file__).parent / f"{name}.sql").read_text()
    for part, of in parts.items():
        text = text.replace(f"{{{part}}}", statement(of))
    return text
