// Lines of a program: their numbers, their colours, and a mark at the one that is wrong.

import { el } from "./dom.js";
import { highlighted } from "./highlight.js";

export const LINE_PX = 21; // as in the style sheet
const PLACE = /\(line (\d+), column (\d+)\)/;

/** Where a message says that a program is wrong, counted from 1; zeros if it does not. */
export function errorPlace(message) {
  const [, line, column] = PLACE.exec(message ?? "") ?? [];
  return { line: Number(line ?? 0), column: Number(column ?? 0) };
}

/** The numbers of a text's lines, a line each. */
export const numbers = (text) =>
  text
    .split("\n")
    .map((_, n) => n + 1)
    .join("\n");

/** A text in colours; what has no height at its end gets one. */
export const painted = (text) => [...highlighted(text), "\n"];

/** A text to read, with a line marked, or with none for 0. */
export function listing(text, line) {
  const band = el("div", { class: "wrong-line", hidden: !line });
  band.style.top = `${(line - 1) * LINE_PX}px`;
  return el(
    "div",
    { class: "editor listing", tabindex: "0", role: "region", "aria-label": "Program" },
    el("pre", { class: "gutter", "aria-hidden": "true" }, numbers(text)),
    el("div", { class: "layers" }, band, el("pre", { class: "paint" }, painted(text))),
  );
}
