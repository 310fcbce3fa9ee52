// A textarea over its own text in colours, with line numbers and a mark at the line that is wrong.

import { find } from "./dom.js";
import { LINE_PX, numbers, painted } from "./listing.js";

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
