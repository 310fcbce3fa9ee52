// What every page has: the theme's button and the way out.

import { call, root } from "./api.js";
import { find } from "./dom.js";

find("#theme").addEventListener("click", () => {
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
  const system = matchMedia("(prefers-color-scheme: dark)").matches;
  const isDark = document.documentElement.dataset.theme ? dark : system;
  const theme = isDark ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("theme", theme);
});

find("#log-out")?.addEventListener("click", async () => {
  await call("POST", "logout");
  location.assign(root);
});

// Pages that ask again and again do not while nobody looks.
document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden) event.preventDefault();
});
