// A task's state and what came of it, for its own page and for the one that runs programs.

import { el, svg } from "./dom.js";
import { csvButton, save, tableElement } from "./figure.js";
import { between, count, decimal, duration, plural } from "./format.js";
import { histogram } from "./histogram.js";
import { observableName, sweep } from "./sweep.js";

/** What there is to show of a task that was submitted so. */
export function outcome(task, submission) {
  return [state(task), ...results(task, submission)];
}

export const badge = (status) => el("span", { class: `badge ${status}` }, status);

/** Where it stands: its place while it waits, its time while it runs, its error if it failed. */
export function state(task) {
  return el(
    "div",
    { class: "state" },
    el("p", { class: "line" }, badge(task.status), " ", el("span", {}, progress(task))),
    task.error_message
      ? el(
          "p",
          { class: "alert" },
          task.error_message,
          " ",
          el("code", { class: "muted" }, task.error_code),
        )
      : null,
  );
}

function progress(task) {
  if (task.status === "pending") return waiting(task);
  if (task.status === "processing")
    return `since ${duration(between(task.started_at, new Date()))}`;
  const total = duration(between(task.submitted_at, task.completed_at));
  if (!task.started_at) return `after ${total}`;
  return `after ${total}, of which it ran ${duration(between(task.started_at, task.completed_at))}`;
}

function waiting(task) {
  const place = task.queue_position;
  const before =
    place === null
      ? "more than 1,000 tasks are before it"
      : place === 0
        ? "it is next"
        : place === 1
          ? "one task is before it"
          : `${count(place)} tasks are before it`;
  if (!task.estimated_start_at) return `${before}. ${task.message}`;
  const seconds = between(new Date(), task.estimated_start_at);
  return `${before}; it should start ${seconds < 1 ? "now" : `in about ${duration(seconds)}`}`;
}

/** The pictures and tables of its result. */
export function results(task, submission) {
  const result = task.result;
  if (!result) return [];
  const name = `task-${task.task_id}`;
  return [
    ...(result.sets ? sets(result.sets, submission, name) : single(result, submission, name)),
    result.circuit ? drawing(result.circuit, name) : null,
    result.registers ? registers(result.registers, name) : null,
    ...(result.metadata.notes ?? []).map((note) => el("p", { class: "muted" }, note)),
  ].filter(Boolean);
}

function sets(runs, submission, name) {
  const isPlot = runs.some((run) => run.counts ?? run.probabilities ?? run.expectation_values);
  return isPlot
    ? [sweep(runs, submission?.parameter_sets ?? [], submission?.observables, name)]
    : [];
}

function single(result, submission, name) {
  const { counts, probabilities, statevector, memory } = result;
  return [
    counts || probabilities ? histogram(counts ?? {}, probabilities, name) : null,
    result.expectation_values ? expectations(result, submission?.observables, name) : null,
    statevector ? amplitudes(statevector, name) : null,
    memory ? shots(memory, name) : null,
  ];
}

function expectations({ expectation_values: values, standard_errors: errors }, observables, name) {
  return tabled(
    values.length === 1 ? "Expectation value" : `${count(values.length)} expectation values`,
    `${name}-values`,
    ["observable", "value", "standard error"],
    values.map((value, n) => [observableName(observables?.[n], n), value, errors?.[n] ?? 0]),
  );
}

function amplitudes(vector, name) {
  const bits = Math.max(1, Math.log2(vector.length));
  return tabled(
    `State vector, ${plural(vector.length, "amplitude")}`,
    `${name}-statevector`,
    ["state", "real", "imaginary", "probability"],
    vector.map(([re, im], index) => [
      index.toString(2).padStart(bits, "0"),
      re,
      im,
      re * re + im * im,
    ]),
  );
}

/** What is a table only, and as CSV. */
function tabled(title, name, head, rows) {
  const shown = rows.map((row) => row.map(decimal));
  return el(
    "figure",
    {},
    el("figcaption", {}, title),
    region(title, tableElement({ head, rows: shown })),
    csvButton(name, () => ({ head, rows })),
  );
}

function shots(memory, name) {
  const all = () =>
    save(`${name}-shots.txt`, new Blob([`${memory.join("\n")}\n`], { type: "text/plain" }));
  return el(
    "figure",
    {},
    el("figcaption", {}, `Every shot, in order: ${count(memory.length)}`),
    region(
      "Every shot",
      el("pre", {}, memory.slice(0, 200).join("  "), memory.length > 200 ? "  …" : ""),
    ),
    el("button", { type: "button", class: "plain small", onclick: all }, "Save all"),
  );
}

function registers(found, name) {
  return tabled(
    "Registers, and where their bits stand in an outcome, from the right",
    `${name}-registers`,
    ["register", "bits"],
    found.map((each) => [each.name, each.bits.join(", ")]),
  );
}

/** The drawing that the sandbox made and its parent has checked. */
function drawing(circuit, name) {
  const parsed = new DOMParser().parseFromString(circuit.svg, "image/svg+xml").documentElement;
  const picture = document.importNode(parsed, true);
  picture.setAttribute("role", "img");
  picture.prepend(svg("title", {}, `Circuit of ${circuit.qubits} qubits, depth ${circuit.depth}`));
  const gates = Object.entries(circuit.gate_counts)
    .map(([gate, n]) => `${n} ${gate}`)
    .join(", ");
  return el(
    "figure",
    { class: "drawing" },
    el("figcaption", {}, "As it was simulated"),
    el(
      "p",
      { class: "muted small" },
      `${plural(circuit.qubits, "qubit")}, depth ${circuit.depth}${gates ? `: ${gates}` : ""}`,
    ),
    region("Circuit", picture),
    circuit.openqasm
      ? el(
          "div",
          { class: "controls" },
          el("span", { class: "grow" }),
          el(
            "button",
            {
              type: "button",
              class: "plain small",
              onclick: () =>
                save(`${name}.qasm`, new Blob([circuit.openqasm], { type: "text/plain" })),
            },
            "OpenQASM",
          ),
        )
      : null,
  );
}

/** What may be wider or longer than its place. */
const region = (label, ...children) =>
  el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, children);
