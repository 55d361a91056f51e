// Addresses and pages. Every page lives under /ui; the History API moves between them, a real link is
// always a real link, and going back is the browser's own doing.

/**
 * @typedef {object} Page
 * @property {Node} element
 * @property {string} title
 * @property {(url: URL) => void} [update] the address changed but the page stays
 * @property {(key: KeyboardEvent) => boolean} [key] true when the key meant something here
 * @property {() => void} [close] the page is left
 */
/** @typedef {(url: URL, params: string[]) => Page} Open */
/** @typedef {{ pattern: RegExp, load: () => Promise<{ open: Open }> }} Route */

/**
 * @typedef {object} Router
 * @property {(address: string, options?: Travel) => void} go
 * @property {() => Page | null} page the page that is open
 */
/** @typedef {{ replace?: boolean, state?: unknown }} Travel */

/** @type {Router} */
let running = { go: () => {}, page: () => null };

/**
 * Goes to an address of the UI.
 * @param {string} address
 * @param {Travel} [options]
 */
export function go(address, options) {
  running.go(address, options);
}

/**
 * Starts routing.
 * @param {Route[]} routes the first that matches wins
 * @param {object} screen
 * @param {(page: Page, first: boolean) => void} screen.show
 * @param {() => void} screen.loading
 * @param {(error: unknown) => void} screen.failed a page's module could not be loaded
 * @param {() => Page} screen.missing no route matches
 * @returns {Router}
 */
export function startRouter(routes, screen) {
  /** @type {Page | null} */
  let page = null;
  let place = "";
  let turn = 0;

  const arrive = async () => {
    const url = new URL(location.href);
    const route = routes.find((candidate) => candidate.pattern.test(url.pathname));
    if (page?.update && place === url.pathname) return page.update(url);
    const mine = ++turn;
    const first = page === null;
    page?.close?.();
    page = null;
    place = url.pathname;
    screen.loading();
    try {
      const opened = route ? (await route.load()).open : screen.missing;
      // Someone may have gone elsewhere while the module was on its way.
      if (mine !== turn) return;
      const params = route?.pattern.exec(url.pathname)?.slice(1).map(decode) ?? [];
      // The query may have changed meanwhile; the path has not.
      page = opened(new URL(location.href), params);
      screen.show(page, first);
    } catch (error) {
      if (mine === turn) screen.failed(error);
    }
  };

  /** @type {Router["go"]} */
  const travel = (address, options = {}) => {
    const move = options.replace ? "replaceState" : "pushState";
    history[move](options.state ?? null, "", address);
    void arrive();
  };

  addEventListener("popstate", () => void arrive());
  document.addEventListener("click", (event) => {
    const address = linkOf(event);
    if (address === null) return;
    event.preventDefault();
    travel(address);
  });
  running = { go: travel, page: () => page };
  void arrive();
  return running;
}

/**
 * The address a plain click on a link of the UI leads to, or null when the browser should handle it.
 * @param {MouseEvent} event
 */
function linkOf(event) {
  if (event.defaultPrevented || event.button !== 0 || hasModifier(event)) return null;
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || link.target !== "" || link.hasAttribute("download")) return null;
  const url = new URL(link.href, location.href);
  const inside = url.origin === location.origin && /^\/ui(\/|$)/.test(url.pathname);
  return inside && url.hash === "" ? url.pathname + url.search : null;
}

/**
 * Whether a click or key asks the browser for something of its own, such as a new tab.
 * @param {MouseEvent | KeyboardEvent} event
 */
export function hasModifier(event) {
  return event.ctrlKey || event.metaKey || event.altKey || event.shiftKey;
}

/** @param {string} part */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
