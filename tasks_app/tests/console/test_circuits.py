"""Running circuits in a real browser, and what becomes of them."""

import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from openqasm3._antlr.qasm3Lexer import qasm3Lexer
from playwright.sync_api import Page, expect

from tasks_app.console.examples import EXAMPLES
from tasks_app.tests.console.site import (
    BELL,
    HEAD,
    LONG,
    ROTATION,
    WRONG,
    Site,
    run,
    shown_counts,
    write,
)
from testing import packages
from testing.service import ROOT, eventually

# -- running a circuit -----------------------------------------------------------------------------


def test_one_click_runs_a_bell_pair_and_shows_its_histogram(site: Site) -> None:
    with site.visit() as page:
        run(page)
        counts = shown_counts(page)
        assert set(counts) == {"00", "11"} and sum(counts.values()) == 1024
        expect(page.get_by_role("img", name=re.compile("^Circuit of 2 qubits"))).to_be_visible()
        page.get_by_role("link", name="This task’s page").click()
        expect(page.get_by_role("heading", name="Task completed")).to_be_visible()
        expect(page.locator(".timeline li")).to_have_count(3)
        assert shown_counts(page) == counts


def test_every_example_runs(site: Site) -> None:
    with site.visit() as page:
        for example in EXAMPLES:
            page.get_by_label("Example").select_option(example["title"])
            run(page)
            expect(page.locator("#outcome figure .canvas svg")).to_be_visible()


def test_a_program_without_one_circuit_is_run_and_says_why_none_is_drawn(site: Site) -> None:
    with site.visit() as page:
        counting = "int n = 0; for int i in [0:3] { c[0] = measure q[0]; if (c[0]) { n += 1; } }\n"
        write(page, BELL.replace("h q", counting + "rx(n) q"))
        run(page)
        assert shown_counts(page) == {"00": 1024}
        expect(page.get_by_text("no one compiled circuit to show").first).to_be_visible()


def test_an_error_is_shown_at_its_line(site: Site) -> None:
    with site.visit() as page:
        write(page, WRONG)
        page.get_by_label("OpenQASM program").press("Control+Enter")
        expect(page.get_by_role("alert")).to_contain_text("'hh' is not defined")
        band = page.locator(".wrong-line").bounding_box()
        first = page.locator(".paint").bounding_box()
        assert band and first
        assert round((band["y"] - first["y"] - 10) / 21) == 4  # the fifth
        typed = page.get_by_label("OpenQASM program")
        at = typed.evaluate("area => area.selectionStart")
        assert WRONG[at:].startswith("hh")
        write(page, BELL)
        expect(page.locator(".wrong-line")).to_be_hidden()
        run(page)


def test_a_program_is_shown_in_colours(site: Site) -> None:
    shown = {
        "comment": ["// if", "/* 1\n*/", "/* to the end"],
        "string": ['"a.inc"', '"01"'],
        "keyword": ["include", "delay", "pragma"],
        "type": ["float", "qubit"],
        "function": ["sin"],
        "number": ["1_0.5e-3", "100ns", "0xF", "pi", "2im"],
    }
    words = [word for kind in shown.values() for word in kind if word != "/* to the end"]
    program = "\nif1 ".join([*words, "q1[$0].x", "/* to the end"])
    with site.visit() as page:
        write(page, program)
        expect(page.locator(".paint")).to_have_js_property("textContent", f"{program}\n")
        for kind, expected in shown.items():
            assert page.locator(f".paint .{kind}").all_text_contents() == expected


def test_every_word_that_the_language_reserves_has_a_colour(site: Site) -> None:
    literals = [name.strip("'") for name in qasm3Lexer.literalNames]
    words = [word for word in literals if word.isalpha() and word != "im"]
    assert "durationof" in words
    with site.visit() as page:
        write(page, "\n".join(words))
        coloured = page.locator(".paint :is(.keyword, .type)").all_text_contents()
        assert coloured == words


def test_what_a_field_cannot_mean_is_said_before_anything_is_sent(site: Site) -> None:
    with site.visit() as page:
        write(page, ROTATION)
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.get_by_role("alert")).to_have_text("theta: give it a value, or several.")
        page.get_by_label("theta").fill("pi/2")
        page.get_by_label("Shots").fill("many")
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("“many” is not a whole number")
        page.get_by_label("Shots").fill("1000000")
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("shots: Ensure this value is less than")
        page.get_by_text("Expectation values").click()
        page.get_by_label("Observables, one a line").fill("Z=1, X, z=2")
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.get_by_role("alert")).to_have_text("Z is given twice.")


