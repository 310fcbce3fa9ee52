// The first page: a program, its settings, and what becomes of it.

import { ApiError, call, sentence } from "./api.js";
import { el, find } from "./dom.js";
import * as inputs from "./inputs.js";
import { Editor, errorPlace } from "./program.js";

const form = find("#run");
const field = (name) => find(`#${name}`, form);
const editor = new Editor(field("editor"), showInputs);
const examples = JSON.parse(find("#examples").textContent);
// What has fields of its own; all else that was submitted is kept as JSON.
const FIELDS = new Set([
  ...["title", "circuit", "circuit_format", "shots", "seed", "method", "priority", "name", "tags"],
  ...[
    "backend",
    "optimization_level",
    "inputs",
    "parameters",
    "parameter_sets",
    "noise",
    "observables",
    "precision",
    "outputs",
  ],
]);
const NOISE = ["depolarizing_1q", "depolarizing_2q", "readout", "gates"];
const texts = {}; // of the inputs' fields, by name, kept while a program is edited
let names; // of the inputs that have a field now; none: they are to be made anew

// -- the form ------------------------------------------------------------------------------------

/** A field for each input that the program declares, or that was given without one. */
function showInputs() {
  const isQpy = field("circuit_format").value === "qpy";
  const types = isQpy
    ? Object.fromEntries(Object.keys(texts).map((name) => [name, "parameter"]))
    : inputs.declared(editor.text);
  const now = Object.keys(types);
  if (names?.join("\n") === now.join("\n")) return;
  names = now;
  field("inputs").replaceChildren(
    ...names.map((name) =>
      el(
        "label",
        {},
        el("span", {}, el("code", {}, name), ` ${types[name]}`),
        el("input", {
          value: texts[name] ?? "",
          autocomplete: "off",
          placeholder: types[name].startsWith("array") ? "[0, pi/2]" : "pi/2, or 0 : 2*pi : 25",
          oninput: (event) => (texts[name] = event.target.value),
        }),
      ),
    ),
  );
}

/** Fill the form with an example or with what was submitted before. */
function load(wanted) {
  for (const name of Object.keys(texts)) delete texts[name];
  Object.assign(texts, wanted.inputs);
  const named = Array.isArray(wanted.parameters) ? {} : (wanted.parameters ?? {});
  for (const [name, value] of Object.entries(named)) texts[name] = inputs.written.value(value);
  field("circuit_format").value = wanted.circuit_format ?? "openqasm";
  const tags = wanted.tags ?? [];
  const isPlain = tags.every((tag) => tag && tag.trim() === tag && !tag.includes(","));
  const others = Object.entries(wanted).filter(
    ([name, value]) =>
      !FIELDS.has(name) ||
      (name === "tags" && !isPlain) ||
      (name === "parameters" && Array.isArray(value)),
  );
  field("others").value = others.length ? JSON.stringify(Object.fromEntries(others)) : "";
  field("other").hidden = !others.length;
  for (const name of ["shots", "seed", "precision", "priority", "name"])
    field(name).value = wanted[name] ?? "";
  choose("backend", wanted.backend ?? "");
  choose("optimization_level", wanted.optimization_level ?? "");
  choose("method", wanted.method ?? "automatic");
  field("tags").value = isPlain ? tags.join(", ") : "";
  field("observables").value = wanted.observables ?? "";
  field("parameter_sets").value = wanted.parameter_sets
    ? JSON.stringify(wanted.parameter_sets)
    : "";
  field("sets").hidden = !wanted.parameter_sets;
  for (const name of NOISE) form.elements[name].value = wanted.noise?.[name] ?? "";
  for (const box of form.elements.outputs) {
    box.checked = (wanted.outputs ?? ["counts", "circuit"]).includes(box.value);
  }
  field("noise").open = Boolean(wanted.noise);
  field("expectations").open = Boolean(wanted.observables);
  field("more").open = Boolean(
    wanted.parameter_sets ||
    wanted.priority ||
    wanted.optimization_level !== undefined ||
    others.length,
  );
  names = undefined;
  editor.text = wanted.circuit;
}

/** Choose a value, also one that is offered no more. */
function choose(name, value) {
  const select = field(name) ?? field("more").appendChild(el("select", { id: name, hidden: true }));
  select.value = value;
  if (select.value === String(value)) return;
  select.append(el("option", { value }, String(value)));
  select.value = value;
}

/** What was submitted, as the form writes it. */
function asForm(submission) {
  const { observables, noise, outputs, memory, ...rest } = submission;
  const shown = outputs ?? (observables ? [] : ["counts"]);
  return {
    ...rest,
    observables: inputs.written.observables(observables),
    noise: noise && inputs.written.noise(noise),
    outputs: memory ? [...shown, "memory"] : shown,
  };
}

