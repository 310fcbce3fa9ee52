// The service's own API, asked as any program asks it.

const page = document.documentElement.dataset;
export const root = page.root.endsWith("/") ? page.root : `${page.root}/`;

/** What the API says went wrong: `code`, `details`, `retryAfter` in seconds. */
export class ApiError extends Error {
  constructor(status, body, retryAfter) {
    super(body.error ?? `The service answered ${status}.`);
    this.status = status;
    this.code = body.code ?? "";
    this.details = body.details ?? {};
    this.retryAfter = retryAfter;
  }
}

/** Ask, and return the answer's JSON. Raises ApiError, or TypeError if nobody answers. */
export async function call(method, path, body) {
  return (await ask(method, path, body)).body;
}

/** The same with `retryAfter`, in seconds, if the service asks for it. */
export async function ask(method, path, body) {
  const headers = { Accept: "application/json", "X-CSRFToken": page.csrf };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(root + path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const retryAfter = Number(response.headers.get("Retry-After")) || 0;
  const text = await response.text();
  const answer =
    text && response.headers.get("Content-Type").includes("json") ? JSON.parse(text) : {};
  if (response.ok) return { body: answer, retryAfter };
  if (response.status === 401 && path !== "login") await logInFirst();
  throw new ApiError(response.status, answer, retryAfter);
}

/** The session is over: nothing here goes on before one has logged in. */
function logInFirst() {
  location.assign(`${page.login}?next=${encodeURIComponent(location.pathname + location.search)}`);
  return new Promise(() => {});
}

/** A sentence for whatever was thrown. */
export function sentence(error) {
  return error instanceof ApiError ? error.message : "The service does not answer.";
}