def test_a_sweep_is_plotted_against_its_parameter(site: Site) -> None:
    with site.visit() as page:
        write(page, ROTATION)
        page.get_by_label("theta").fill("0 : 2*pi : 9")
        run(page)
        zeros = page.locator("#outcome .series.s0 circle")
        expect(zeros).to_have_count(9)
        expect(zeros.first.locator("title")).to_have_text("0: 1 at theta = 0")
        expect(page.locator("#outcome svg .series")).to_have_count(2)
        page.get_by_role("button", name="1", exact=True).click()
        expect(page.locator("#outcome svg .series")).to_have_count(1)


def test_an_array_is_written_in_brackets_and_plotted_by_its_elements(site: Site) -> None:
    program = ROTATION.replace("float theta", "array[float[64], 2] theta")
    program = program.replace("ry(theta)", "ry(theta[1])")
    with site.visit() as page:
        write(page, program)
        page.get_by_label("theta").fill("[7, 0], [7, pi/2], [8, pi/4]")
        sets = run(page)["parameter_sets"]
        assert sets == [{"theta": [7, 0]}, {"theta": [7, math.pi / 2]}, {"theta": [8, math.pi / 4]}]
        page.get_by_role("combobox", name="Against").select_option("theta[1]")
        zeros = page.locator("#outcome .series.s0 circle")
        expect(zeros.first.locator("title")).to_have_text("0: 1 at theta[1] = 0")
    task_id = site.task(program, parameters={"theta": [7, 0.30000000000000004]})
    with site.visit(f"/?task={task_id}") as page:
        expect(page.get_by_label("theta")).to_have_value("[7, 0.30000000000000004]")
        assert run(page)["parameters"] == {"theta": [7, 0.30000000000000004]}


def test_any_outcome_of_many_can_be_plotted(site: Site) -> None:
    circuit = ROTATION.replace("qubit", "qubit[6]").replace("bit c", "bit[6] c")
    both = {"observables": [{"ZZZZZZ": 1}], "outputs": ["counts"]}
    task_id = site.task(circuit, parameter_sets=[{"theta": 1}, {"theta": 2}], shots=20_000, **both)
    with site.visit(f"/console/tasks/{task_id}") as page:
        expect(page.locator("svg .series")).to_have_count(1)  # the observable
        page.get_by_role("combobox", name="Plot").select_option("share of the shots")
        expect(page.locator("svg .series")).to_have_count(4)
        offered = set(page.locator("button.series").all_text_contents())
        other = next(f"{n:06b}" for n in range(64) if f"{n:06b}" not in offered)
        page.get_by_label("Another line").fill(other)
        page.get_by_label("Another line").press("Enter")
        expect(page.locator("svg .series")).to_have_count(5)
        expect(page.locator("svg .series title").last).to_contain_text(f"{other}: 0.0")


@pytest.mark.parametrize(
    "more",
    [
        {
            "noise": {"depolarizing_1q": [0.01, 0.02], "readout": 0.02, "gates": {"ry": 0.03}},
            "method": "density_matrix",
        },
        {"backend": "noisy_line5", "optimization_level": 1},
        {"parameter_sets": [[0.1], [0.2]], "outputs": ["counts", "registers"]},
    ],
    ids=["noise", "a device", "values in order"],
)
def test_what_was_submitted_comes_back_into_the_form_as_it_was(site: Site, more: Any) -> None:
    body: dict[str, Any] = {
        "circuit": ROTATION.replace("qubit", "qubit[2]").replace("bit c", "bit[2] c"),
        **{"shots": 10, "seed": 3, "name": "again", "tags": ["a", "b, c"], "priority": -5},
        "parameter_sets": [{"theta": 0.1}, {"theta": 0.30000000000000004}],
        **{"observables": [{"ZZ": 0.5}, {"XI": -1}], "precision": 0.25, "outputs": ["counts"]},
        **more,
    }
    task_id = site.task(**body)
    with site.visit(f"/?task={task_id}") as page:
        expect(page.get_by_label("Shots")).to_have_value("10")
        assert run(page) == body


def test_a_file_is_opened(site: Site, tmp_path: Path) -> None:
    (tmp_path / "mine.qasm").write_text(BELL)
    with site.visit() as page:
        page.locator("#file").set_input_files(tmp_path / "mine.qasm")
        expect(page.get_by_label("OpenQASM program")).to_have_value(BELL)
        run(page)
        page.evaluate(
            """text => {
                const data = new DataTransfer();
                data.items.add(new File([text], "dropped.qasm"));
                const options = {dataTransfer: data, bubbles: true, cancelable: true};
                const drop = new DragEvent("drop", options);
                document.querySelector("#circuit").dispatchEvent(drop);
            }""",
            ROTATION,
        )
        expect(page.get_by_label("OpenQASM program")).to_have_value(ROTATION)


