"""Row 6: messages doubled, reordered, unknown and malformed."""

import json
import random
import uuid

from tasks_app.queue.doorbell import DEAD_LETTER_QUEUE, QUEUE, doorbell
from testing.arena import Arena, Trial
from testing.service import eventually

PUBLISH = {"exchange": "", "routing_key": QUEUE}


def _doorbell(task_id: str, **fields: object) -> bytes:
    message = doorbell(task_id, "of-the-test")
    return json.dumps({**message.asdict(), **fields}).encode()


def test_every_message_three_times_in_any_order_runs_each_task_once(arena: Arena) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    with arena.trial("Every message delivered three times, once after completion") as trial:
        eventually(lambda: trial.stream.count(202) >= 40, what="40 tasks are accepted")
        task_ids = trial.stream.accepted
        again = task_ids * 2
        random.Random(seed).shuffle(again)
        with arena.amqp() as channel:
            for task_id in again:
                channel.basic_publish(**PUBLISH, body=_doorbell(task_id))
            _await_terminal(arena, trial)
            for task_id in task_ids:
                channel.basic_publish(**PUBLISH, body=_doorbell(task_id))

    assert trial.ledger.executed_twice == 0
    assert len(trial.saw("message_spare")) >= len(task_ids)
    for task_id in task_ids:
        history = [entry["status"] for entry in trial.task(task_id)["status_history"]]
        assert history == ["pending", "processing", "completed"]


def _await_terminal(arena: Arena, trial: Trial) -> None:
    first = trial.stream.accepted[0]
    eventually(lambda: arena.service.task(first)["completed_at"], what="the first is done")


def test_garbage_and_unknown_ids_hurt_nobody(arena: Arena) -> None:
    unknown = str(uuid.uuid4())
    acknowledged = [_doorbell(unknown), _doorbell("no-uuid"), _doorbell("")]
    malformed = [
        b"",
        b"\xff\x00\xfe",
        b"[]",
        b"{}",
        b'"text"',
        _doorbell(unknown, queue_name="another"),
        _doorbell(unknown, actor_name="another"),
        _doorbell(unknown, args=[]),
        _doorbell(unknown, args=[unknown, unknown]),
        _doorbell(unknown, args={"task_id": unknown}, kwargs=[1]),
        _doorbell(unknown, kwargs={"task_id": unknown}),
        _doorbell(unknown, options=["eta"]),
        _doorbell(unknown, options={"eta": 10**15}),
        _doorbell(unknown, options={"throws": "anything"}),
        _doorbell(unknown, options={"pipe_target": {"actor_name": "another"}}),
        _doorbell(unknown, message_id={"not": "text"}, options={"eta": None}),
    ]
    missing = [*malformed]
    with arena.trial("Garbage and an unknown id in the queue") as trial, arena.amqp() as channel:
        channel.confirm_delivery()
        for body in [*acknowledged, *malformed]:
            channel.basic_publish(**PUBLISH, body=body)

        def all_are_dead_letters() -> bool:
            _, _, body = channel.basic_get(DEAD_LETTER_QUEUE, auto_ack=True)
            if body in missing:  # other faults may have left some
                missing.remove(body)
            return not missing

        eventually(all_are_dead_letters, what=missing)

    assert len(trial.saw("message_spare")) >= len(acknowledged)
    assert len(trial.saw("message_malformed")) >= 2
    assert trial.ledger.tracebacks <= 5, "those of Dramatiq's decoder"
