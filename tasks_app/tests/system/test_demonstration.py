"""The histogram in the terminal."""

from embedded.demonstration import histogram


def test_outcomes_come_in_order_with_aligned_counts_and_shares() -> None:
    assert histogram({"11": 250, "00": 750}).splitlines() == [
        f"  00  {'█' * 40}      750   75.0%",
        f"  11  {'█' * 13}{' ' * 27}      250   25.0%",
    ]


def test_a_terminal_without_block_characters_shows_bars_too() -> None:
    shown = histogram({"0": 1}).encode("ascii", errors="replace").decode()  # as `main` has it
    assert shown == f"  0  {'?' * 40}        1  100.0%"


def test_of_many_outcomes_the_most_frequent_are_shown() -> None:
    counts = {f"{outcome:05b}": outcome + 1 for outcome in range(32)}
    lines = histogram(counts).splitlines()
    assert [line.split()[0] for line in lines[:-1]] == [f"{n:05b}" for n in range(16, 32)]
    assert lines[-1] == "  and 16 outcomes less frequent than these"


def test_no_outcomes_make_no_bars() -> None:
    assert histogram({}) == ""
