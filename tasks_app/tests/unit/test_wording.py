"""How pages write durations."""

import pytest

from tasks_app.wording import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (-1, "0 ms"),
        (0.0124, "12 ms"),
        (3.44, "3.4 s"),
        (59.96, "60.0 s"),
        (306, "5 min 6 s"),
        (25_680, "7 h 8 min"),
    ],
)
def test_durations_read_well(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text
