// A task as it moves: the service tells when it ends, and nobody asks again and again.

import { ApiError, ask } from "./api.js";
import { find } from "./dom.js";

export const ENDED = new Set(["completed", "failed", "cancelled"]);
const LONGEST_S = 5; // between two looks at the place in the queue
const HIDDEN_S = 60; // while nobody looks at the page
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

/** Call `show` with the task now and as it changes, until it has ended or the signal comes. */
export async function follow(taskId, signal, show) {
  for (let seconds = 0; ; seconds = Math.min(seconds + 1, LONGEST_S)) {
    const wait = document.hidden && seconds ? HIDDEN_S : seconds;
    const { body, retryAfter } = await patiently(`tasks/${taskId}?wait=${wait}`);
    if (signal.aborted) return;
    show(body);
    if (ENDED.has(body.status)) return;
    await pause(retryAfter); // where as many wait as can
  }
}

/** While the service is away it is asked again, less and less often. */
async function patiently(path) {
  for (let seconds = 1; ; seconds = Math.min(2 * seconds, 30)) {
    try {
      const answer = await ask("GET", path);
      find(".away").hidden = true;
      return answer;
    } catch (error) {
      if (error instanceof ApiError && error.status !== 503 && error.status !== 429) throw error;
      find(".away").hidden = false;
      await pause(error.retryAfter || seconds);
    }
  }
}
