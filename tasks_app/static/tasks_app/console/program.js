// A program's lines: their numbers, their colours, and a mark at the one that is wrong.

import { el, find } from "./dom.js";

const LINE_PX = 21; // as in the style sheet
const PLACE = /\(line (\d+), column (\d+)\)/;
const MOST = 60_000; // characters; beyond, colours would make typing slow

// OpenQASM's words by what they are to the eye; where several fit, the first does.
const KINDS = {
  comment: /\/\/.*|\/\*[^]*?(?:\*\/|$)/,
  string: /"[^"\n]*"|'[^'\n]*'/,
  keyword: anyOf(
    "OPENQASM include pragma defcalgrammar cal defcal gate opaque def extern return let const",
    "input output mutable readonly if else for in while switch case default break continue end",
    "box barrier delay durationof measure reset nop inv pow ctrl negctrl gphase U CX",
  ),
  type: anyOf(
    "qubit qreg bit creg bool int uint float angle complex array void duration stretch",
  ),
  function: anyOf(
    "arccos arcsin arctan ceiling cos exp floor ln log mod popcount real imag rotl rotr sin",
    "sizeof sqrt tan",
  ),
  number:
    /(?<![\w.$])(?:0[xXoObB][\da-fA-F_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)(?:dt|[nuµm]?s|im)?|\b(?:pi|tau|euler|true|false)\b|[πτℇ]/,
  sign: /[-+*/%!=<>&|~^@#$(){}[\];,:.]/,
};
const WORDS = new RegExp(
  Object.entries(KINDS)
    .map(([kind, words]) => `(?<${kind}>${words.source})`)
    .join("|"),
  "g",
);

/** A program to edit: a textarea over its own text in colours. */
export class Editor {
  /** `changed` is called when the text is another one. */
  constructor(element, changed) {
    this.element = element;
    this.area = find("textarea", element);
    this.changed = changed;
    this.area.addEventListener("input", () => this.#show());
  }

  get text() {
    return this.area.value;
  }

  set text(text) {
    this.area.value = text;
    this.element.scrollTo(0, 0);
    this.#show();
  }

  /** Mark a line, counted from 1, and put the cursor there; 0 takes the mark away. */
  mark(line, column = 1) {
    const band = find(".wrong-line", this.element);
    band.hidden = !line;
    this.area.setAttribute("aria-invalid", String(Boolean(line)));
    if (!line) return;
    band.style.top = `${(line - 1) * LINE_PX}px`;
    const before =
      this.text
        .split("\n")
        .slice(0, line - 1)
        .join("\n").length + (line > 1 ? 1 : 0);
    this.area.focus({ preventScroll: true });
    this.area.setSelectionRange(before + column - 1, before + column - 1);
    this.element.scrollTo(0, Math.max(0, (line - 4) * LINE_PX));
  }

  #show() {
    find(".gutter", this.element).textContent = numbers(this.text);
    find(".paint", this.element).replaceChildren(...painted(this.text));
    this.mark(0);
    this.changed();
  }
}

/** A program to read, with a line marked, or with none for 0. */
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

/** Where a message says that a program is wrong, counted from 1; zeros if it does not. */
export function errorPlace(message) {
  const [, line, column] = PLACE.exec(message ?? "") ?? [];
  return { line: Number(line ?? 0), column: Number(column ?? 0) };
}

/** The numbers of a text's lines, a line each. */
const numbers = (text) =>
  text
    .split("\n")
    .map((_, n) => n + 1)
    .join("\n");

/** A text in colours, as nodes; what has no height at its end gets one. */
function painted(text) {
  const nodes = [];
  let end = 0;
  for (const word of text.length > MOST ? [] : text.matchAll(WORDS)) {
    const [kind] = Object.entries(word.groups).find(([, found]) => found !== undefined);
    nodes.push(text.slice(end, word.index), el("span", { class: `token ${kind}` }, word[0]));
    end = word.index + word[0].length;
  }
  return [...nodes, text.slice(end), "\n"];
}

/** Matches whole words, listed with spaces between them. */
function anyOf(...lists) {
  return new RegExp(`\\b(?:${lists.join(" ").replaceAll(" ", "|")})\\b`);
}
