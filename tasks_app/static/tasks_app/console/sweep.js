// Outcomes or expectation values of many runs against what differs between them.

import { choice, el, svg } from "./dom.js";
import { figure, ticks } from "./figure.js";
import { decimal } from "./format.js";

const HEIGHT = 340;
const EDGE = { top: 14, right: 16, bottom: 44, left: 62 };
const FIRST = 4; // lines that are shown at first
const MOST = 24; // that may be chosen
const COLOURS = 6;

/**
 * `runs` are results, in order; `settings` what each had: an object of numbers, or nothing, and
 * then the runs are counted. `observables` are those of all of them.
 */
export function sweep(runs, settings, observables, name) {
  const parameters = Object.keys(settings[0] ?? {});
  const axes = [...parameters, "run"];
  const lines = found(runs, observables);
  const shown = new Set(lines.slice(0, FIRST));
  let across = axes[0];
  const x = (place) => (across === "run" ? place : Number(settings[place]?.[across]));
  const toggles = lines.map((line, place) => {
    const button = el(
      "button",
      {
        type: "button",
        class: `series s${place % COLOURS}`,
        "aria-pressed": String(shown.has(line)),
      },
      line.label,
    );
    button.addEventListener("click", () => {
      if (!shown.delete(line)) shown.add(line);
      button.setAttribute("aria-pressed", String(shown.has(line)));
      element.redraw();
    });
    return button;
  });
  const element = figure({
    title: `${runs.length} runs`,
    name,
    controls: [
      parameters.length
        ? choice(
            "Against",
            Object.fromEntries(axes.map((each) => [each, each])),
            across,
            (value) => {
              across = value;
              element.redraw();
            },
          )
        : null,
      el("div", { class: "toggles", role: "group", "aria-label": "Lines" }, toggles),
    ],
    draw: (width) =>
      drawn(
        width,
        lines,
        shown,
        runs.map((_, place) => x(place)),
        across,
        lines[0]?.unit ?? "",
      ),
    table: () => ({
      head: ["run", ...parameters, ...lines.map((line) => line.label)],
      rows: runs.map((_, n) => [
        n,
        ...parameters.map((each) => settings[n]?.[each]),
        ...lines.map((line) => line.at(n) ?? ""),
      ]),
    }),
  });
  return element;
}

/** What can be drawn: each observable, or else each outcome, the commonest first. */
function found(runs, observables) {
  const values = runs.find((run) => run?.expectation_values)?.expectation_values;
  if (values) {
    return values.slice(0, MOST).map((_, n) => ({
      label: observableName(observables?.[n], n),
      unit: "expectation value",
      place: n,
      at: (run) => runs[run]?.expectation_values?.[n],
      error: (run) => runs[run]?.standard_errors?.[n] ?? 0,
    }));
  }
  const kind = runs.some((run) => run?.counts) ? "counts" : "probabilities";
  const sums = {};
  const totals = runs.map((run) => {
    const counted = Object.entries(run?.[kind] ?? {});
    const total = counted.reduce((sum, [, n]) => sum + n, 0);
    for (const [outcome, n] of counted) sums[outcome] = (sums[outcome] ?? 0) + n / (total || 1);
    return total;
  });
  const outcomes = Object.keys(sums)
    .sort((a, b) => sums[b] - sums[a])
    .slice(0, MOST);
  return outcomes.map((outcome, place) => ({
    label: outcome || "(none)",
    unit: kind === "counts" ? "share of the shots" : "probability",
    place,
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

function drawn(width, lines, shown, xs, across, unit) {
  const points = lines
    .filter((line) => shown.has(line))
    .map((line) => ({
      line,
      dots: xs
        .map((x, run) => ({ x, y: line.at(run), error: line.error(run), run }))
        .filter((dot) => Number.isFinite(dot.x) && Number.isFinite(dot.y)),
    }));
  const all = points.flatMap(({ dots }) => dots);
  const [left, right] = bounds(all.map((dot) => dot.x));
  const isShare = unit !== "expectation value";
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
    { class: `series s${line.place % COLOURS}` },
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
