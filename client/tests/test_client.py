"""What a scientist does with the client, against a running service."""

import gc
import math
import secrets
import warnings
from pathlib import Path

import numpy as np
import pytest

from quantumtasks_client import (
    BatchSubmission,
    Client,
    IdempotencyKeyReused,
    IllegalTransition,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    OptionsError,
    ProgramError,
    Submission,
    TaskCancelled,
    TaskError,
    WaitTimeout,
)
from tests.site import BELL, BROKEN, LINE, LONG, ROTATION, Site

ARRAY = (
    'OPENQASM 3.0; include "stdgates.inc"; input array[float, 2, 2] theta; qubit q; bit c;'
    "ry(theta[1, 1]) q; c = measure q;"
)


def test_it_works(client: Client) -> None:
    task = client.wait(client.submit(BELL, shots=1000, seed=7, name="bell", tags=["demo"]))
    assert task.status == "completed"
    assert task.counts == client.get(task).counts
    assert set(task.counts) == {"00", "11"}
    assert sum(task.counts.values()) == task.shots == 1000
    assert (task.seed, task.name, task.tags) == (7, "bell", ["demo"])
    assert [entry.status for entry in task.status_history] == ["pending", "processing", "completed"]


def test_the_same_key_is_the_same_task(client: Client) -> None:
    key = secrets.token_hex(8)
    first = client.submit(BELL, idempotency_key=key)
    assert client.submit(BELL, idempotency_key=key).task_id == first.task_id
    assert client.submit(BELL).task_id != client.submit(BELL).task_id
    with pytest.raises(IdempotencyKeyReused):
        client.submit(BELL, shots=2, idempotency_key=key)


def test_a_wrong_program_is_shown_where_it_is_wrong(client: Client) -> None:
    with pytest.raises(ProgramError) as caught:
        client.wait(client.submit(BROKEN))
    assert (caught.value.code, caught.value.line, caught.value.column) == ("invalid_program", 5, 1)
    assert str(caught.value).splitlines()[1:] == ["    5 | hh q[0];", "        ^"]
    assert client.wait(caught.value.task_id, check=False).error_code == "invalid_program"
    with pytest.raises(ProgramError, match=r"\n    5 \| hh q\[0\];\n        \^"):
        client.wait(caught.value.task_id)


def test_a_task_runs_again_as_it_was_or_changed(client: Client) -> None:
    task = client.wait(client.submit(BELL, shots=100, seed=3, noise={"readout": 0.5}))
    same = client.wait(client.rerun(task))
    assert (same.counts, same.rerun_of) == (task.counts, task.task_id)
    other = client.wait(client.rerun(task, shots=10, seed=None, noise=None))
    assert (other.shots, other.seed, set(other.counts) <= {"00", "11"}) == (10, None, True)
    assert client.get_submission(other) == {"circuit": BELL, "shots": 10}
    key = secrets.token_hex(8)
    again = client.rerun(task, idempotency_key=key)
    assert client.rerun(task, idempotency_key=key).task_id == again.task_id


def test_a_request_that_is_not_valid_says_what_is_wrong(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="shots") as caught:
        client.submit(BELL, shots=0)
    assert caught.value.code == "validation_error"
    assert "shots" in caught.value.details
    assert caught.value.correlation_id


def test_a_circuit_is_text(client: Client) -> None:
    for other in (BELL.encode(), Path("bell.qasm"), None):
        with pytest.raises(TypeError, match="A circuit is text"):
            client.submit(other)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="A circuit is text"):
            client.submit_batch([other])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="a list of circuits"):
        client.submit_batch(BELL)


def test_who_lets_go_of_a_client_leaves_no_connection_open(site: Site, client: Client) -> None:
    client.submit(BELL)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", ResourceWarning)
        listed = Client(site.url, site.token).list()
        assert next(listed).task_id
        del listed
        gc.collect()
    assert not [each for each in seen if "socket" in str(each.message)]


