// A batch's page: its buttons, and the plot of its results once all have ended.

import { call, root, sentence } from "./api.js";
import { el, find } from "./dom.js";
import { sweep } from "./sweep.js";

const page = find("#batch");
const id = page.dataset.id;
const settings = JSON.parse(find("#settings").textContent);

page.addEventListener("click", async (event) => {
  const { act } = event.target.dataset;
  if (!act) return;
  event.target.disabled = true;
  try {
    await call("POST", `batches/${id}/${act}`);
    location.reload();
  } catch (error) {
    const told = find(".alert", page);
    told.textContent = sentence(error);
    told.hidden = false;
    event.target.disabled = false;
  }
});

/** A line of JSON for each element, of which only what is drawn is kept. */
async function runs() {
  const response = await fetch(`${root}batches/${id}/results`);
  if (!response.ok) throw new TypeError("no results");
  const found = new Map();
  let rest = "";
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    const lines = (rest + piece.value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const { index, result } = JSON.parse(line);
      if (!result?.sets) found.set(index, kept(result));
    }
  }
  return found;
}

function kept(result) {
  const { counts, probabilities, expectation_values, standard_errors } = result ?? {};
  return { counts, probabilities, expectation_values, standard_errors };
}

async function draw() {
  const found = await runs();
  const indices = [...found.keys()].sort((a, b) => a - b);
  const all = indices.map((index) => found.get(index));
  if (!all.some((run) => run.counts ?? run.probabilities ?? run.expectation_values)) return;
  const box = find("#results");
  const given = indices.map((index) => settings[index] ?? {});
  box.replaceChildren(el("h2", {}, "Results"), sweep(all, given, undefined, `batch-${id}`));
  box.hidden = false;
}

async function drawOnce() {
  if (find("#elements").dataset.ended !== "yes") return;
  document.body.removeEventListener("htmx:afterSettle", drawOnce);
  try {
    await draw();
  } catch (error) {
    const told = find(".alert", page);
    told.textContent = sentence(error);
    told.hidden = false;
  }
}

document.body.addEventListener("htmx:afterSettle", drawOnce);
drawOnce();
