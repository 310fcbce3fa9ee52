"""The last hour as bars, a minute each: where everything stands in the drawing."""

from collections.abc import Mapping, Sequence
from typing import Any

from tasks_app import pace
from tasks_app.templatetags.console import thousands
from tasks_app.wording import duration

WIDTH, HEIGHT, LEFT, TOP, BASE = 1200, 190, 64, 10, 160
GAP = 4
MINUTES_APART = 10  # of the times below

Minute = Mapping[str, Any]


def last_hour(hour: Sequence[Minute]) -> dict[str, Any]:
    """Two charts of `pace.last_hour()`: how many tasks ended, and how long they had waited."""
    ended, failed = (sum(minute[name] for minute in hour) for name in ("ended", "failed"))
    busiest = max((minute["ended"] for minute in hour), default=0)
    said = f"{ended:,} ended in the last hour, {failed:,} of them failed"
    waits = [minute["wait_p50_s"] for minute in hour if minute["wait_p50_s"] is not None]
    waited = f"Half of each minute’s waited less; {duration(max(waits, default=None))} at most"
    is_cut = bool(hour) and hour[0]["sampled"] >= pace.HOUR_SAMPLE
    return {
        "cut": pace.HOUR_SAMPLE if is_cut else 0,
        "charts": [
            {
                **_frame(hour),
                "title": "Tasks that ended, by minute",
                "said": f"{said}; {busiest:,} in the busiest minute.",
                "marks": _marks(busiest, thousands),
                "bars": [
                    {
                        **_bar(place, minute["ended"], busiest),
                        **_failed(minute["failed"], busiest),
                        "said": f"{minute['minute']:%H:%M}: {minute['ended']:,} ended, "
                        f"{minute['failed']:,} failed",
                    }
                    for place, minute in enumerate(hour)
                ],
            },
            {
                **_frame(hour),
                "title": "Waiting time, by minute",
                "said": f"{waited}.",
                "marks": _marks(max(waits, default=0.0), duration),
                "bars": [
                    {
                        **_bar(place, minute["wait_p50_s"] or 0, max(waits, default=0.0)),
                        "said": f"{minute['minute']:%H:%M}: {duration(minute['wait_p50_s'])}",
                    }
                    for place, minute in enumerate(hour)
                ],
            },
        ],
    }


def _frame(hour: Sequence[Minute]) -> dict[str, Any]:
    step = (WIDTH - LEFT) / max(1, len(hour))
    times = [
        {"x": round(LEFT + (place + 0.5) * step), "at": minute["minute"]}
        for place, minute in enumerate(hour)
        if minute["minute"].minute % MINUTES_APART == 0
    ]
    return {
        **{"width": WIDTH, "height": HEIGHT, "left": LEFT, "base": BASE, "label_x": LEFT - 8},
        **{"time_y": BASE + 22, "times": times, "step": round(step, 2)},
        "bar_width": round(step - GAP, 2),
    }


def _y(value: float, most: float) -> float:
    return round(BASE - (BASE - TOP) * value / most, 1) if most else BASE


def _bar(place: int, value: float, most: float) -> dict[str, Any]:
    step = (WIDTH - LEFT) / 60
    y = _y(value, most)
    return {"x": round(LEFT + place * step + GAP / 2, 2), "y": y, "height": round(BASE - y, 1)}


def _failed(value: int, most: int) -> dict[str, Any]:
    y = _y(value, most)
    return {"failed_y": y, "failed_height": round(BASE - y, 1)}


def _marks(most: float, written: Any) -> list[dict[str, Any]]:
    """Lines at nothing, about half and all."""
    values = dict.fromkeys((0, most // 2 if isinstance(most, int) else most / 2, most))
    return [
        {"y": _y(value, most), "text_y": _y(value, most) + 4, "label": written(value)}
        for value in values
    ]
