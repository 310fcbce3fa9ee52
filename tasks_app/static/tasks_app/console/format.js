// Numbers and times as people read them.

const NUMBER = new Intl.NumberFormat("en");

export const count = (n) => NUMBER.format(n);
/** `1 shot`, `1,024 shots`. */
export const plural = (n, what) => `${count(n)} ${what}${n === 1 ? "" : "s"}`;
export const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.001 ? 3 : 1)} %`;

/** At most six digits that matter. */
export function decimal(value) {
  if (typeof value !== "number") return String(value);
  if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e7))
    return value.toExponential(4);
  return String(Number(value.toPrecision(6)));
}

/** In the two units that matter: 12 ms, 3.4 s, 5 min 6 s, 7 h 8 min. */
export function duration(seconds) {
  const s = Math.max(seconds, 0);
  if (s < 1) return `${Math.round(1000 * s)} ms`;
  if (s < 60) return `${s.toFixed(1)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

/** Seconds from one time of the API to another. */
export const between = (from, to) => (new Date(to) - new Date(from)) / 1000;

/** Local time, to the millisecond. */
export function clock(iso) {
  const at = new Date(iso);
  const digits = (n, size = 2) => String(n).padStart(size, "0");
  const day = `${at.getFullYear()}-${digits(at.getMonth() + 1)}-${digits(at.getDate())}`;
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map((n) => digits(n)).join(":");
  return `${day} ${time}.${digits(at.getMilliseconds(), 3)}`;
}

/** The first 8 digits are the time, the last are random. */
export function shortId(id) {
  return `${id.slice(0, 8)}…${id.slice(-4)}`;
}
