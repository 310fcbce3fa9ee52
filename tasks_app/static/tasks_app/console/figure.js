// A drawing of ours with its controls, as a file, and as a table for who does not see it.

import { el, find, onWidth, svg } from "./dom.js";
import { count } from "./format.js";

const KEPT = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "font-family",
  "font-size",
  "font-weight",
  "text-anchor",
];
const EDGE = 16; // around a drawing that is a file
const MOST_ROWS = 500; // of the table; the CSV has them all

/**
 * `draw(width)` makes the SVG element; `table()` is `{head, rows}`, which is also the CSV. `redraw`
 * of the returned element draws again after a control has changed.
 */
export function figure({ title, name, controls, draw, table }) {
  const canvas = el("div", { class: "canvas" });
  const rows = el("div", {
    class: "scroll",
    tabindex: "0",
    role: "region",
    "aria-label": `${title}, as a table`,
  });
  const details = el("details", {}, el("summary", {}, "As a table"), rows);
  const element = el(
    "figure",
    {},
    el("figcaption", {}, title),
    el(
      "div",
      { class: "controls" },
      controls,
      el("span", { class: "grow" }),
      el("span", { class: "files" }, files(canvas, name, table)),
    ),
    canvas,
    details,
  );
  element.redraw = (width = canvas.clientWidth) => {
    if (!width) return;
    canvas.replaceChildren(draw(width));
    if (details.open) rows.replaceChildren(tableElement(table()));
  };
  details.addEventListener("toggle", () => element.redraw());
  onWidth(canvas, element.redraw);
  return element;
}

export function tableElement({ head, rows }) {
  const cells = (kind, row) =>
    el(
      "tr",
      {},
      row.map((cell) => el(kind, {}, String(cell))),
    );
  const more = rows.length - MOST_ROWS;
  return el(
    "table",
    {},
    el("thead", {}, cells("th", head)),
    el(
      "tbody",
      {},
      rows.slice(0, MOST_ROWS).map((row) => cells("td", row)),
      more > 0
        ? el("tr", {}, el("td", { colspan: head.length }, `${count(more)} more in the CSV.`))
        : null,
    ),
  );
}

const button = (label, save) =>
  el(
    "button",
    { type: "button", class: "plain small", onclick: save, title: `Save as ${label}` },
    label,
  );

/** Saves all rows of what `table()` is. */
export const csvButton = (name, table) =>
  button("CSV", () => save(`${name}.csv`, new Blob([csv(table())], { type: "text/csv" })));

function files(canvas, name, table) {
  return [
    button("SVG", () =>
      save(`${name}.svg`, new Blob([standalone(canvas)], { type: "image/svg+xml" })),
    ),
    button("PNG", async () => save(`${name}.png`, await png(canvas))),
    csvButton(name, table),
  ];
}

function csv({ head, rows }) {
  // A spreadsheet takes what begins like a formula for one.
  const safe = (text) => (/^[=+\-@]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text);
  const cell = (value) =>
    /[",\n]/.test(safe(String(value)))
      ? `"${safe(String(value)).replaceAll('"', '""')}"`
      : safe(String(value));
  return [head, ...rows].map((row) => `${row.map(cell).join(",")}\n`).join("");
}

/** The drawing with its colours in itself: a file has no style sheet. */
function standalone(canvas) {
  const drawn = find("svg", canvas);
  const copy = drawn.cloneNode(true);
  const copies = [copy, ...copy.querySelectorAll("*")];
  [drawn, ...drawn.querySelectorAll("*")].forEach((element, place) => {
    const style = getComputedStyle(element);
    for (const property of KEPT)
      copies[place].setAttribute(property, style.getPropertyValue(property));
    copies[place].removeAttribute("class");
  });
  const { backgroundColor } = getComputedStyle(canvas.closest(".card"));
  const [width, height] = ["width", "height"].map((side) => Number(copy.getAttribute(side)));
  const whole = { x: -EDGE, y: -EDGE, width: width + 2 * EDGE, height: height + 2 * EDGE };
  copy.prepend(svg("rect", { ...whole, fill: backgroundColor }));
  copy.setAttribute("viewBox", Object.values(whole).join(" "));
  copy.setAttribute("width", whole.width);
  copy.setAttribute("height", whole.height);
  return new XMLSerializer().serializeToString(copy);
}

async function png(canvas) {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([standalone(canvas)], { type: "image/svg+xml" }));
  await image.decode();
  const pixels = el("canvas", { width: 2 * image.naturalWidth, height: 2 * image.naturalHeight });
  pixels.getContext("2d").drawImage(image, 0, 0, pixels.width, pixels.height);
  URL.revokeObjectURL(image.src);
  return new Promise((resolve) => pixels.toBlob(resolve));
}

export function save(name, blob) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** About `many` round numbers from `low` to `high`, both within. */
export function ticks(low, high, many = 5) {
  const span = high - low || 1;
  const rough = span / many;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((each) => each >= rough);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + span * 1e-9; n++) {
    found.push(n * step || 0); // never -0
  }
  return found;
}
