// Outcomes or expectation values of many runs against what differs between them.

import { choice, el, svg } from "./dom.js";
import { figure, ticks } from "./figure.js";
import { decimal, plural } from "./format.js";

const HEIGHT = 340;
const EDGE = { top: 14, right: 16, bottom: 44, left: 62 };
const FIRST = 4; // lines that are shown at first
const MOST = 24; // that are offered; others by their name
const COLOURS = 6;
const KINDS = {
  expectation_values: "expectation value",
  counts: "share of the shots",
  probabilities: "probability",
};

/**
 * `runs` are results, in order; `given` what each had: an object of numbers and arrays of them, or
 * nothing, and then the runs are counted. `observables` are those of all of them.
 */
export function sweep(runs, given, observables, name) {
  const settings = given.map(flat);
  const parameters = Object.keys(settings[0] ?? {});
  const kinds = Object.keys(KINDS).filter((kind) => runs.some((run) => run?.[kind]));
  const state = { across: parameters[0] ?? "run", kind: kinds[0] };
  const toggles = el("div", { class: "toggles", role: "group", "aria-label": "Lines" });
  let all, offered, shown;

  const begin = () => {
    all = found(runs, state.kind, observables);
    offered = all.slice(0, MOST);
    shown = new Set(all.slice(0, FIRST));
    showToggles();
  };
  const showToggles = () => {
    const another = all.length > offered.length ? other() : null;
    toggles.replaceChildren(...offered.map(toggle), ...[another].filter(Boolean));
  };
  const toggle = (line, place) => {
    line.colour = place % COLOURS;
    const pressed = shown.has(line);
    const button = el(
      "button",
      { type: "button", class: `series s${line.colour}`, "aria-pressed": String(pressed) },
      line.label,
    );
    button.addEventListener("click", () => {
      if (!shown.delete(line)) shown.add(line);
      button.setAttribute("aria-pressed", String(shown.has(line)));
      element.redraw();
    });
    return button;
  };
  /** Any other of them, by its name. */
  const other = () => {
    const input = el("input", { "aria-label": "Another line", placeholder: "another" });
    input.addEventListener("change", () => {
      const line = all.find((each) => each.label === input.value.trim());
      input.setAttribute("aria-invalid", String(!line));
      if (!line) return;
      if (!offered.includes(line)) offered.push(line);
      shown.add(line);
      showToggles();
      element.redraw();
    });
    return input;
  };
  const set = (key) => (value) => {
    state[key] = value;
    if (key === "kind") begin();
    element.redraw();
  };
  const choices = (names, label) => Object.fromEntries(names.map((each) => [each, label(each)]));
  const axes = choices([...parameters, "run"], String);
  const x = (run) => (state.across === "run" ? run : Number(settings[run]?.[state.across]));
  begin();
  const element = figure({
    title: plural(runs.length, "run"),
    name,
    controls: [
      parameters.length ? choice("Against", axes, state.across, set("across")) : null,
      kinds.length > 1
        ? choice(
            "Plot",
            choices(kinds, (kind) => KINDS[kind]),
            state.kind,
            set("kind"),
          )
        : null,
      toggles,
    ],
    draw: (width) => {
      const lines = offered.filter((line) => shown.has(line));
      return drawn(width, lines, [...runs.keys()].map(x), state.across, KINDS[state.kind]);
    },
    table: () => ({
      head: ["run", ...parameters, ...offered.map((line) => line.label)],
      rows: runs.map((_, n) => [
        n,
        ...parameters.map((each) => settings[n]?.[each]),
        ...offered.map((line) => line.at(n) ?? ""),
      ]),
    }),
  });
  return element;
}

/** Values by the names of inputs and of the elements of arrays, `theta[0, 1]`. */
function flat(setting) {
  const found = {};
  const add = (name, places, value) => {
    if (Array.isArray(value)) value.forEach((each, n) => add(name, [...places, n], each));
    else found[places.length ? `${name}[${places.join(", ")}]` : name] = value;
  };
  for (const [name, value] of Object.entries(setting ?? {})) add(name, [], value);
  return found;
}

/** The lines of a kind: each observable, or each outcome, the commonest first. */
function found(runs, kind, observables) {
  if (kind === "expectation_values") {
    return runs
      .find((run) => run?.[kind])
      [kind].map((_, n) => ({
        label: observableName(observables?.[n], n),
        at: (run) => runs[run]?.expectation_values?.[n],
        error: (run) => runs[run]?.standard_errors?.[n] ?? 0,
      }));
  }
  const sums = {};
  const totals = runs.map((run) => {
    const counted = Object.entries(run?.[kind] ?? {});
    const total = counted.reduce((sum, [, n]) => sum + n, 0);
    for (const [outcome, n] of counted) sums[outcome] = (sums[outcome] ?? 0) + n / (total || 1);
    return total;
  });
  const outcomes = Object.keys(sums).sort((a, b) => sums[b] - sums[a]);
  return outcomes.map((outcome) => ({
    label: outcome || "(none)",
    at: (run) => (totals[run] ? (runs[run][kind][outcome] ?? 0) / totals[run] : undefined),
    error: () => 0,
  }));
}

