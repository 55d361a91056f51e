// The first page: is anything wrong now, since when, and where. Every number leads to the logs behind it.

import { read, readState, searchLogs } from "../api.js";
import { bytes, count, counted, rate } from "../lib/amount.js";
import { eventAddress, fieldTerm, issueAddress, logsAddress } from "../lib/filters.js";
import { fill, h, shown } from "../lib/h.js";
import { clockTime, fullTime, offsetLabel, rangeMillis, RANGES } from "../lib/time.js";
import { errorsIn, verdict, verdictText } from "../lib/verdict.js";
import { choice, projectChoice, readyLine, section, table, tile, verdictLine, when } from "../parts/board.js";
import { ISSUE_OF } from "../parts/issue.js";
import { oneLine } from "../parts/row.js";
import { noticesOf } from "../parts/result.js";
import { isSignedOut, panel } from "../parts/state.js";
import { trend } from "../parts/trend.js";
import { go } from "../router.js";

/** @typedef {import("../lib/verdict.js").Stats} Stats */
/** @typedef {{ project: string, range: string }} Scope */
/**
 * @typedef {Stats & { oldest: string | null, began: number }} Counted `oldest` is the time of the oldest event that was received
 *   in this time and happened before it, empty where that is not known, `began` when the first of the latest run of errors happened, in ms; NaN without one
 */

const LEVELS = /** @type {const} */ (["fatal", "error", "warn", "info", "debug", "trace"]);
/** Older than the time that is shown by more than this is worth a word. */
const LATE_MS = 60_000;
const RECENT = 8;

/** @type {import("../router.js").Open} */
export function open(url) {
  const life = new AbortController();
  let scope = readScope(url);
  const query = () => new URLSearchParams({
    from: new Date(Date.now() - (rangeMillis(scope.range) ?? 0)).toISOString(),
    ...(scope.project === "" ? {} : { project_id: scope.project }),
  });
  const projects = projectChoice(life.signal, () => scope.project, (project) => travel({ ...scope, project }));
  const ranges = choice("Time range", RANGES.map(({ name, label }) => /** @type {const} */ ([name, label])), scope.range,
    (range) => travel({ ...scope, range }));
  /** What is wrong with the service comes first. */
  const alarm = h("div", { class: "alarm", role: "status" });
  /** Filled by what the counts say. */
  const stored = h("li", { hidden: true });
  const asOf = h("span", { class: "muted" });
  const parts = [
    section(life.signal, {
      id: "errors", title: "Errors",
      load: async () => {
        // Of what is not there any more, no time is told.
        fill(asOf);
        stored.hidden = true;
        return withBeginnings(/** @type {Stats} */ (await read(`/stats?${query()}`, life.signal)), scope, life.signal);
      },
      view(stats) {
        fill(asOf, `As of ${clockTime(Date.now(), Date.now()).slice(0, 8)} ${offsetLabel(Date.now())}`);
        stored.hidden = false;
        stored.replaceChildren(...tile({ name: scope.project === "" ? "Stored" : "Stored of the project", value: bytes(stats.storage.stored_bytes), note: counted(stats.storage.events, "event"), href: "/ui/system" }).childNodes);
        return statsView(stats, scope);
      },
    }),
    section(life.signal, {
      id: "recent", title: "Recent errors",
      load: () => searchLogs({ ...Object.fromEntries(query()), level: "error,fatal", limit: String(RECENT), order: "desc" }, life.signal),
      view: (page) => [...noticesOf({ ...page, next_cursor: null }, undefined), recentView(page.logs, scope)].flat(),
    }),
    section(life.signal, {
      id: "state", title: "This service",
      load: () => /** @type {Promise<import("./overflow.js").Ready>} */ (readState("/readyz", life.signal).catch((error) => {
        // What was said before may be true no more.
        fill(alarm);
        throw error;
      })),
      view(ready) {
        fill(alarm, ready.ready ? null : readyLine(ready, true));
        return serviceView(ready, stored);
      },
    }),
  ];
  const refresh = () => parts.forEach((part) => void part.refresh());
  const element = h("div", { class: "page" },
    h("div", { class: "page-head" }, h("div", { class: "actions" }, h("h1", null, "Now"), asOf),
      h("div", { class: "actions" }, projects, ranges, h("button", { type: "button", onclick: refresh }, "Refresh"))),
    alarm,
    parts.map((part) => part.element));

  function show() {
    projects.value = scope.project;
    ranges.value = scope.range;
    refresh();
  }
  show();
  return {
    element,
    title: "Now",
    update(next) {
      scope = readScope(next);
      show();
    },
    close: () => life.abort(),
  };
}

