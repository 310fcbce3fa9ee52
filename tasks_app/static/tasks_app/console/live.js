// A task as it moves: the service tells when it ends, and nobody asks again and again.

import { ApiError, ask } from "./api.js";
import { find } from "./dom.js";

export const ENDED = new Set(["completed", "failed", "cancelled"]);
const LONGEST_S = 5; // between two looks at the place in the queue
const HIDDEN_S = 30; // while nobody looks at the page; proxies cut what is silent for 60
const AWAY = [429, 502, 503, 504]; // a proxy says some of them for the service
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

/** Call `show` with the task now and as it changes, until it has ended or the signal comes. */
export async function follow(taskId, signal, show) {
  for (let seconds = 0; ; seconds = Math.min(seconds + 1, LONGEST_S)) {
    const wait = document.hidden && seconds ? HIDDEN_S : seconds;
    const { body, retryAfter } = await patiently(`tasks/${taskId}`, wait);
    if (signal.aborted) return;
    show(body);
    if (ENDED.has(body.status)) return;
    await pause(retryAfter); // where as many wait as can
  }
}

/**
 * While the service is away it is asked again, less and less often; without waiting, which a proxy
 * may be what cuts short.
 */
async function patiently(path, wait) {
  for (let seconds = 1; ; seconds = Math.min(2 * seconds, 30)) {
    try {
      const answer = await ask("GET", `${path}?wait=${seconds === 1 ? wait : 0}`);
      find(".away").hidden = true;
      return answer;
    } catch (error) {
      if (error instanceof ApiError && !AWAY.includes(error.status)) throw error;
      find(".away").hidden = false;
      await pause(error.retryAfter || seconds);
    }
  }
}
