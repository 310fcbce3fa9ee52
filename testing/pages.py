"""The documentation's commands, for tests that run them as they stand there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def commands(page: str, heading: str) -> list[str]:
    """The commands below this heading of a page: a text each console block, without `$`."""
    text = (ROOT / page).read_text()
    section = re.split(r"^#+ ", text.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)
    blocks = re.findall(r"^```console\n(.*?)^```", section[0], re.MULTILINE | re.DOTALL)
    return [_typed(block) for block in blocks]


def _typed(block: str) -> str:
    """What a person types of a transcript, with the lines that continue a command."""
    typed, continues = [], False
    for line in block.splitlines():
        if line.startswith("$ ") or continues:
            typed.append(line.removeprefix("$ "))
            continues = line.endswith("\\")
    return "\n".join(typed)
