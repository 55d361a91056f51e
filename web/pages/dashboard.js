// The first page: is anything wrong now, since when, and where. Every number leads to the logs behind it.

import { read, readState, searchLogs } from "../api.js";
import { bytes, count, counted, rate } from "../lib/amount.js";
import { addressWith, eventAddress, fieldTerm, issueAddress, LEVELS, logsAddress } from "../lib/filters.js";
import { fill, h, shown } from "../lib/h.js";
import { asOf, fullTime, LONGEST, offsetLabel, RANGES } from "../lib/time.js";
import { errorRate, verdict, verdictText } from "../lib/verdict.js";
import { choice, projectChoice, readyLine, section, table, tile, verdictLine, when } from "../parts/board.js";
import { ISSUE_OF } from "../parts/issue.js";
import { levelMark, oneLine } from "../parts/row.js";
import { noticesOf } from "../parts/result.js";
import { button, errorPanel, panel } from "../parts/state.js";
import { trend } from "../parts/trend.js";
import { go } from "../router.js";

/** @typedef {import("../lib/verdict.js").Stats} Stats */
/** @typedef {{ project: string, range: string }} Scope */
/**
 * @typedef {{ from: string, to: string, oldest: string | null }} Received `oldest` is the time of the oldest event that was received
 *   in this time and happened before it, empty where that is not known
 */
/** @typedef {Stats & Received & { began: number }} Counted `began` is when the first of the latest run of errors happened, in ms; NaN without one */

/** Older than the time that is shown by more than this is worth a word. */
const LATE_MS = 60_000;
const RECENT = "8";