/** @param {URL} url @returns {Scope} */
function readScope(url) {
  const range = url.searchParams.get("range") ?? "";
  return { project: url.searchParams.get("project")?.trim() ?? "", range: RANGES.some(({ name }) => name === range) ? range : "1h" };
}

/** @param {Scope} scope */
function travel({ project, range }) {
  const params = new URLSearchParams({ ...(project === "" ? {} : { project }), ...(range === "1h" ? {} : { range }) });
  go(`/ui/${params.size === 0 ? "" : `?${params}`}`);
}

/**
 * Counts go by receipt, lists by when events happened, which is never later.
 * @param {Stats} stats
 * @param {Scope} scope
 * @param {AbortSignal} life
 * @returns {Promise<Counted>}
 */
async function withBeginnings(stats, { project }, life) {
  if (stats.total === 0) return { ...stats, oldest: null, began: NaN };
  const first = async (/** @type {Record<string, string>} */ query) => {
    // The counts are there: what can't be found out besides keeps nobody from them.
    const page = await searchLogs({ ...query, order: "asc", limit: "1", ...(project === "" ? {} : { project_id: project }) }, life).catch((error) => {
      if (life.aborted || isSignedOut(error)) throw error;
      return null;
    });
    return page?.logs[0]?.ts ?? (page?.scanned?.complete === true && !page.warnings?.length ? null : "");
  };
  const oldest = await first({ q: `received_at:>=${stats.from}`, to: stats.from });
  const { since } = verdict(stats, Date.now());
  if (Number.isNaN(since)) return { ...stats, oldest, began: NaN };
  const began = await first({ q: `received_at:>=${new Date(since).toISOString()}`, level: ISSUE_OF.join(), from: oldest ?? stats.from, to: stats.to });
  return { ...stats, oldest, began: Date.parse(began ?? "") };
}

/**
 * The logs of exactly what was counted, in all of the time or a part of it.
 * @param {Scope} scope
 * @param {Counted} stats
 * @param {string[]} levels
 * @param {string} [q]
 * @param {{ from: string, to: string }} [part]
 */
function behind({ project }, stats, levels, q = "", part = stats) {
  const { from, to } = part;
  // All that happened in all of the time, if nothing older was received in it, is what was received in it.
  const receipt = part === stats && stats.oldest === null ? "" : `received_at:>=${from} received_at:<${to}`;
  return logsAddress({ q: `${receipt} ${q}`.trim(), project, levels, range: "", from: stats.oldest ?? stats.from, to });
}

/** @param {Counted} stats @param {Scope} scope */
function statsView(stats, scope) {
  if (stats.total === 0 && stats.storage.events === 0) {
    const projects = h("a", { href: "/ui/projects", class: "button primary" }, "Go to the projects");
    return panel({ title: "No event has arrived yet", text: "A project's key and signing secret are what is needed to send one.", actions: [projects] });
  }
  const now = Date.now();
  const found = verdict(stats, now);
  const previous = stats.previous.complete ? stats.previous.events : null;
  /** @param {(day: import("../lib/verdict.js").Period) => number} of */
  const dayBefore = (of) => {
    const day = stats.day_before;
    if (!day) return "";
    return day.complete ? `${rate(of(day))} the day before` : day.total === 0 ? "no data the day before" : "the day before is not kept whole";
  };
  const timeBefore = RANGES.find(({ name }) => name === scope.range)?.label.replace("Last", "the") ?? "the time";
  return [
    verdictLine(found.errors === 0, verdictText(stats, found, stats.began, now)),
    trend(stats, (slot) => behind(scope, stats, ISSUE_OF, "", slot)),
    stats.oldest !== null && Date.parse(stats.from) - Date.parse(stats.oldest) > LATE_MS
      ? h("p", { class: "hint" }, `Counted by when it was received. Some of it had happened before this time, from ${fullTime(Date.parse(stats.oldest)).slice(0, 19)} on.`) : null,
    h("ul", { class: "tiles" },
      tile({
        name: "Errors/min", value: rate(found.perMinute), href: behind(scope, stats, ISSUE_OF),
        note: dayBefore((day) => errorsIn(day.events) * day.per_minute / (day.total || 1)), level: found.errors > 0 ? "error" : "",
      }),
      tile({
        name: "Events/min", value: rate(stats.per_minute), href: behind(scope, stats, []),
        note: dayBefore((day) => day.per_minute),
      }),
      LEVELS.map((level) => tile({
        name: level, value: count(stats.events[level] ?? 0), href: behind(scope, stats, [level]),
        note: previous === null ? "" : `${count(previous[level] ?? 0)} ${timeBefore} before`, level: stats.events[level] ? level : "",
      }))),
    h("div", { class: "section" }, h("h2", null, "Top issues"),
      stats.top_issues.length === 0 ? h("p", { class: "muted" }, "No issue in this time.") : issueTable(stats, scope, now),
      h("p", null, h("a", { href: `/ui/issues${scope.project === "" ? "" : `?project=${encodeURIComponent(scope.project)}`}` }, "All issues"))),
  ];
}

