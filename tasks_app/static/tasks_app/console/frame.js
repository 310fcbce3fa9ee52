// What every page has: the theme's button and the way out.

import { call, root } from "./api.js";

const page = document.documentElement;

document.querySelector("#theme").addEventListener("click", () => {
  const isSystemDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = page.dataset.theme || (isSystemDark ? "dark" : "light");
  page.dataset.theme = now === "dark" ? "light" : "dark";
  document.cookie = `theme=${page.dataset.theme}; path=${root}; max-age=31536000; samesite=lax`;
});

document.querySelector("#log-out")?.addEventListener("click", async () => {
  await call("POST", "logout");
  location.assign(root);
});

// Pages that ask again and again do not while nobody looks.
document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden) event.preventDefault();
});
