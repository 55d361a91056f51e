// Who is signed in. The session is an HttpOnly cookie: this page knows only whether the service took it,
// and keeps nothing in storage.

import * as api from "./api.js";
import { safeNext } from "./lib/filters.js";
import { signal } from "./lib/h.js";
import { go } from "./router.js";

/** False while the sign-in page is what is needed; true is a belief the next answer may correct. */
export const signedIn = signal(true);

/** The address of the sign-in page that returns to where one is now. */
function signInAddress() {
  return `/ui/login?next=${encodeURIComponent(location.pathname + location.search)}`;
}

/** Sends everyone whose session has ended to the sign-in page, which leads back. */
export function watchSession() {
  api.onSession((holds) => {
    signedIn.set(holds);
    if (!holds && location.pathname !== "/ui/login") go(signInAddress(), { replace: true });
  });
}

/**
 * Signs in and goes where one wanted to be. Throws the problem when the token is not accepted.
 * @param {string} token
 * @param {string | null} next
 */
export async function enter(token, next) {
  await api.signIn(token);
  signedIn.set(true);
  go(safeNext(next), { replace: true });
}

/** Ends the session here and at the service. */
export async function leave() {
  await api.signOut();
  signedIn.set(false);
  go("/ui/login");
}