# -- a task ----------------------------------------------------------------------------------------


def test_a_long_one_is_watched_cancelled_and_deleted(site: Site) -> None:
    task_id = site.open.accepted(LONG, shots=100_000)
    with site.visit(f"/console/tasks/{task_id}") as page:
        expect(page.locator(".now .badge.processing")).to_be_visible()
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator(".now .badge.cancelled")).to_be_visible()
        expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
        page.get_by_role("button", name="Delete").click()
        page.wait_for_url("**/console/tasks")
        page.goto(f"{site.url}/console/tasks/{task_id}")
        expect(page.get_by_role("heading", name="Not found")).to_be_visible()


def test_a_long_one_is_cancelled_beside_its_program(site: Site) -> None:
    with site.visit() as page:
        write(page, LONG)
        page.get_by_label("Shots").fill("100000")
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.locator("#outcome .badge.processing")).to_be_visible()
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("#outcome .badge.cancelled")).to_be_visible()
        write(page, BELL)
        run(page)


def test_a_page_that_reaches_nobody_says_so_and_goes_on(site: Site) -> None:
    task_id = site.open.accepted(LONG, shots=100_000)
    with site.visit(f"/console/tasks/{task_id}") as page:
        expect(page.locator(".now .badge.processing")).to_be_visible()
        away = page.get_by_text("The service does not answer.")
        page.route("**/tasks/*?wait=*", lambda route: route.fulfill(status=504))  # as a proxy
        expect(away).to_be_visible()
        page.unroute("**/tasks/*?wait=*")
        expect(away).to_be_hidden()
        page.context.set_offline(True)
        expect(away).to_be_visible()
        site.open.post(f"/tasks/{task_id}/cancel", {})
        page.context.set_offline(False)
        expect(page.locator(".now .badge.cancelled")).to_be_visible()
        expect(away).to_be_hidden()


def test_a_failed_tasks_page_marks_the_line_too(site: Site) -> None:
    with site.visit(f"/console/tasks/{site.task(WRONG)}") as page:
        expect(page.locator(".now")).to_contain_text("'hh' is not defined")
        band = page.locator(".listing .wrong-line").bounding_box()
        first = page.locator(".listing .paint").bounding_box()
        assert band and first and round((band["y"] - first["y"] - 10) / 21) == 4


def test_a_place_in_the_queue_is_told(site: Site) -> None:
    long = [site.open.accepted(LONG, shots=100_000) for _ in range(2)]
    eventually(lambda: site.open.get("/queue").body["processing"] == 2, what="both run")
    waits = site.open.accepted(BELL)
    with site.visit(f"/console/tasks/{waits}") as page:
        expect(page.locator(".now")).to_contain_text("it is next")
        for task_id in long:
            site.open.post(f"/tasks/{task_id}/cancel", {})
        expect(page.locator(".now .badge.completed")).to_be_visible()


def test_a_histogram_sorts_folds_and_is_saved(site: Site) -> None:
    circuit = HEAD + "qubit[5] q;\nbit[5] c;\nry(0.9) q;\nc = measure q;\n"
    with site.visit(f"/console/tasks/{site.task(circuit, shots=10_000)}") as page:
        expect(page.locator("figure .row.rest")).to_have_count(1)
        counts = shown_counts(page)
        assert len(counts) == 16 and list(counts.values()) == sorted(counts.values(), reverse=True)
        page.get_by_role("combobox", name="Sort by").select_option("outcome")
        assert list(shown_counts(page)) == sorted(counts)
        page.get_by_role("combobox", name="Show").select_option("32")
        expect(page.locator("figure .row.rest")).to_have_count(0)
        linear = page.locator("rect.bar").last.bounding_box()
        page.get_by_role("combobox", name="Scale").select_option("logarithmic")
        logarithmic = page.locator("rect.bar").last.bounding_box()
        assert linear and logarithmic and logarithmic["width"] > linear["width"]
        saved = {name: download(page, name) for name in ("CSV", "SVG", "PNG")}
        lines = saved["CSV"].decode().splitlines()
        assert lines[0] == "outcome,count" and len(lines) == 1 + len(shown_counts(page))
        assert b"<rect" in saved["SVG"] and b"class=" not in saved["SVG"]
        assert saved["PNG"].startswith(b"\x89PNG")


