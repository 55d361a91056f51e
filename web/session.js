// Signing in and out. The session is an HttpOnly cookie: this page knows only whether the service took it, and keeps
// nothing in storage.

import { signedIn, signIn, signOut } from "./api.js";
import { safeNext } from "./lib/filters.js";
import { go } from "./router.js";

/**
 * Signs in and goes where one wanted to be. Throws the problem when the token is not accepted.
 * @param {string} token
 * @param {string | null} next
 */
export async function enter(token, next) {
  await signIn(token);
  signedIn.set(true);
  go(safeNext(next), { replace: true });
}

/** Ends the session here and at the service. */
export async function leave() {
  await signOut();
  signedIn.set(false);
  go("/ui/login");
}
