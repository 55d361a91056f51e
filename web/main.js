// Starts the page: the bar on top, the routes, the keys that work everywhere.

import { onSignedOut, readState, signedIn } from "./api.js";
import { fill, h } from "./lib/h.js";
import { go, startRouter } from "./router.js";
import { loadingPanel, panel, patiently, problemText } from "./parts/state.js";

/** @type {import("./router.js").Route[]} */
const ROUTES = [
  { pattern: /^\/ui\/?$/, load: () => import("./pages/dashboard.js") },
  { pattern: /^\/ui\/login$/, load: () => import("./pages/login.js") },
  { pattern: /^\/ui\/logs$/, load: () => import("./pages/logs.js") },
  { pattern: /^\/ui\/logs\/([^/]+)$/, load: () => import("./pages/log.js") },
  { pattern: /^\/ui\/issues$/, load: () => import("./pages/issues.js") },
  { pattern: /^\/ui\/issues\/([^/]+)$/, load: () => import("./pages/issue.js") },
  { pattern: /^\/ui\/projects\/([^/]+)\/setup$/, load: () => import("./pages/setup.js") },
  { pattern: /^\/ui\/projects\/([^/]+)$/, load: () => import("./pages/project.js") },
  { pattern: /^\/ui\/projects$/, load: () => import("./pages/projects.js") },
  { pattern: /^\/ui\/overflow$/, load: () => import("./pages/overflow.js") },
  { pattern: /^\/ui\/alerts$/, load: () => import("./pages/alerts.js") },
  { pattern: /^\/ui\/system$/, load: () => import("./pages/system.js") },
];

const LINKS = [
  { address: "/ui/", label: "Now" },
  { address: "/ui/logs", label: "Logs" },
  { address: "/ui/issues", label: "Issues" },
  { address: "/ui/projects", label: "Projects" },
  { address: "/ui/overflow", label: "Overflow" },
  { address: "/ui/alerts", label: "Alerts" },
  { address: "/ui/system", label: "System" },
];

const main = h("main", { id: "main", tabindex: "-1" });
const notice = h("p", { class: "bar-notice", role: "status" });
const links = LINKS.map(({ address, label }) => h("a", { href: address, class: "bar-link" }, label));

function bar() {
  const inside = [
    h("nav", { "aria-label": "Pages", class: "bar-links" }, links),
    h("button", { type: "button", class: "quiet keys-button", onclick: showHelp, "aria-label": "Keyboard help" }, "?"),
    h("button", { type: "button", class: "quiet", onclick: endSession }, "Sign out"),
  ];
  signedIn.watch((yes) => {
    for (const part of inside) part.hidden = !yes;
  });
  return h(
    "header",
    { class: "bar" },
    h("a", { class: "skip", href: "#main" }, "Skip to the content"),
    h("a", { class: "bar-name", href: "/ui/" }, "Tekno Logger"),
    inside,
  );
}

async function endSession() {
  fill(notice);
  try {
    const { leave } = await import("./session.js");
    await leave();
  } catch (error) {
    fill(notice, `Signing out failed. ${problemText(error)}`);
  }
}

async function showHelp() {
  const { openHelp } = await import("./parts/help.js");
  openHelp();
}

/**
 * @param {import("./router.js").Page} page
 * @param {boolean} first whether the focus is the browser's: the page one arrived at, or none
 */
function show(page, first) {
  fill(main, page.element);
  fill(notice);
  document.title = `${page.title} · Tekno Logger`;
  // It gets the focus, so this is what a screen reader says of the page one came to.
  main.ariaLabel = page.title;
  for (const link of links) {
    const here = isUnder(link.pathname);
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    // On a phone the links scroll.
    if (here) link.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  const wanted = main.querySelector("[data-focus]");
  if (wanted instanceof HTMLElement) wanted.focus();
  else if (!first) main.focus();
}

/** Whether a link leads to the page that is open, or to the page above it. @param {string} path */
function isUnder(path) {
  const here = location.pathname.replace(/\/$/, "");
  const there = path.replace(/\/$/, "");
  return here === there || (there !== "/ui" && here.startsWith(`${there}/`));
}

/** @type {() => import("./router.js").Page} */
function missing() {
  const home = h("a", { href: "/ui/logs", class: "button" }, "Go to the logs");
  return {
    element: panel({ title: "No such page", text: "Nothing lives at this address.", actions: [home], heading: 1 }),
    title: "No such page",
  };
}

/** Ends with the waiting for a page. */
let arriving = new AbortController();

function loading() {
  arriving.abort();
  arriving = new AbortController();
  fill(main, loadingPanel("").element);
}

/** A module that can't be loaded: the service sleeps, or a newer build has taken the old one's place. */
async function failed(/** @type {unknown} */ error) {
  console.warn("a page could not be opened", error);
  const { signal } = arriving;
  let slept = false;
  try {
    await patiently(() => readState("/healthz", signal), signal, (element) => {
      slept = true;
      show({ element, title: "Waiting" }, true);
    });
    // Not the module alone: it may be of a newer build now.
    if (slept) return location.reload();
  } catch {
    if (signal.aborted) return;
  }
  const again = h("button", { type: "button", class: "primary", onclick: () => location.reload() }, "Load again");
  const title = "This page could not be opened";
  const text = "The service does not answer, or a newer one is running.";
  // It is an alert, so the focus stays where it is.
  show({ element: panel({ title, text, actions: [again], heading: 1, alert: true }), title }, true);
}

/** From a search to what it finds, where keys are no text. */
function toResult() {
  /** @type {HTMLElement | null} */ (main.querySelector("[aria-label=Result]"))?.focus({ preventScroll: true });
}

// Everyone whose session has ended is sent to the sign-in page, which leads back.
onSignedOut(() => {
  if (location.pathname !== "/ui/login") go(`/ui/login?next=${encodeURIComponent(location.pathname + location.search)}`, { replace: true });
});
document.body.append(bar(), notice, main);
const router = startRouter(ROUTES, {
  show,
  missing,
  failed,
  loading,
});

// Menus close by pointing elsewhere, and by Escape.
const openMenu = () => /** @type {HTMLDetailsElement | null} */ (document.querySelector(".menu[open]"));
document.addEventListener("pointerdown", ({ target }) => {
  const menu = openMenu();
  if (target instanceof Node && menu?.contains(target) === false) menu.open = false;
});

document.addEventListener("submit", ({ target }) => {
  if (target instanceof Element && target.matches("[role=search]:valid")) toResult();
});

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
  const menu = openMenu();
  if (event.key === "Escape" && menu) {
    menu.open = false;
    menu.querySelector("summary")?.focus();
    return;
  }
  if (event.target instanceof Element && event.target.matches("input:not([type=checkbox]), textarea, select")) {
    if (event.key !== "Escape") return;
    if (event.target.closest("[role=search]")) {
      // The browser would clear the search.
      event.preventDefault();
      return toResult();
    }
  }
  if (event.key === "?" && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    if (signedIn.get()) void showHelp();
    return;
  }
  // Shift makes another letter and is no modifier here.
  if (!event.ctrlKey && !event.metaKey && !event.altKey && router.page()?.key?.(event)) event.preventDefault();
});
