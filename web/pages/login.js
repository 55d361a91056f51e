// Signing in with the admin token. The token goes to the service once and is kept nowhere in the page.

import { signedIn } from "../api.js";
import { fill, h } from "../lib/h.js";
import { isSignedOut, loadingPanel, patiently, problemText } from "../parts/state.js";
import { enter } from "../session.js";

/** @type {import("../router.js").Open} */
export function open(url) {
  const next = url.searchParams.get("next");
  const life = new AbortController();
  const waiting = h("div");
  const said = h("p", { class: "form-error", role: "alert", id: "login-error" });
  const token = h("input", {
    type: "password", id: "token", autocomplete: "current-password", required: true, spellcheck: "false",
    autocapitalize: "off", "data-focus": true, "aria-describedby": "token-hint login-error",
    oninput: () => token.removeAttribute("aria-invalid"),
  });
  const submit = h("button", { type: "submit", class: "primary" }, "Sign in");
  const form = h(
    "form",
    { class: "login", onsubmit: (/** @type {Event} */ event) => void send(event) },
    h("h1", null, "Sign in"),
    h("label", { for: "token" }, "Admin token"),
    token,
    h("p", { class: "hint", id: "token-hint" }, "The value of ADMIN_TOKEN. Without one, on the embedded database, the service prints one when it starts."),
    said,
    submit,
    waiting,
  );

  /** @param {Event} event */
  async function send(event) {
    event.preventDefault();
    if (submit.disabled) return;
    fill(said);
    token.removeAttribute("aria-invalid");
    submit.disabled = true;
    const loading = loadingPanel("Signing in…");
    fill(waiting, loading.element);
    try {
      // A session more does no harm.
      await patiently(() => enter(token.value.trim(), next), life.signal, (panel) => fill(waiting, panel));
    } catch (error) {
      if (life.signal.aborted) return;
      // Here those that are wrong are counted.
      fill(said, isSignedOut(error) ? "This token is not accepted." : problemText(error, "wrong tokens"));
      if (isSignedOut(error)) token.setAttribute("aria-invalid", "true");
      token.focus();
      token.select();
    } finally {
      loading.stop();
      fill(waiting);
      submit.disabled = false;
    }
  }

  signedIn.set(false);
  return { element: h("div", { class: "login-page" }, form), title: "Sign in", close: () => life.abort() };
}
