"""How pages write what people compare: ids and durations. For console and admin."""

import uuid


def short_id(task_id: uuid.UUID) -> str:
    """First 8 and last 4 digits: the first are the time within a minute, the last are random."""
    return f"{task_id.hex[:8]}…{task_id.hex[-4:]}"


def duration(seconds: float | None) -> str:
    """In the two units that matter: 12 ms, 3.4 s, 5 min 6 s, 7 h 8 min; a dash for nothing."""
    if seconds is None:
        return "–"
    seconds = max(seconds, 0)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min {seconds % 60:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min"