export function observableName(terms, n) {
  const names = Object.entries(terms ?? {});
  if (names.length === 1 && names[0][1] === 1) return names[0][0];
  const text = names.map(([pauli, weight]) => `${decimal(weight)} ${pauli}`).join(" + ");
  return text && text.length <= 24 ? text.replaceAll("+ -", "− ") : `observable ${n + 1}`;
}

function drawn(width, lines, xs, across, unit) {
  const points = lines.map((line) => ({
    line,
    dots: xs
      .map((x, run) => ({ x, y: line.at(run), error: line.error(run) }))
      .filter((dot) => Number.isFinite(dot.x) && Number.isFinite(dot.y)),
  }));
  const all = points.flatMap(({ dots }) => dots);
  const [left, right] = bounds(all.map((dot) => dot.x));
  const isShare = unit !== KINDS.expectation_values;
  const [low, high] = isShare
    ? [0, Math.max(0.05, ...all.map((dot) => dot.y))]
    : bounds(all.flatMap((dot) => [dot.y - dot.error, dot.y + dot.error]));
  const across_ = width - EDGE.left - EDGE.right;
  const up = HEIGHT - EDGE.top - EDGE.bottom;
  const px = (x) => EDGE.left + (across_ * (x - left)) / (right - left);
  const py = (y) => EDGE.top + up * (1 - (y - low) / (high - low));
  return svg(
    "svg",
    {
      width,
      height: HEIGHT,
      viewBox: `0 0 ${width} ${HEIGHT}`,
      role: "img",
      "aria-label": `${unit} against ${across}`,
    },
    svg(
      "g",
      { class: "axis" },
      ticks(low, high).map((y) =>
        svg("line", { x1: EDGE.left, x2: width - EDGE.right, y1: py(y), y2: py(y) }),
      ),
      ticks(low, high).map((y) =>
        svg("text", { x: EDGE.left - 8, y: py(y) + 4, "text-anchor": "end" }, decimal(y)),
      ),
      ticks(left, right, Math.max(3, Math.floor(across_ / 90))).map((x) =>
        svg(
          "text",
          { x: px(x), y: HEIGHT - EDGE.bottom + 20, "text-anchor": "middle" },
          decimal(x),
        ),
      ),
      svg(
        "text",
        { class: "unit", x: EDGE.left + across_ / 2, y: HEIGHT - 6, "text-anchor": "middle" },
        across,
      ),
      svg(
        "text",
        {
          class: "unit",
          x: 14,
          y: EDGE.top + up / 2,
          "text-anchor": "middle",
          transform: `rotate(-90 14 ${EDGE.top + up / 2})`,
        },
        unit,
      ),
    ),
    points.map(({ line, dots }) => drawnLine(line, dots, px, py, across)),
  );
}

function drawnLine(line, dots, px, py, across) {
  const inOrder = [...dots].sort((a, b) => a.x - b.x);
  const isFunction = inOrder.every((dot, n) => !n || dot.x !== inOrder[n - 1].x);
  const path = inOrder
    .map((dot, n) => `${n ? "L" : "M"}${px(dot.x).toFixed(1)} ${py(dot.y).toFixed(1)}`)
    .join("");
  return svg(
    "g",
    { class: `series s${line.colour}` },
    isFunction ? svg("path", { class: "line", d: path }) : null,
    dots.map((dot) =>
      dot.error
        ? svg("line", {
            class: "error",
            x1: px(dot.x),
            x2: px(dot.x),
            y1: py(dot.y - dot.error),
            y2: py(dot.y + dot.error),
          })
        : null,
    ),
    dots.map((dot) =>
      svg(
        "circle",
        { cx: px(dot.x), cy: py(dot.y), r: dots.length > 200 ? 2 : 3.5 },
        svg("title", {}, `${line.label}: ${said(dot)} at ${across} = ${decimal(dot.x)}`),
      ),
    ),
  );
}

const said = ({ y, error }) => decimal(y) + (error ? ` ± ${decimal(error)}` : "");

function bounds(numbers) {
  const low = numbers.reduce((a, b) => Math.min(a, b), Infinity);
  const high = numbers.reduce((a, b) => Math.max(a, b), -Infinity);
  if (!Number.isFinite(low)) return [0, 1];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}
