// A session through the API's own login.

import { call, sentence } from "./api.js";
import { find } from "./dom.js";

const form = find("#login");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const told = find(".alert", form);
  const button = find("button", form);
  button.disabled = true;
  try {
    await call("POST", "login", Object.fromEntries(new FormData(form)));
    location.assign(form.dataset.next);
  } catch (error) {
    told.textContent = sentence(error);
    told.hidden = false;
    button.disabled = false;
    form.elements.password.select();
  }
});
