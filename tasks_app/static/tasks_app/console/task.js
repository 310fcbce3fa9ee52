// A task's page: its state as it changes, then what came of it, and what can be done with it.

import { call, root, sentence } from "./api.js";
import { codes } from "./codes.js";
import { copyButton, el, find } from "./dom.js";
import { tableElement } from "./figure.js";
import { between, clock, count, duration } from "./format.js";
import { ENDED, follow } from "./live.js";
import { badge, results, state } from "./outcome.js";
import { errorPlace, listing } from "./program.js";

const page = find("#task");
const id = page.dataset.id;
const here = `${root}console/tasks/`;
const parts = Object.fromEntries(
  ["head", "now", "results", "history", "about", "program", "code"].map((name) => [
    name,
    el("section", { class: `card ${name}` }),
  ]),
);
let shownAs = "";

async function start() {
  const submission = await call("GET", `tasks/${id}/submission`);
  page.replaceChildren(
    el("p", { class: "hidden", role: "status", id: "status" }),
    parts.head,
    el("div", { class: "column" }, parts.results, parts.program, parts.code),
    el("div", { class: "column" }, parts.now, parts.history, parts.about),
  );
  parts.code.replaceChildren(...code(submission));
  await follow(id, new AbortController().signal, (task) => show(task, submission));
}

function show(task, submission) {
  parts.now.replaceChildren(el("h2", {}, "State"), state(task));
  if (shownAs === task.status) return;
  shownAs = task.status;
  find("#status").textContent = `The task is ${task.status}.`;
  document.title = `${task.name || "Task"}, ${task.status} · Quantum Tasks`;
  parts.head.replaceChildren(...head(task));
  parts.history.replaceChildren(...timeline(task));
  parts.program.replaceChildren(...program(submission, task.error_message));
  parts.about.replaceChildren(...about(task, submission));
  const found = results(task, submission);
  parts.results.hidden = !found.length;
  parts.results.replaceChildren(el("h2", {}, "Result"), ...found);
}

// -- what it is ----------------------------------------------------------------------------------

function head(task) {
  return [
    el(
      "div",
      { class: "bar" },
      el("h1", {}, task.name || "Task", " ", badge(task.status)),
      el("span", { class: "grow" }),
      ...actions(task),
    ),
    el(
      "p",
      { class: "muted small" },
      el("code", {}, task.task_id),
      ` on ${task.backend}`,
      ...task.tags.flatMap((tag) => [
        " ",
        el(
          "a",
          { class: "tag", href: `${here.slice(0, -1)}?${new URLSearchParams({ tag })}` },
          tag,
        ),
      ]),
      task.batch_id
        ? [" in ", el("a", { href: `${root}console/batches/${task.batch_id}` }, "its batch")]
        : null,
      task.rerun_of
        ? [" runs ", el("a", { href: here + task.rerun_of }, "another one"), " again"]
        : null,
    ),
    el("p", { class: "alert", role: "alert", hidden: true }),
  ];
}

function actions(task) {
  const button = (label, act, kind = "") =>
    el(
      "button",
      { type: "button", class: kind, onclick: (event) => attempt(event.target, act) },
      label,
    );
  const ended = ENDED.has(task.status);
  return [
    ended ? null : button("Cancel", () => call("POST", `tasks/${id}/cancel`), "danger"),
    button("Run again", async () => {
      const { task_id } = await call("POST", `tasks/${id}/rerun`, {});
      location.assign(here + task_id);
    }),
    el("a", { class: "button", href: `${root}?task=${id}` }, "Edit"),
    copyButton(location.href, "Copy link"),
    ended
      ? button(
          "Delete",
          async () => {
            if (!confirm("Delete this task with its result and history? This cannot be undone."))
              return;
            await call("DELETE", `tasks/${id}`);
            location.assign(here.slice(0, -1));
          },
          "danger",
        )
      : null,
  ].filter(Boolean);
}

async function attempt(button, act) {
  const told = find(".alert", parts.head);
  button.disabled = true;
  try {
    await act();
  } catch (error) {
    told.textContent = sentence(error);
    told.hidden = false;
  } finally {
    button.disabled = false;
  }
}

// -- its parts -----------------------------------------------------------------------------------

function timeline(task) {
  const steps = task.status_history;
  const first = steps[0]?.transitioned_at;
  return [
    el("h2", {}, "History"),
    el(
      "ol",
      { class: "timeline" },
      steps.map((step, n) => {
        const next = steps[n + 1]?.transitioned_at;
        const lasted = next ? duration(between(step.transitioned_at, next)) : null;
        return el(
          "li",
          { class: step.status },
          el(
            "span",
            { class: "what" },
            badge(step.status),
            lasted ? el("span", { class: "muted" }, ` for ${lasted}`) : null,
          ),
          el(
            "time",
            { datetime: step.transitioned_at, title: step.transitioned_at },
            clock(step.transitioned_at),
            n ? ` (+${duration(between(first, step.transitioned_at))})` : "",
          ),
          step.notes ? el("span", { class: "muted small" }, step.notes) : null,
        );
      }),
    ),
  ];
}

function about(task, { circuit, name, tags, parameter_sets, ...options }) {
  const found = {
    ...options,
    ...(parameter_sets ? { parameter_sets: `${parameter_sets.length} sets` } : {}),
    ...task.result?.metadata,
    correlation_id: task.correlation_id,
  };
  const rows = Object.entries(found).map(([key, value]) => [
    key,
    typeof value === "object" ? JSON.stringify(value) : String(value),
  ]);
  return [
    el("h2", {}, "Settings and metadata"),
    el(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "Settings and metadata" },
      tableElement({ head: ["name", "value"], rows }),
    ),
  ];
}

function program({ circuit, circuit_format: format }, message) {
  const isQpy = format === "qpy";
  const text = isQpy ? `A QPY file, ${count(circuit.length)} characters in base64.` : circuit;
  return [
    el(
      "div",
      { class: "bar" },
      el("h2", {}, "Program"),
      el("span", { class: "grow" }),
      copyButton(circuit),
    ),
    listing(text, isQpy ? 0 : errorPlace(message).line),
  ];
}

function code(submission) {
  const url = location.origin + root.replace(/\/$/, "");
  const box = el("div");
  const copy = el("span");
  const found = codes(url, id, submission);
  const tabs = Object.keys(found).map((name) =>
    el(
      "button",
      { type: "button", class: "plain", "aria-pressed": "false", onclick: () => choose(name) },
      name,
    ),
  );
  const choose = (name) => {
    for (const tab of tabs) tab.setAttribute("aria-pressed", String(tab.textContent === name));
    const lines = el("pre", { class: "code" }, found[name]);
    copy.replaceChildren(copyButton(found[name]));
    box.replaceChildren(
      el(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": `Lines for ${name}` },
        lines,
      ),
    );
  };
  choose("curl");
  return [
    el(
      "div",
      { class: "bar" },
      el("h2", {}, "As code"),
      ...tabs,
      el("span", { class: "grow" }),
      copy,
    ),
    box,
  ];
}

start().catch((error) =>
  page.replaceChildren(el("p", { class: "alert", role: "alert" }, sentence(error))),
);