/** The body of a submission. Raises FieldError. */
function submission() {
  const body = { circuit: editor.text };
  const format = field("circuit_format").value;
  if (format !== "openqasm") body.circuit_format = format;
  const shots = inputs.whole(field("shots").value, "Shots");
  if (shots !== undefined) body.shots = shots;
  const seed = inputs.whole(field("seed").value, "Seed");
  if (seed !== undefined) body.seed = seed;
  if (field("backend")?.value) body.backend = field("backend").value;
  const level = inputs.whole(field("optimization_level").value, "Optimization level");
  if (level !== undefined) body.optimization_level = level;
  if (field("method").value !== "automatic") body.method = field("method").value;
  const noise = Object.fromEntries(NOISE.map((name) => [name, form.elements[name].value]));
  const others = json("others", "Other options");
  const hasValues = others?.parameters || others?.samplex;
  Object.assign(body, inputs.noise(noise), hasValues ? {} : parameters());
  const observables = inputs.observables(field("observables").value);
  if (observables.length) body.observables = observables;
  if (field("precision").value.trim())
    body.precision = inputs.number(field("precision").value, "Standard error");
  const outputs = [...form.elements.outputs].filter((box) => box.checked).map((box) => box.value);
  if (outputs.length || !observables.length) body.outputs = outputs;
  const tags = field("tags")
    .value.split(",")
    .map((tag) => tag.trim())
    .filter(Boolean);
  if (field("name").value) body.name = field("name").value;
  if (tags.length) body.tags = tags;
  const priority = inputs.whole(field("priority").value, "Priority");
  if (priority !== undefined) body.priority = priority;
  return { ...body, ...others };
}

function parameters() {
  const sets = json("parameter_sets", "Parameter sets");
  if (sets) return { parameter_sets: sets };
  return inputs.parameters(Object.fromEntries(names.map((name) => [name, texts[name] ?? ""])));
}

/** What a field for JSON holds; nothing if it is empty. */
function json(name, what) {
  try {
    return JSON.parse(field(name).value.trim() || "null");
  } catch {
    throw new inputs.FieldError(`${what}: this is not JSON.`);
  }
}

// -- running -------------------------------------------------------------------------------------

async function run() {
  const button = field("submit");
  if (button.disabled) return;
  tell("");
  try {
    const body = submission();
    button.disabled = true;
    const { show } = await import("./running.js");
    const { task_id } = await call("POST", "tasks", body);
    button.disabled = false;
    await show(task_id, body, field("outcome"), tell);
  } catch (error) {
    const known = error instanceof inputs.FieldError || error instanceof ApiError;
    tell(known ? error.message : sentence(error));
  } finally {
    button.disabled = false;
  }
}

/** What is wrong, below the program, with a mark at the line that it names. */
function tell(problem) {
  const box = field("problem");
  box.hidden = !problem;
  box.textContent = problem;
  const { line, column } = errorPlace(problem);
  editor.mark(line, column);
}

// -- files ---------------------------------------------------------------------------------------

async function open(file) {
  if (!file) return;
  const isQpy = file.name.toLowerCase().endsWith(".qpy");
  field("example").value = "";
  load({
    circuit: isQpy ? await base64(file) : await file.text(),
    circuit_format: isQpy ? "qpy" : "openqasm",
    name: file.name,
  });
}

function base64(file) {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result.split(",")[1] ?? ""));
    reader.readAsDataURL(file);
  });
}

// -- the page ------------------------------------------------------------------------------------

form.addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run();
  }
});
editor.area.addEventListener("input", () => (field("example").value = ""));
field("example").addEventListener("change", (event) => load(examples[event.target.value]));
field("circuit_format").addEventListener("change", showInputs);
field("file").addEventListener("change", (event) => {
  open(event.target.files[0]);
  event.target.value = "";
});
editor.element.addEventListener("dragover", (event) => event.preventDefault());
editor.element.addEventListener("drop", (event) => {
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  open(event.dataTransfer.files[0]);
});

// What shows a result may come after all that a visitor sees first; else the first run asks again.
addEventListener("load", () => import("./running.js").catch(() => {}));

const again = new URLSearchParams(location.search).get("task");
if (again) {
  field("example").value = "";
  call("GET", `tasks/${encodeURIComponent(again)}/submission`).then(
    (before) => load(asForm(before)),
    (error) => tell(sentence(error)),
  );
} else load(examples[0]);
