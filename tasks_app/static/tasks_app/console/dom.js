// Elements from data. Text is text, never markup: whatever anybody has called a task.

const SVG = "http://www.w3.org/2000/svg";

function made(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** `el("a", {href: "/"}, "home")`; attributes that begin with `on` are listeners. */
export const el = (name, attributes, ...children) =>
  made(document.createElement(name), attributes, children);

/** The same in SVG. */
export const svg = (name, attributes, ...children) =>
  made(document.createElementNS(SVG, name), attributes, children);

export const find = (selector, inside = document) => inside.querySelector(selector);

/** A button that says for a moment what it has done. */
export function copyButton(text, label = "Copy") {
  const button = el("button", { type: "button", class: "plain" }, label);
  button.addEventListener("click", async () => {
    button.textContent = (await copied(text)) ? "Copied" : "Not copied: select the text";
    setTimeout(() => (button.textContent = label), 1500);
  });
  return button;
}

async function copied(text) {
  if (navigator.clipboard)
    return navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
  // Without HTTPS browsers offer no clipboard but this one.
  const area = el("textarea", { class: "hidden" });
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

/** One of a few choices, as a small labelled select. */
export function choice(label, options, value, onchange) {
  const select = el(
    "select",
    { onchange: () => onchange(select.value) },
    Object.entries(options).map(([name, text]) =>
      el("option", { value: name, selected: name === String(value) }, text),
    ),
  );
  return el("label", { class: "row" }, label, select);
}

/** Draw again whenever the element's width has changed. */
export function onWidth(element, draw) {
  let width = 0;
  new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (now && now !== width) draw((width = now));
  }).observe(element);
}