/** @type {import("../router.js").Open} */
export function open(url) {
  const life = new AbortController();
  let scope = readScope(url);
  const projects = projectChoice(life.signal, () => scope.project, (project) => travel({ ...scope, project }));
  const ranges = choice("Time range", RANGES.map(({ name, label }) => /** @type {const} */ ([name, label])), scope.range,
    (range) => travel({ ...scope, range }));
  /** What is wrong with the service comes first. */
  const unwell = h("div", { class: "alarm", role: "status" });
  const lost = h("div", { class: "alarm", role: "status" });
  /** Filled by what the counts say. */
  const stored = h("li", { class: "tile", hidden: true });
  const told = h("span", { class: "muted" });
  /** What the list of errors goes by, too. @type {Promise<Counted>} */
  let counting;
  const refresh = () => parts.forEach((part) => void part.refresh());
  /** What is shown together is of one time. */
  const fail = (/** @type {unknown} */ error) => errorPanel(error, refresh);
  const parts = [
    section(life.signal, {
      id: "errors", title: "Errors",
      load() {
        // Of what is not there any more, no time is told.
        fill(told);
        stored.hidden = true;
        return counting = readCounts(scope, life.signal);
      },
      fail: (error) => errorPanel(error, refresh, "Counts and top issues could not be read"),
      view(stats) {
        fill(told, asOf(Date.now()));
        stored.hidden = false;
        stored.replaceChildren(...tile({ name: scope.project === "" ? "Stored" : "Stored of the project", value: bytes(stats.storage.stored_bytes), note: counted(stats.storage.events, "event"), href: addressWith("/ui/logs", { project: scope.project, range: "90d" }) }).childNodes);
        return statsView(stats, scope);
      },
    }),
    section(life.signal, {
      id: "recent", title: "Recent errors",
      async load() {
        // Without the counts it is by receipt all the same.
        const time = await counting.catch(() => ({ from: `-${scope.range}`, to: "now", oldest: "" }));
        return { time, page: await searchLogs({ project_id: scope.project, ...received(time), level: ISSUE_OF.join(), limit: RECENT, order: "desc" }, life.signal) };
      },
      fail,
      view: ({ page, time }) => [...noticesOf({ ...page, next_cursor: null }, undefined), recentView(page.logs, scope, time)].flat(),
    }),
    section(life.signal, {
      id: "state", title: "This service",
      load() {
        const asked = scope;
        // Where the sums can't be had, the service's health says why.
        /** @type {Promise<import("../parts/ledger.js").Ledger>} */ (read(addressWith("/stats/ledger", { from: `-${asked.range}`, project_id: asked.project }), life.signal))
          .then((sums) => notTaken(sums, asked), () => h("p", { class: "hint" }, "Whether all was taken can't be read.")).then((line) => asked === scope && fill(lost, line));
        return /** @type {Promise<import("./overflow.js").Ready>} */ (readState("/readyz", life.signal).catch((error) => {
          // What was said before may be true no more.
          fill(unwell);
          throw error;
        }));
      },
      fail,
      view(ready) {
        fill(unwell, ready.ready ? null : readyLine(ready, true));
        return serviceView(ready, stored);
      },
    }),
  ];
  const element = h("div", { class: "page" },
    h("div", { class: "page-head" }, h("div", { class: "actions" }, h("h1", null, "Now"), told),
      h("div", { class: "actions" }, projects, ranges, button("Refresh", refresh))),
    unwell, lost,
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
  go(addressWith("/ui/", { project, range: range === "1h" ? "" : range }));
}

/**
 * Counts go by receipt, lists by when events happened, which is never later.
 * @param {Scope} scope
 * @param {AbortSignal} life
 * @returns {Promise<Counted>}
 */
async function readCounts({ project, range }, life) {
  const stats = /** @type {Stats} */ (await read(addressWith("/stats", { from: `-${range}`, project_id: project }), life));
  if (stats.total === 0) return { ...stats, oldest: null, began: NaN };
  const first = async (/** @type {Record<string, string>} */ query) => {
    // The counts are there: what can't be found out besides keeps nobody from them.
    const page = await searchLogs({ ...query, order: "asc", limit: "1", project_id: project }, life).catch(() => null);
    return page?.logs[0]?.ts ?? (page?.scanned?.complete === true && !page.warnings?.length ? null : "");
  };
  const oldest = await first({ q: `received_at:>=${stats.from}`, to: stats.from });
  const { since } = verdict(stats);
  if (!since) return { ...stats, oldest, began: NaN };
  const began = await first({ q: `received_at:>=${new Date(since).toISOString()}`, level: ISSUE_OF.join(), from: oldest ?? stats.from, to: stats.to });
  return { ...stats, oldest, began: Date.parse(began ?? "") };
}

/**
 * What the logs are asked for that were received in all of the time or a part of it.
 * @param {Received} time
 * @param {string} [q]
 * @param {{ from: string, to: string }} [part]
 */
function received(time, q = "", part = time) {
  const { from, to } = part;
  // All that happened in all of the time, if nothing older was received in it, is what was received in it.
  const receipt = part === time && time.oldest === null ? "" : `received_at:>=${from} received_at:<${to}`;
  // Of a time before it is not known how old that was.
  return { q: `${receipt} ${q}`.trim(), from: from < time.from ? new Date(Date.parse(from) - LONGEST).toISOString() : time.oldest ?? time.from, to };
}

/**
 * The logs of exactly what was counted.
 * @param {Scope} scope
 * @param {string[]} levels
 * @param {Parameters<typeof received>} of
 */
function behind({ project }, levels, ...of) {
  return logsAddress({ project, levels, range: "", ...received(...of) });
}

/** @param {Counted} stats @param {Scope} scope */
function statsView(stats, scope) {
  if (stats.total === 0 && stats.storage.events === 0) {
    const projects = h("a", { href: "/ui/projects", class: "button primary" }, "Go to the projects");
    return panel({ title: "No event has arrived yet", text: "A project has the key that it takes to send one.", actions: [projects] });
  }
  const now = Date.now();
  const found = verdict(stats);
  const previous = stats.previous.complete ? stats.previous.events : null;
  /** @param {(day: import("../lib/verdict.js").Period) => number} of */
  const dayBefore = (of) => {
    const day = stats.day_before;
    if (!day) return "";
    return day.complete ? `${rate(of(day))} a day earlier` : day.total === 0 ? "no data a day earlier" : "a day earlier is not kept whole";
  };
  /** @param {string[]} levels @param {import("../lib/verdict.js").Period & { complete: boolean } | undefined} part @param {number} [number] */
  const before = (levels, part, number) => part?.complete && number ? behind(scope, levels, stats, "", part) : "";
  const timeBefore = RANGES.find(({ name }) => name === scope.range)?.label.replace("Last", "the");
  return [
    verdictLine(found.errors === 0, verdictText(stats, found, stats.began, now)),
    trend(stats, (slot) => behind(scope, ISSUE_OF, stats, "", slot)),
    stats.oldest !== null && Date.parse(stats.from) - Date.parse(stats.oldest) > LATE_MS
      ? h("p", { class: "hint" }, `Counted by receipt. Some of it had happened before this time, from ${fullTime(Date.parse(stats.oldest)).slice(0, 19)} on.`) : null,
    h("ul", { class: "tiles" },
      tile({
        name: "Errors/min", value: rate(errorRate(stats)), href: behind(scope, ISSUE_OF, stats),
        note: dayBefore(errorRate), before: before(ISSUE_OF, stats.day_before, stats.day_before?.error_rate), level: found.errors > 0 ? "error" : "",
      }),
      tile({
        name: "Events/min", value: rate(stats.per_minute), href: behind(scope, [], stats),
        note: dayBefore((day) => day.per_minute), before: before([], stats.day_before, stats.day_before?.total),
      }),
      LEVELS.toReversed().map((level) => tile({
        name: level, value: count(stats.events[level] ?? 0), href: behind(scope, [level], stats),
        note: previous === null ? "" : `${count(previous[level] ?? 0)} ${timeBefore} before`, before: before([level], stats.previous, previous?.[level]), level: stats.events[level] ? level : "",
      }))),
    h("div", { class: "section" }, h("h2", null, "Top issues"),
      stats.top_issues.length === 0 ? h("p", { class: "muted" }, "No issue in this time.") : issueTable(stats, scope, now),
      h("p", null, h("a", { href: addressWith("/ui/issues", { project: scope.project }) }, "All issues"))),
  ];
}

/** @param {Counted} stats @param {Scope} scope @param {number} now */
function issueTable(stats, scope, now) {
  return table("Top issues", [["Issue", "text"], ["Events", "count"], ["Level"], ["Where", "aside"], ["First seen", "aside"], ["Last seen", "aside"]],
    stats.top_issues.map((issue) => {
      const q = fieldTerm("fingerprint", issue.fingerprint) ?? "";
      const href = behind({ ...scope, project: issue.project }, ISSUE_OF, stats, q);
      return [
        [
          h("a", { href: issueAddress(issue) }, shown(issue.title) || "(no message)"),
          // Where the columns of these are left out.
          h("span", { class: "under muted" }, shown(`${issue.project} / ${issue.source}`), ", first seen ", when(issue.first_seen, now), ", last seen ", when(issue.last_seen, now)),
        ],
        h("a", { href, "aria-label": `${counted(issue.count, "event")} of this issue` }, count(issue.count)),
        levelMark(issue.level),
        shown(`${issue.project} / ${issue.source}`),
        when(issue.first_seen, now),
        when(issue.last_seen, now),
      ];
    }));
}

/** @param {import("../api.js").LogEvent[]} logs @param {Scope} scope @param {Received} time */
function recentView(logs, scope, time) {
  if (logs.length === 0) return h("p", { class: "muted" }, "No error in this time.");
  const now = Date.now();
  return [
    h("ul", { class: "lines" }, logs.map((event) => h("li", null,
      h("span", { class: "muted" }, when(event.ts, now)),
      h("span", null, levelMark(event.level)),
      h("span", { class: "source" }, shown(`${scope.project === "" ? `${event.project} / ` : ""}${event.source.slice(0, 40)}`)),
      h("a", { href: eventAddress(event.id) }, oneLine(shown(event.message.slice(0, 300)) || "(no message)"))))),
    h("p", null, h("a", { href: behind(scope, ISSUE_OF, time) }, "All errors received in this time"),
      logs.some(({ ts }) => ts < time.from) ? h("span", { class: "muted" }, ". Some happened before it.") : null),
  ];
}

/** What was sent and not stored. @param {import("../parts/ledger.js").Ledger} ledger @param {Scope} scope */
function notTaken({ totals, from }, { project, range }) {
  const kinds = /** @type {const} */ (["rejected", "limited", "refused"]).filter((kind) => totals[kind] > 0);
  if (kinds.length === 0) return null;
  const events = kinds.reduce((sum, kind) => sum + totals[kind], 0);
  return verdictLine(false, h("b", null, `${counted(events, "event")} not taken`), ` since ${fullTime(Date.parse(from)).slice(0, 16)} ${offsetLabel(Date.parse(from))}: ${kinds.map((kind) => `${count(totals[kind])} ${kind}`).join(", ")}. `,
    h("a", { href: addressWith("/ui/overflow", { from: `-${range}`, project }) }, "Why"));
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
