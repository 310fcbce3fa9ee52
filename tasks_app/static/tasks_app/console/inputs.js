// What people write in fields, as the API takes it, and back.

/** What is wrong with a field, as a sentence. */
export class FieldError extends Error {}

// Of a type, brackets may have brackets in them: array[float[64], 2].
const INPUT =
  /\binput\s+(\w+(?:\s*\[(?:[^[\]]|\[[^[\]]*\])*\]|\s))\s*([\p{L}_][\p{L}\p{N}_]*)\s*;/gu;
const COMMENT = /\/\/.*|\/\*[\s\S]*?\*\//g;
const NUMBER =
  /^([+-]?)(?:((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*\*?\s*)?(pi|π)?(?:\s*\/\s*(\d+\.?\d*))?$/i;
const MOST_SETS = 1000;

/** The `input`s that a program declares: `{name: type}`. */
export function declared(program) {
  const found = program.replace(COMMENT, " ").matchAll(INPUT);
  return Object.fromEntries([...found].map(([, type, name]) => [name, type.trim()]));
}

/** A number such as 0.5, -2e-3, pi/2 or 3*pi/4. */
export function number(text, what) {
  const [whole, sign, factor, turn, divisor] = NUMBER.exec(text.trim()) ?? [];
  if (!whole || (factor === undefined && !turn)) {
    throw new FieldError(`${what}: “${text.trim()}” is not a number.`);
  }
  const value = (Number(factor ?? 1) * (turn ? Math.PI : 1)) / Number(divisor ?? 1);
  return sign === "-" ? -value : value;
}

/** A whole number, or nothing if the field is empty. */
export function whole(text, what) {
  if (!text.trim()) return undefined;
  const digits = text.trim().replace(/[\s,_]/g, "");
  if (!/^-?\d{1,16}$/.test(digits))
    throw new FieldError(`${what}: “${text.trim()}” is not a whole number.`);
  return Number(digits);
}

/** Values with commas between: numbers, true, `[0, 1]`, or `first : last : how many`. */
export function values(text, what) {
  const [first, last, many, ...more] = text.split(":");
  if (last === undefined) return split(text).map((each) => value(each, what));
  const size = Number(many);
  if (more.length || !Number.isInteger(size) || size < 1 || size > MOST_SETS) {
    throw new FieldError(`${what}: write a range as first : last : how many, up to ${MOST_SETS}.`);
  }
  const from = number(first, what);
  const step = (number(last, what) - from) / Math.max(1, size - 1);
  return Array.from({ length: size }, (_, n) => from + step * n);
}

/** At the commas that stand in no brackets. */
function split(text) {
  const parts = [""];
  let depth = 0;
  for (const sign of text) {
    depth += (sign === "[") - (sign === "]");
    if (sign === "," && !depth) parts.push("");
    else parts[parts.length - 1] += sign;
  }
  return parts;
}

function value(text, what) {
  const word = text.trim().toLowerCase();
  if (word.startsWith("[") && word.endsWith("]"))
    return split(word.slice(1, -1)).map((each) => value(each, what));
  return word === "true" || word === "false" ? word === "true" : number(text, what);
}

/** `parameters`, or `parameter_sets` with every combination where a field has several values. */
export function parameters(fields) {
  const names = Object.keys(fields);
  if (!names.length) return {};
  const missing = names.find((name) => !fields[name].trim());
  if (missing) throw new FieldError(`${missing}: give it a value, or several.`);
  const lists = names.map((name) => values(fields[name], name));
  const sets = lists.reduce(
    (found, list, place) => {
      if (found.length * list.length > MOST_SETS) {
        throw new FieldError(`Together that is more than ${MOST_SETS} combinations of values.`);
      }
      return found.flatMap((set) => list.map((each) => ({ ...set, [names[place]]: each })));
    },
    [{}],
  );
  const isOne = lists.every((list) => list.length === 1);
  return isOne ? { parameters: sets[0] } : { parameter_sets: sets };
}

/** By name. Of one that is given twice, taking either value would be a guess. */
function once(pairs) {
  const names = pairs.map(([name]) => name);
  const twice = names.find((name, place) => names.indexOf(name) < place);
  if (twice !== undefined) throw new FieldError(`${twice} is given twice.`);
  return Object.fromEntries(pairs);
}

/** `ZZ=0.5, IX=-1`, an observable a line; a string alone counts once. */
export function observables(text) {
  const lines = text.split("\n").filter((line) => line.trim());
  return lines.map((line) => {
    const terms = line.split(",").filter((term) => term.trim());
    return once(
      terms.map((term) => {
        const [name, weight] = term.split("=");
        return [name.trim().toUpperCase(), weight === undefined ? 1 : number(weight, name.trim())];
      }),
    );
  });
}

/** The noise that its four fields ask for, if any. */
export function noise(fields) {
  const found = {};
  for (const [name, text] of Object.entries(fields)) {
    if (!text.trim()) continue;
    const list = text.split(",");
    if (name === "gates") {
      const pairs = list.map((pair) => pair.split("="));
      found.gates = once(
        pairs.map(([gate, p = ""]) => [gate.trim(), number(p, gate.trim())]),
      );
    } else {
      const numbers = list.map((each) => number(each, name));
      found[name] = numbers.length === 1 ? numbers[0] : numbers;
    }
  }
  return Object.keys(found).length ? { noise: found } : {};
}

/** Back from the API: the texts of fields for what was submitted. */
export const written = {
  value: (given) =>
    Array.isArray(given) ? `[${given.map(written.value).join(", ")}]` : String(given),
  observables: (list) =>
    (list ?? [])
      .map((terms) =>
        Object.entries(terms)
          .map(([n, w]) => `${n}=${w}`)
          .join(", "),
      )
      .join("\n"),
  noise: ({ gates, ...rest } = {}) => ({
    ...Object.fromEntries(Object.entries(rest).map(([name, p]) => [name, [p].flat().join(", ")])),
    gates: Object.entries(gates ?? {})
      .map(([gate, p]) => `${gate}=${p}`)
      .join(", "),
  }),
};
