// What becomes of a program, beside the editor: loaded once the page is there.

import { call, root, sentence } from "./api.js";
import { el, find } from "./dom.js";
import { ENDED, follow } from "./live.js";
import { outcome } from "./outcome.js";

let following = new AbortController();

/** Show a task until it ends; another one takes its place. `tell` is called with what is wrong. */
export async function show(taskId, submission, box, tell) {
  following.abort();
  following = new AbortController();
  const { signal } = following;
  const link = el("a", { href: `${root}console/tasks/${taskId}` }, "This task’s page");
  const stop = el("button", { type: "button", class: "danger" }, "Cancel");
  stop.addEventListener("click", () =>
    call("POST", `tasks/${taskId}/cancel`).catch((error) => tell(sentence(error))),
  );
  if (matchMedia("(max-width: 60rem)").matches) box.scrollIntoView({ block: "start" });
  await follow(taskId, signal, (task) => {
    const more = el("p", { class: "more bar" }, link, ENDED.has(task.status) ? null : stop);
    box.replaceChildren(...outcome(task, submission), more);
    find("#status").textContent = `The task is ${task.status}.`;
    if (task.status === "failed") tell(task.error_message);
  });
}
