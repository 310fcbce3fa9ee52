// OpenQASM in colours, as elements: Prism's tokens, never its HTML.

const MOST = 60_000; // characters; beyond, colours would make typing slow

// What Prism's grammar of 2021 lacks.
const KEYWORDS =
  /\b(?:array|case|default|extern|input|mutable|negctrl|nop|output|readonly|switch|void)\b/;

/** The text as nodes. */
export function highlighted(text) {
  const prism = globalThis.Prism;
  if (!prism?.languages.openqasm || text.length > MOST) return [text];
  const { keyword, ...grammar } = prism.languages.openqasm;
  return prism.tokenize(text, { ...grammar, keyword: [keyword, KEYWORDS].flat() }).map(node);
}

function node(token) {
  if (typeof token === "string") return token;
  const span = document.createElement("span");
  span.className = `token ${token.type}`;
  const inner = Array.isArray(token.content) ? token.content : [token.content];
  span.append(...inner.map(node));
  return span;
}
