// Making tokens, each shown once, and revoking them.

import { call, sentence } from "./api.js";
import { copyButton, el, find } from "./dom.js";
import { FieldError, whole } from "./inputs.js";

const form = find("#make");
const told = find("[role=alert]");

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  await attempt(async () => {
    const { label, days, read_only: readOnly } = form.elements;
    const token = await call("POST", "tokens", {
      label: label.value,
      read_only: readOnly.checked,
      expires_in_days: whole(days.value, "Days") ?? null,
    });
    const box = find(".made");
    box.replaceChildren(
      el("p", {}, `The token “${token.label}”, shown only this once:`),
      el(
        "p",
        { class: "bar" },
        el("code", { class: "token-text" }, token.token),
        copyButton(token.token),
      ),
    );
    box.hidden = false;
    find("#tokens .none")?.remove();
    find("#tokens tbody").prepend(row(token));
    form.reset();
  });
});

find("#tokens")?.addEventListener("click", async (event) => {
  const { revoke, label } = event.target.dataset;
  if (!revoke || !confirm(`Revoke “${label}”? Programs that use it stop working.`)) return;
  await attempt(async () => {
    await call("DELETE", `tokens/${revoke}`);
    event.target.replaceWith("revoked just now");
  });
});

async function attempt(act) {
  told.hidden = true;
  try {
    await act();
  } catch (error) {
    told.textContent = error instanceof FieldError ? error.message : sentence(error);
    told.hidden = false;
  }
}

function row(token) {
  const minute = (iso) => (iso ? iso.slice(0, 16).replace("T", " ") : "never");
  return el(
    "tr",
    {},
    el("td", { class: "name" }, token.label),
    el("td", {}, token.read_only ? "read" : "everything you may"),
    el("td", {}, minute(token.created_at)),
    el("td", {}, minute(token.expires_at)),
    el(
      "td",
      {},
      el(
        "button",
        {
          type: "button",
          class: "danger small",
          "data-revoke": token.id,
          "data-label": token.label,
        },
        "Revoke",
      ),
    ),
  );
}
