// How often each outcome came, as bars, with the exact probabilities over them.

import { choice, el, svg } from "./dom.js";
import { figure, ticks } from "./figure.js";
import { count, percent, plural } from "./format.js";

const ROW = 26;
const TOP = 6;
const AXIS = 30;
const CHAR = 7.9; // of the labels
const FIRST = 16; // outcomes that are shown at first

/** `counts` and, where they were asked for, `probabilities`, both by outcome. */
export function histogram(counts, probabilities, name) {
  const shots = Object.values(counts).reduce((sum, n) => sum + n, 0);
  const all = Object.keys(counts);
  for (const outcome of Object.keys(probabilities ?? {})) {
    if (!(outcome in counts)) all.push(outcome);
  }
  const state = {
    sort: "value",
    most: all.length > FIRST ? String(FIRST) : "500",
    scale: "linear",
  };
  const set = (key) => (value) => {
    state[key] = value;
    element.redraw();
  };
  const sizes = { 16: "16", 32: "32", 64: "64", 500: all.length > 500 ? "500" : "all" };
  const controls = [
    choice("Sort by", { value: "count", outcome: "outcome" }, state.sort, set("sort")),
    all.length > FIRST ? choice("Show", sizes, state.most, set("most")) : null,
    choice("Scale", { linear: "linear", log: "logarithmic" }, state.scale, set("scale")),
    probabilities ? key() : null,
  ];
  const sorted = () => {
    const chosen = [...all]
      .sort((a, b) => of(b) - of(a) || compared(a, b))
      .slice(0, Number(state.most));
    return state.sort === "value" ? chosen : chosen.sort(compared);
  };
  const of = (outcome) => counts[outcome] ?? 0;
  const element = figure({
    title: `${plural(shots, "shot")}, ${plural(all.length, "outcome")}`,
    name,
    controls,
    draw: (width) =>
      drawn(width, sorted(), all.length, {
        counts,
        probabilities,
        shots,
        isLog: state.scale === "log",
      }),
    table: () => ({
      head: probabilities ? ["outcome", "count", "probability"] : ["outcome", "count"],
      rows: [...all]
        .sort(state.sort === "value" ? (a, b) => of(b) - of(a) || compared(a, b) : compared)
        .map((outcome) => [
          outcome || "(none)",
          of(outcome),
          ...(probabilities ? [probabilities[outcome] ?? 0] : []),
        ]),
    }),
  });
  return element;
}

/** What the lines over the bars mean. */
const key = () =>
  el(
    "span",
    { class: "key" },
    svg(
      "svg",
      { width: 6, height: 18, "aria-hidden": "true" },
      svg("line", { x1: 3, x2: 3, y1: 0, y2: 18 }),
    ),
    "exact probability",
  );

const compared = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

function drawn(width, outcomes, all, { counts, probabilities, shots, isLog }) {
  const rows = outcomes.map((outcome) => ({
    label: outcome || "(none)",
    value: counts[outcome] ?? 0,
    expected: probabilities ? (probabilities[outcome] ?? 0) * shots : null,
  }));
  if (all > outcomes.length) {
    const shown = rows.reduce((sum, row) => sum + row.value, 0);
    rows.push({
      label: `${count(all - outcomes.length)} more`,
      value: shots - shown,
      expected: null,
      isRest: true,
    });
  }
  const figures = (row) =>
    `${count(row.value)}${percent(shots ? row.value / shots : 0).padStart(9, "\u00a0")}`;
  const room = Math.max(...rows.map((row) => figures(row).length)) * CHAR + 8;
  const widest = Math.max(...rows.map((row) => row.label.length)) * CHAR;
  const left = Math.min(widest, width * 0.35) + 12;
  const bar = Math.max(40, width - left - room);
  // What is folded together may be more than all that is shown: its bar is cut off then.
  const single = rows.filter((row) => !row.isRest);
  const most = Math.max(1, ...single.map((row) => Math.max(row.value, row.expected ?? 0)));
  const at = (value) =>
    isLog ? (bar * Math.log10(1 + value)) / Math.log10(1 + most) : (bar * value) / most;
  const height = TOP + rows.length * ROW + AXIS;
  const label = rows
    .slice(0, 8)
    .map((row) => `${row.label}: ${row.value}`)
    .join(", ");
  return svg(
    "svg",
    {
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": `Counts. ${label}${rows.length > 8 ? ", and more" : ""}`,
    },
    axis(left, height - AXIS, bar, most, at, isLog),
    rows.map((row, place) =>
      drawnRow(row, TOP + place * ROW, { left, bar, at, width, figures: figures(row) }),
    ),
  );
}

function axis(left, bottom, bar, most, at, isLog) {
  const decades = Array.from({ length: Math.floor(Math.log10(most)) + 1 }, (_, n) => 10 ** n);
  const marks = isLog ? [0, ...decades] : ticks(0, most, Math.max(2, Math.floor(bar / 90)));
  return svg(
    "g",
    { class: "axis" },
    marks.map((mark) =>
      svg("line", { x1: left + at(mark), x2: left + at(mark), y1: TOP, y2: bottom }),
    ),
    marks.map((mark) =>
      svg("text", { x: left + at(mark), y: bottom + 18, "text-anchor": "middle" }, count(mark)),
    ),
  );
}

function drawnRow(row, y, { left, bar, at, width, figures }) {
  const fits = Math.floor((left - 12) / CHAR + 1e-6); // the widest fits, however it is rounded
  const half = Math.floor((fits - 1) / 2);
  const label =
    row.label.length > fits ? `${row.label.slice(0, half)}…${row.label.slice(-half)}` : row.label;
  const length = row.value ? Math.min(bar, Math.max(2, at(row.value))) : 0;
  const end = left + length - 10;
  const isCut = at(row.value) > bar + 1;
  const expected = row.expected === null ? null : left + at(row.expected);
  const exactly = row.expected === null ? "" : `, exactly ${row.expected.toFixed(1)} expected`;
  return svg(
    "g",
    { class: row.isRest ? "row rest" : "row" },
    svg("title", {}, `${row.label}: ${figures}${exactly}`),
    svg("rect", { class: "hit", x: 0, y, width, height: ROW }),
    svg("text", { class: "label", x: left - 8, y: y + 17.5, "text-anchor": "end" }, label),
    svg("rect", { class: "bar", x: left, y: y + 4, width: length, height: ROW - 8, rx: 3 }),
    isCut ? svg("path", { class: "cut", d: `M${end + 4} ${y}L${end} ${y + ROW}` }) : null,
    expected === null
      ? null
      : svg("line", { class: "expected", x1: expected, x2: expected, y1: y + 1, y2: y + ROW - 1 }),
    svg("text", { class: "figures", x: width, y: y + 17.5, "text-anchor": "end" }, figures),
  );
}