/** @param {Counted} stats @param {Scope} scope @param {number} now */
function issueTable(stats, scope, now) {
  return table("Top issues", [["Issue", "text"], ["Events", "count"], ["Level"], ["Where", "aside"], ["First seen", "aside"], ["Last seen", "aside"]],
    stats.top_issues.map((issue) => {
      const q = fieldTerm("fingerprint", issue.fingerprint) ?? "";
      const href = behind({ ...scope, project: issue.project }, stats, ISSUE_OF, q);
      return [
        [
          h("a", { href: issueAddress(issue) }, shown(issue.title) || "(no message)"),
          // Where the columns of these are left out.
          h("span", { class: "under muted" }, shown(`${issue.project} / ${issue.source}`), ", first seen ", when(issue.first_seen, now), ", last seen ", when(issue.last_seen, now)),
        ],
        h("a", { href, "aria-label": `${counted(issue.count, "event")} of this issue` }, count(issue.count)),
        h("span", { class: "level", "data-level": issue.level }, issue.level),
        shown(`${issue.project} / ${issue.source}`),
        when(issue.first_seen, now),
        when(issue.last_seen, now),
      ];
    }));
}

/** @param {import("../api.js").LogEvent[]} logs @param {Scope} scope */
function recentView(logs, scope) {
  if (logs.length === 0) return h("p", { class: "muted" }, "No error in this time.");
  const now = Date.now();
  const all = logsAddress({ q: "", project: scope.project, levels: ISSUE_OF, range: scope.range, from: "", to: "" });
  return [
    h("ul", { class: "lines" }, logs.map((event) => h("li", null,
      h("span", { class: "muted" }, when(event.ts, now)),
      h("span", null, h("span", { class: "level", "data-level": event.level }, event.level)),
      h("span", { class: "source" }, shown(`${scope.project === "" ? `${event.project} / ` : ""}${event.source.slice(0, 40)}`)),
      h("a", { href: eventAddress(event.id) }, oneLine(shown(event.message.slice(0, 300)) || "(no message)"))))),
    h("p", null, h("a", { href: all }, "All errors of this time")),
  ];
}

/** @param {import("./overflow.js").Ready} ready @param {HTMLElement} stored a tile */
function serviceView(ready, stored) {
  const { spool, quarantine } = ready;
  return [
    ready.ready ? readyLine(ready) : null,
    h("ul", { class: "tiles" },
      stored,
      spool ? tile({ name: "In the spool", value: count(spool.events), note: `${bytes(spool.bytes)} of ${bytes(spool.max_bytes)}`, href: "/ui/overflow" }) : null,
      quarantine ? tile({ name: "In quarantine", value: count(quarantine.events), note: quarantine.events === 0 ? "" : bytes(quarantine.bytes), href: "/ui/overflow", level: quarantine.events > 0 ? "warn" : "" }) : null),
    h("p", null, h("a", { href: "/ui/system" }, "System")),
  ];
}
