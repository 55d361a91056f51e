// The service itself: is it well, what it stores, maintenance, purging, and who changed what.

import { change, listProjects, Problem, read, readState } from "../api.js";
import { bytes, count, counted } from "../lib/amount.js";
import { onWhatText, resultText, whatText, whoText } from "../lib/audit.js";
import { fill, h, shown } from "../lib/h.js";
import { capital } from "../lib/rules.js";
import { ago, asOf, fullTime, offsetsLabel, roughly, SECOND } from "../lib/time.js";
import { checkName, facts, pager, readyLine, section, table, tile } from "../parts/board.js";
import { purgeForm } from "../parts/purge.js";
import { button, problemText } from "../parts/state.js";

/** @typedef {{ database: string, uptime: number, version: string }} Health */
/** @typedef {{ complete: boolean, took_ms: number, deleted_events: number, deleted_blocks: number, ran?: boolean, finished_at?: string, lease?: { owner: string } }} Run */
/**
 * @typedef {object} Maintenance
 * @property {string} instance
 * @property {{ owner: string, expires_in_ms: number, mine: boolean } | null} lease
 * @property {number | null} finished_ms_ago
 * @property {Run | null} running
 * @property {Run | null} last_run
 * @property {{ deleted_events: number, deleted_blocks: number, dry_run: boolean, complete: boolean, finished_at: string } | null} last_purge
 */
/** @typedef {import("../lib/audit.js").AuditEntry} AuditEntry */

const AUDIT_ROWS = 50;
/** What is said of a check that is well, where it is no matter of health. @type {Record<string, string>} */
const CHECK_WELL = { hmac_secret: "set" };

/** @type {import("../router.js").Open} */
export function open() {
  const life = new AbortController();
  const told = tellsHealth(() => void health.refresh());
  const audit = auditPart(life.signal, told);
  const storage = section(life.signal, {
    id: "storage", title: "Storage",
    load: told(() => /** @type {Promise<import("../lib/verdict.js").Stats>} */ (read("/stats?from=-1h", life.signal))),
    view: ({ storage: used }) => [h("ul", { class: "tiles" },
      tile({ name: "Events", value: count(used.events), href: "/ui/logs?range=90d" }),
      tile({ name: "Blocks", value: count(used.blocks) }),
      tile({ name: "Stored", value: bytes(used.stored_bytes), note: `${bytes(used.raw_bytes)} as written` }),
      tile({ name: "Compression", value: used.stored_bytes === 0 ? "none yet" : `${(used.raw_bytes / used.stored_bytes).toFixed(1)} to 1` })),
    h("p", { class: "hint" }, `Summed ${(used.age_ms ?? 0) < SECOND ? "just now" : `${roughly(used.age_ms ?? 0)} ago`}, with what has expired and is not yet deleted.`,
      used.complete === false && " There is more: a project has too many blocks to sum.")],
  });
  const changed = () => [storage, maintenance, audit].forEach((part) => void part.refresh());
  const maintenance = maintenancePart(life.signal, told, changed);
  const health = section(life.signal, {
    id: "health", title: "Health",
    load: () => Promise.all([
      /** @type {Promise<Health>} */ (readState("/healthz", life.signal)),
      /** @type {Promise<import("./overflow.js").Ready>} */ (readState("/readyz", life.signal)),
    ]),
    view: ([alive, ready]) => [...healthView(alive, ready), h("p", { class: "hint" }, `${asOf(Date.now())}.`)],
  });
  const purge = section(life.signal, {
    id: "purge", title: "Purge",
    load: told(() => listProjects(life.signal)),
    view: (projects) => purgeForm(projects, changed),
  });
  const parts = [health, storage, maintenance, purge, audit];
  parts.forEach((part) => void part.refresh());
  const refresh = () => parts.filter((part) => part !== purge).forEach((part) => void part.refresh());
  return {
    element: h("div", { class: "page" },
      h("div", { class: "page-head" }, h("h1", null, "System"), button("Refresh", refresh)),
      parts.map((part) => part.element)),
    title: "System",
    close: () => life.abort(),
  };
}

/**
 * Asks for the health anew when a section finds the service or its database away, and when it has them again: what is said
 * above must not be of a time before.
 * @param {() => void} ask
 */
function tellsHealth(ask) {
  return (/** @type {() => Promise<any>} */ load) => {
    let away = false;
    return async () => {
      const before = away;
      try {
        const loaded = await load();
        away = false;
        return loaded;
      } catch (error) {
        away = error instanceof Problem && (error.kind === "away" || error.kind === "waking");
        throw error;
      } finally {
        if (away !== before) ask();
      }
    };
  };
}
/** @typedef {ReturnType<typeof tellsHealth>} Told */

/** @param {AbortSignal} life @param {Told} told */
function auditPart(life, told) {
  let cursor = "";
  const audit = section(life, {
    id: "audit", title: "Audit log",
    load: told(() => Promise.all([
      /** @type {Promise<{ entries: AuditEntry[], next_cursor: string | null }>} */ (read(`/admin/audit?limit=${AUDIT_ROWS}&cursor=${cursor}`, life)),
      // Where they can't be had, numbers stand in for names.
      listProjects(life).catch(() => /** @type {import("../api.js").Project[]} */ ([])),
    ])),
    view: ([{ entries, next_cursor: next }, projects]) => [auditView(entries, projects), pager(cursor, next, (/** @type {string} */ to) => {
      cursor = to;
      void audit.refresh();
    })],
  });
  return audit;
}