def test_an_outcome_of_one_bit_is_named(site: Site) -> None:
    task_id = site.task(HEAD + "qubit q;\nbit c;\nx q;\nc = measure q;\n")
    with site.visit(f"/console/tasks/{task_id}") as page:
        expect(page.locator("figure .row .label")).to_have_text("1")


def test_a_long_table_scrolls_and_is_saved_whole(site: Site) -> None:
    task_id = site.task(HEAD + "qubit[10] q;\nh q;\n", outputs=["statevector"])
    with site.visit(f"/console/tasks/{task_id}") as page:
        table = page.get_by_role("region", name="State vector, 1,024 amplitudes")
        expect(table).to_contain_text("524 more in the CSV.")
        box = table.bounding_box()
        assert box and box["height"] < 400
        lines = download(page, "CSV").decode().splitlines()
        assert lines[0] == "state,real,imaginary,probability" and len(lines) == 1025
        assert lines[-1].startswith("1111111111,0.03")


def download(page: Page, name: str) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name=name, exact=True).click()
    return Path(download.value.path()).read_bytes()


@pytest.mark.skipif(packages.found("curl") is None, reason="curl is not installed")
def test_the_lines_to_copy_do_what_they_say(site: Site) -> None:
    body = {"shots": 100, "seed": 5, "name": "it's", "parameters": {"theta": 3.141592653589793}}
    with site.visit(f"/console/tasks/{site.task(ROTATION, **body)}") as page:
        copied = {}
        for name in ("curl", "Python", "Qiskit"):
            page.get_by_role("button", name=name, exact=True).click()
            page.locator(".code").get_by_role("button", name="Copy").click()
            copied[name] = page.evaluate("navigator.clipboard.readText()")
    shell = subprocess.run(["sh", "-c", copied["curl"]], check=True, capture_output=True)
    assert b'"counts":{"1":100}' in shell.stdout.replace(b" ", b"")
    assert b"Task accepted." in shell.stdout
    for name in ("Python", "Qiskit"):
        done = subprocess.run(
            [sys.executable, "-c", copied[name]],
            cwd=ROOT / "client",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "'1': 100" in done.stdout, done.stdout


# -- many tasks ------------------------------------------------------------------------------------


def test_a_list_is_filtered_and_turned(site: Site) -> None:
    site.batch(
        {
            "tasks": [{"circuit": BELL, "tags": ["many"]}] * 53
            + [{"circuit": WRONG, "tags": ["many"]}]
        }
    )
    with site.visit("/console/tasks?tag=many") as page:
        rows = page.locator("#found tbody tr")
        expect(rows).to_have_count(50)
        page.get_by_role("link", name="Older").click()
        expect(rows).to_have_count(4)
        page.get_by_label("failed").check()
        expect(rows).to_have_count(1)
        assert "tag=many" in page.url and "status=failed" in page.url
        page.get_by_label("Name").fill("nobody’s")
        page.get_by_label("Name").press("Enter")
        expect(page.locator("#found")).to_contain_text("No tasks like that")
        page.go_back()
        expect(rows).to_have_count(1)
        theme = "document.documentElement.dataset.theme"
        page.get_by_role("button", name="Light or dark").click()
        assert page.evaluate(theme) == "dark"


def test_a_batch_is_a_grid_and_a_plot(site: Site, rich: dict[str, str]) -> None:
    with site.visit(rich["batch"]) as page:
        expect(page.locator(".cell.completed")).to_have_count(4)
        expect(page.locator("#results .series.s0 circle")).to_have_count(4)
        assert page.get_by_role("combobox", name="Against").input_value() == "theta"


def test_a_batch_is_cancelled_and_its_failed_retried(site: Site) -> None:
    tasks = [{"circuit": WRONG}] + [{"circuit": LONG, "shots": 100_000}] * 3
    answer = site.open.post("/tasks/batch", {"tasks": tasks})
    with site.visit(f"/console/batches/{answer.body['batch_id']}") as page:
        expect(page.locator(".cell.failed")).to_have_count(1)
        page.get_by_role("button", name="Cancel what is left").click()
        expect(page.locator(".cell.cancelled")).to_have_count(3)
        page.get_by_role("button", name="Retry the failed").click()
        expect(page.locator(".cell")).to_have_count(4)


def test_the_queue_page_tells_the_last_hour(site: Site, rich: dict[str, str]) -> None:
    with site.visit(rich["queue"]) as page:
        figures = page.locator(".figures")
        expect(figures).to_contain_text("2 circuits at a time")
        expect(page.locator(".minutes").first.locator(".row")).to_have_count(60)
        ended = page.get_by_text(re.compile(r"ended in the last hour"), exact=False).first
        assert int((ended.text_content() or "").split()[0].replace(",", "")) >= 8