def test_a_list_comes_page_by_page(client: Client) -> None:
    tag = secrets.token_hex(8)
    batch = client.submit_batch([BELL] * 5, shots=1, tags=[tag])
    listed = list(client.list(tag=tag, page_size=2))
    assert sorted(task.task_id for task in listed) == sorted(batch.task_ids)
    assert len(list(client.list(tag=tag, page_size=2, limit=3))) == 3
    assert not list(client.list(tag=[tag, "other"]))
    assert len(list(client.list(ids=batch.task_ids[:2]))) == 2


def test_a_task_is_cancelled_once_however_often_it_is_asked(client: Client) -> None:
    task = client.submit(LONG, shots=100_000)
    with pytest.raises(WaitTimeout):
        client.wait(task, timeout=0)
    assert client.cancel(task).status == "cancelled"
    assert client.cancel(task).status == "cancelled"
    with pytest.raises(TaskCancelled):
        client.wait(task)
    done = client.wait(client.submit(BELL))
    with pytest.raises(IllegalTransition):
        client.cancel(done)


def test_a_batch_ends_with_each_of_its_elements(client: Client) -> None:
    seen: list[int] = []
    batch = client.submit_batch([BELL, {"circuit": BROKEN, "shots": 5}], shots=3)
    ended = client.wait_batch(batch, progress=lambda batch: seen.append(batch.size))
    assert ended.counts["completed"] == ended.counts["failed"] == 1
    assert [element.task_id for element in ended.tasks] == batch.task_ids
    assert seen
    assert client.get_batch(batch.batch_id) == ended


def test_the_results_of_a_batch_come_in_order_with_their_errors(client: Client) -> None:
    batch = client.submit_batch([BELL, {"circuit": BROKEN, "shots": 5}, BELL], shots=3)
    first, second, third = client.results(batch)
    assert [first.index, second.index, third.index] == [0, 1, 2]
    assert [first.task_id, second.task_id, third.task_id] == batch.task_ids
    assert sum(first.counts.values()) == sum(third.counts.values()) == 3
    with pytest.raises(ProgramError, match=r"\n    5 \| hh q\[0\];"):
        second.get_result()
    again = client.retry_batch(batch)
    assert len(again.task_ids) == 1
    assert [element.task_id for element in client.results(batch.batch_id)] == [
        *(first.task_id, again.task_ids[0], third.task_id),
    ]
    assert next(client.results(batch)).index == 0


def test_a_sweep_of_more_than_a_thousand_sets_is_a_batch_with_seeds_of_its_own(
    client: Client,
) -> None:
    accepted: list[object] = []
    sets = [{"theta": angle} for angle in np.linspace(0, np.pi, 1003)]
    results = client.sweep(ROTATION, sets, shots=1, seed=5, submitted=accepted.append)
    assert isinstance(accepted[0], BatchSubmission)
    assert len(accepted[0].task_ids) == 2
    assert [result.seed for result in results] == [5 + 2113 * n for n in range(1003)]
    assert (results[0].counts, results[-1].counts) == ({"0": 1}, {"1": 1})


def test_the_queue_has_a_worker(client: Client) -> None:
    assert client.queue().workers >= 1


def test_backends_are_told_and_chosen(client: Client) -> None:
    known = {each.name: each for each in client.backends()}
    assert set(known) == {"aer", LINE, "noisy_grid16"}
    assert known[LINE].workers >= 1
    line = client.backend(LINE)
    assert (line.kind, line.online, line.qubits) == ("aer_device", True, 5)
    assert (0, 1) in (line.coupling_map or ())
    assert {"cx", "sx"} <= set(line.basis_gates or ()) & line.definition["gates"].keys()
    assert client.backend("aer").qubits is None

    tag = secrets.token_hex(8)
    there = client.wait(client.submit(BELL, backend=LINE, optimization_level=3, tags=[tag]))
    elsewhere = client.wait(client.submit(BELL, tags=[tag]))
    assert (there.backend, elsewhere.backend) == (LINE, "aer")
    assert there.get_result().metadata["optimization_level"] == 3
    (listed,) = client.list(tag=tag, backend=LINE)
    assert (listed.task_id, listed.backend) == (there.task_id, LINE)


def test_a_backend_that_there_is_not(client: Client) -> None:
    with pytest.raises(NotFound):
        client.backend("no/where?")
    with pytest.raises(InvalidRequest, match=LINE):
        client.submit(BELL, backend="nowhere")


