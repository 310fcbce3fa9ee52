"""Parameter sets, observables and outputs: what is wrong is named by its place."""

import json
from typing import Any

import pytest

from tasks_app.models import Task
from tasks_app.tests.api.client import CIRCUIT, error, post
from testing.service import Service

pytestmark = [pytest.mark.django_db]
TURNED = (
    'OPENQASM 3.0; include "stdgates.inc"; input float t; qubit[2] q; bit[2] c;'
    "ry(t) q[0]; cx q[0], q[1]; c = measure q;"
)


@pytest.mark.usefixtures("empty_queue")
class TestChecks:
    def test_they_are_kept_as_they_are(self) -> None:
        given = {
            "parameter_sets": [{"t": 1}, {"t": 2.5}],
            "observables": [{"ZZ": 1, "XX": -0.5}],
            "precision": 0.01,
            "outputs": ["counts", "probabilities"],
        }
        assert post({"circuit": TURNED} | given).status_code == 202
        assert Task.objects.get().options == given

    @pytest.mark.parametrize(
        ("fields", "places"),
        [
            ({"parameter_sets": [{"t": 1}, {"t": 1}, {"t": [[]]}]}, ["parameter_sets", "2", "t"]),
            ({"parameter_sets": [{"t": 1}, {"u": 1}]}, ["parameter_sets", "1"]),
            ({"observables": [{"ZZ": 1}, {"ZQ": 1}]}, ["observables", "1"]),
            ({"outputs": ["counts", "state"]}, ["outputs", "1"]),
            ({"parameters": {"t": 1}, "parameter_sets": [{"t": 1}]}, ["parameter_sets"]),
        ],
    )
    def test_what_is_wrong_is_named_by_its_place(
        self, fields: dict[str, Any], places: list[str]
    ) -> None:
        details = error(post({"circuit": TURNED} | fields), 400, "validation_error")["details"]
        for place in places:
            assert list(details) == [place]
            details = details[place]
        assert isinstance(details, list)

    def test_an_element_of_a_batch_has_one_kind_of_parameters(self) -> None:
        batch = {
            "circuit": TURNED,
            "parameters": {"t": 1},
            "tasks": [{}, {"parameter_sets": [{"t": 1}]}],
        }
        details = error(post(batch, path="/tasks/batch"), 400, "validation_error")["details"]
        assert list(details) == ["parameter_sets"]

    @pytest.mark.parametrize(
        "fields",
        [
            {"parameter_sets": [{f"p{i}": 0.5 for i in range(1_000)}] * 1_000},
            {"parameter_sets": [{"t": 1}] * 100_000},
            {"parameter_sets": [{"t": [0.5] * 10_001}] * 2},
            {"parameters": {"t": [[0.5] * 1_000] * 1_000}},
            {"observables": [{"ZZ": 1}] * 100_000},
            {"observables": [{"Z" * 100: 1}, {"Y" * 100_000: 1}] * 30},
        ],
        ids=[
            "a million values",
            "many sets",
            "long arrays",
            "large arrays",
            "many observables",
            "long observables",
        ],
    )
    def test_far_too_many_are_refused_in_a_short_answer(self, fields: dict[str, Any]) -> None:
        response = post({"circuit": CIRCUIT} | fields)
        assert response.status_code in (400, 413)
        assert len(response.content) < 10_000 and not Task.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_sweep_with_observables_is_one_task(service: Service) -> None:
    service.start_api()
    service.start_worker()
    sets = [{"t": i / 10} for i in range(20)]
    answer = service.submit(
        TURNED, parameter_sets=sets, observables=[{"ZZ": 1}, {"IZ": 1}], outputs=["counts"], seed=1
    )
    assert answer.status == 202, answer.body
    result = service.finished(answer.body["task_id"])["result"]
    assert result["metadata"]["compilations"] == 1
    assert len(result["sets"]) == 20
    for told in result["sets"]:
        assert told.keys() == {"counts", "seed", "expectation_values", "standard_errors"}
        assert told["expectation_values"][0] == pytest.approx(1)
        assert sum(told["counts"].values()) == 1024
    assert json.dumps(result)