/** @param {Health} alive @param {import("./overflow.js").Ready} ready */
function healthView(alive, ready) {
  // What is wrong comes first.
  const checks = Object.entries(ready.checks).sort(([, a], [, b]) => Number(a.ok) - Number(b.ok));
  const lines = checks.map(([name, check]) => /** @type {[string, string]} */ ([capital(checkName(name)),
    check.ok ? (name === "database" ? alive.database : (CHECK_WELL[name] ?? "well")) : (check.detail ?? "not well")]));
  const failing = checks.filter(([, { ok }]) => !ok).length;
  return [
    readyLine(ready),
    facts([
      ...lines.slice(0, failing),
      ["Version", shown(alive.version)],
      ["Running for", roughly(alive.uptime * 1000)],
      ["For programs", h("span", { class: "links" }, h("a", { href: "/openapi.json" }, "openapi.json"), h("a", { href: "/metrics" }, "metrics"))],
      ...lines.slice(failing),
    ]),
  ];
}

/** @param {AbortSignal} life @param {Told} told @param {() => void} onRan */
function maintenancePart(life, told, onRan) {
  const said = h("p", { role: "status", class: "muted" });
  const run = button("Run maintenance now", async () => {
    run.disabled = true;
    fill(said, "Running…");
    try {
      const done = /** @type {Run} */ (await change("POST", "/admin/maintain", {}));
      fill(said, done.ran === false
        ? "Another instance is at it."
        : `Done in ${count(done.took_ms)} ms: ${counted(done.deleted_events, "event")} deleted.${done.complete ? "" : " There is more to do; it goes on by itself."}`);
      onRan();
    } catch (error) {
      fill(said, problemText(error));
    } finally {
      run.disabled = false;
    }
  });
  return section(life, {
    id: "maintenance", title: "Maintenance",
    load: told(() => /** @type {Promise<Maintenance>} */ (read("/admin/maintenance", life))),
    view: (/** @type {Maintenance} */ state) => [maintenanceFacts(state), h("div", { class: "actions" }, run), said],
  });
}

/** @param {Maintenance} state */
function maintenanceFacts({ instance, lease, finished_ms_ago: finished, running, last_run: last, last_purge: purged }) {
  const amount = (/** @type {{ deleted_events: number, complete: boolean }} */ one) => `${counted(one.deleted_events, "event")} deleted${one.complete ? "" : ", not complete"}`;
  /** @type {[string, import("../lib/h.js").Children][]} */
  const lines = [
    ["Last finished", finished === null ? "never" : `${roughly(finished)} ago`],
    ["Lease", lease === null ? "free" : `${lease.mine ? "this instance" : shown(lease.owner)}, for ${roughly(lease.expires_in_ms)} at most`],
    ["This instance", shown(instance)],
  ];
  if (running) lines.push(["Running", amount(running)]);
  if (last) lines.push(["Last run here", `${amount(last)}, took ${count(last.took_ms)} ms`]);
  if (purged) lines.push([purged.dry_run ? "Last preview here" : "Last purge here", `${purged.dry_run ? counted(purged.deleted_events, "event") : amount(purged)}, ${ago(Date.parse(purged.finished_at), Date.now())}`]);
  return facts(lines);
}

/** Text whose ids stay on one line where they fit on one. @param {string} text */
const withIds = (text) => shown(text).split(/(\b[0-9a-f][0-9a-f-]{11,}\b)/).map((part, index) => (index % 2 === 1 ? h("span", { class: "id" }, part) : part));

/** @param {AuditEntry[]} entries @param {import("../api.js").Project[]} projects */
function auditView(entries, projects) {
  if (entries.length === 0) return h("p", { class: "muted" }, "Nobody has changed anything yet.");
  const [newest, oldest] = [entries[0], entries.at(-1)].map((entry) => Date.parse(entry?.at ?? ""));
  const heads = /** @type {[string, string?][]} */ ([[`Time, ${offsetsLabel(newest ?? NaN, oldest ?? NaN)}`, "stamp"], ["Who", "brief"], ["What"], ["On what", "text"], ["Result", "text"], ["Details"]]);
  return table("Changes, newest first", heads, entries.map((entry) => [
    h("time", { datetime: entry.at }, fullTime(Date.parse(entry.at)).slice(0, 19)),
    shown(whoText(entry)),
    shown(whatText(entry)),
    withIds(onWhatText(entry, projects)),
    withIds(resultText(entry.result)),
    rawButton(entry, heads.length),
  ]), true);
}

/** Shows a row as the API has it, below it. @param {AuditEntry} entry @param {number} columns */
function rawButton(entry, columns) {
  /** @type {HTMLElement | null} */
  let raw = null;
  const show = button("Raw", () => {
    if (raw) raw.remove();
    raw = raw ? null : h("tr", { role: "row" }, h("td", { role: "cell", colspan: String(columns) }, h("pre", null, shown(JSON.stringify(entry, null, 2)))));
    if (raw) show.closest("tr")?.after(raw);
    show.ariaExpanded = String(raw !== null);
  });
  show.className = "quiet raw";
  show.ariaExpanded = "false";
  return show;
}