def test_strangers_are_told_apart(site: Site, client: Client) -> None:
    with pytest.raises(NotAuthenticated):
        Client(site.url).queue()
    with pytest.raises(NotPermitted):
        Client(site.url, site.new_token("--read-only")).submit(BELL)
    with pytest.raises(NotFound):
        client.get("01a20017-8ed7-725d-bb02-5241f3e7abf2")
    with pytest.raises(InvalidRequest):
        client.get("no-id")


def test_batches_are_listed_and_found_by_name_and_tag(client: Client) -> None:
    name, tag = secrets.token_hex(8), secrets.token_hex(8)
    first, second = (client.submit_batch([BELL] * 2, name=name, tags=[tag]) for _ in range(2))
    found = list(client.batches(name=name, page_size=1))
    assert [each.batch_id for each in found] == [second.batch_id, first.batch_id]
    assert [(each.size, each.tags) for each in found] == [(2, [tag])] * 2
    assert [each.batch_id for each in client.batches(tag=tag, limit=1)] == [second.batch_id]
    assert client.get_batch(found[0]).tags == [tag]


def test_a_sweep_is_one_task_with_a_result_for_each_set(client: Client) -> None:
    accepted: list[object] = []
    angles = [0, math.pi / 2, math.pi]
    results = client.sweep(
        ROTATION, [{"theta": angle} for angle in angles], shots=1000, submitted=accepted.append
    )
    assert [set(result.counts or ()) for result in results] == [{"0"}, {"0", "1"}, {"1"}]
    assert len(accepted) == 1
    assert isinstance(accepted[0], Submission)
    assert client.get(accepted[0]).shots == 1000
    assert client.sweep(ROTATION, []) == []
    with pytest.raises(OptionsError):
        client.sweep(ROTATION, [{"phi": 1}])


def test_expectation_values_are_estimated(client: Client) -> None:
    assert client.estimate(BELL, [{"ZZ": 1}, {"XX": 2, "ZI": 1}]).expectation_values == (
        pytest.approx([1, 2])
    )
    angles = [0.1, 0.2, 0.3]
    results = client.estimate(ROTATION, [{"Z": 1}], [{"theta": angle} for angle in angles])
    assert [result.expectation_values for result in results] == [
        pytest.approx([math.cos(angle)]) for angle in angles
    ]
    rough = client.estimate(BELL, [{"ZZ": 1}], precision=0.1, seed=1)
    assert rough.standard_errors == [0.1]
    assert rough.expectation_values != [1]


def test_numbers_of_numpy_are_numbers(client: Client) -> None:
    sets = [{"theta": angle} for angle in np.linspace(0, np.pi, 3)]
    results = client.sweep(ROTATION, sets, shots=np.int64(10), outputs=["probabilities"])  # type: ignore[arg-type]
    assert [result.probabilities for result in results] == [
        *({"0": pytest.approx(1)}, {"0": pytest.approx(0.5), "1": pytest.approx(0.5)}),
        {"1": pytest.approx(1)},
    ]


def test_arrays_are_lists_or_arrays_of_numpy(client: Client) -> None:
    angles = np.linspace(0, np.pi, 4).reshape(2, 2)
    both = [{"theta": angles}, {"theta": angles[::-1].tolist()}]
    results = client.sweep(ARRAY, both, outputs=["probabilities"], shots=10)
    alone = client.submit(ARRAY, parameters={"theta": angles}, outputs=["probabilities"])
    assert [result.probabilities for result in results] == [
        {"1": pytest.approx(1)},
        {"0": pytest.approx(0.75), "1": pytest.approx(0.25)},
    ]
    assert client.wait(alone).get_result().probabilities == results[0].probabilities


def test_a_state_vector_comes_whole(client: Client) -> None:
    task = client.wait(client.submit(BELL, outputs=["statevector", "memory"], shots=2))
    result = task.get_result()
    assert result.statevector is not None
    assert [abs(complex(*each)) for each in result.statevector] == pytest.approx(
        [math.sqrt(0.5), 0, 0, math.sqrt(0.5)]
    )
    assert len(result.memory or ()) == 2
    with pytest.raises(TaskError, match="not asked for counts"):
        print(task.counts)
