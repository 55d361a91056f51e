// What came here, what became of it, and what waits: the ledger, the spool, the quarantine and the limits.

import { read, readState } from "../api.js";
import { bytes, count, counted, rate } from "../lib/amount.js";
import { addressWith } from "../lib/filters.js";
import { fill, h } from "../lib/h.js";
import { momentText } from "../lib/moment.js";
import { asOf, roughly } from "../lib/time.js";
import { choice, facts, projectChoice, section, tile, verdictLine } from "../parts/board.js";
import { readTyped, timeInput } from "../parts/filter.js";
import { ledgerView } from "../parts/ledger.js";
import { quarantinePart } from "../parts/quarantine.js";
import { button } from "../parts/state.js";
import { go } from "../router.js";
import { CAP, capText } from "./projects.js";

/**
 * @typedef {object} Spool
 * @property {string} state
 * @property {number} blocks
 * @property {number} events
 * @property {number} bytes
 * @property {number} max_bytes
 * @property {number} held_groups
 * @property {number} lost_groups
 * @property {number | null} oldest_age_seconds
 * @property {number} drained_events
 * @property {number} drained_per_second
 * @property {Record<string, number>} dropped_events
 */
/**
 * @typedef {object} Ready
 * @property {boolean} ready
 * @property {Record<string, { ok: boolean, detail: string | null }>} checks
 * @property {Spool} [spool]
 * @property {{ events: number, bytes: number, max_events: number, max_bytes: number }} [quarantine]
 */
/**
 * @typedef {object} Config
 * @property {number} max_payload_bytes
 * @property {number} max_inflated_bytes
 * @property {number} max_events_per_post
 * @property {number} rate_limit_per_minute
 * @property {number} rate_limit_per_ip
 * @property {string[]} content_encodings
 */

/** Whole hours: that of the beginning is one of them. */
const SPANS = /** @type {const} */ ([["-1h", "This hour and the last"], ["-23h", "Last 24 hours"], ["-167h", "Last 7 days"], ["-719h", "Last 30 days"], ["-2159h", "Last 90 days"], ["", "Custom"]]);

const USUAL = "-23h";

/** @type {import("../router.js").Open} */
export function open(url) {
  const life = new AbortController();
  let asked = readAsked(url);
  const travel = (/** @type {Partial<typeof asked>} */ next) => {
    const { from, to, project } = { ...asked, ...next };
    go(addressWith("/ui/overflow", { from: to || from !== USUAL ? from : "", to, project }));
  };
  const spans = choice("Time of the ledger", SPANS, "", (span) => {
    if (span) return travel({ from: span, to: "" });
    ends.hidden = false;
    from.input.select();
  });
  const from = timeInput("From", "a day before");
  const to = timeInput("To", "now");
  const ends = h("form", { class: "span", onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    const now = Date.now();
    const first = readTyped(from.input, asked.from, now, "");
    const last = first && readTyped(to.input, asked.to, now, "", first.at);
    if (last) travel({ from: first.text, to: last.text });
  } }, from.element, to.element, h("button", { type: "submit" }, "Show"));
  const showAsked = () => {
    spans.value = SPANS.find(([span]) => !asked.to && span === asked.from)?.[0] ?? "";
    ends.hidden = spans.value !== "";
    from.input.value = momentText(asked.from, "");
    to.input.value = momentText(asked.to, "");
  };
  showAsked();
  const told = h("span", { class: "muted" });
  const projects = projectChoice(life.signal, () => asked.project, (project) => travel({ project }));
  const ledger = section(life.signal, {
    id: "ledger", title: "Ledger", tools: h("div", { class: "actions" }, projects, spans, ends),
    load() {
      fill(told);
      const { from, to, project } = asked;
      return /** @type {Promise<import("../parts/ledger.js").Ledger>} */ (read(addressWith("/stats/ledger", { from, to, project_id: project }), life.signal));
    },
    view(shown) {
      fill(told, asOf(Date.now()));
      return ledgerView(shown);
    },
  });
  const spool = section(life.signal, {
    id: "spool", title: "Spool",
    load: () => /** @type {Promise<Ready>} */ (readState("/readyz", life.signal)),
    view: (ready) => spoolView(ready.spool),
  });
  const limits = section(life.signal, {
    id: "limits", title: "Limits in force",
    load: () => /** @type {Promise<Config>} */ (readState("/config", life.signal)),
    view: limitsView,
  });
  const quarantine = quarantinePart(life.signal, () => void ledger.refresh(), () => asked.project);
  const parts = [ledger, spool, quarantine, limits];
  const refresh = () => parts.forEach((part) => void part.refresh());
  refresh();
  return {
    element: h("div", { class: "page" },
      h("div", { class: "page-head" }, h("div", { class: "actions" }, h("h1", null, "Overflow"), told), button("Refresh", refresh)),
      parts.map((part) => part.element)),
    title: "Overflow",
    update(next) {
      const before = asked.project;
      asked = readAsked(next);
      if (asked.project !== before) void quarantine.first();
      showAsked();
      projects.value = asked.project;
      void ledger.refresh();
    },
    close: () => life.abort(),
  };
}

/** @param {URL} url */
function readAsked({ searchParams: params }) {
  const [from = "", to = "", project = ""] = ["from", "to", "project"].map((name) => params.get(name)?.trim());
  return { from: from || to ? from : USUAL, to, project };
}

/** @param {Spool | undefined} spool */
function spoolView(spool) {
  if (!spool) return h("p", { class: "muted" }, "This instance has no spool: while the database is away, what is sent is refused.");
  const dropped = Object.entries(spool.dropped_events).filter(([, events]) => events > 0);
  const empty = spool.blocks === 0;
  const whole = spool.lost_groups + dropped.length === 0;
  return [
    verdictLine(empty && whole && spool.state === "open", empty
      ? whole ? "Nothing waits: everything accepted is in the database." : "Nothing waits, but not all that was accepted came to the database."
      : `Waiting for the database: ${counted(spool.events, "event")}${spool.oldest_age_seconds === null ? "" : `, the oldest for ${roughly(spool.oldest_age_seconds * 1000)}`}.`,
    ` The spool is ${spool.state.replaceAll("_", " ")}.`),
    h("ul", { class: "tiles" },
      tile({ name: "Batches", value: count(spool.blocks), note: counted(spool.events, "event") }),
      tile({ name: "Size", value: bytes(spool.bytes), note: `of ${bytes(spool.max_bytes)}` }),
      tile({ name: "Oldest", value: spool.oldest_age_seconds === null ? "none" : roughly(spool.oldest_age_seconds * 1000) }),
      tile({ name: "Drained/s", value: rate(spool.drained_per_second), note: `${counted(spool.drained_events, "event")} since the start` })),
    spool.held_groups + spool.lost_groups + dropped.length === 0 ? null : facts([
      ["Groups held back", count(spool.held_groups)],
      ["Groups lost", count(spool.lost_groups)],
      ...dropped.map(([why, events]) => /** @type {[string, string]} */ ([`Dropped: ${why.replaceAll("_", " ")}`, counted(events, "event")])),
    ]),
  ];
}

/** @param {Config} config */
function limitsView(config) {
  return facts([
    [`${CAP}: default`, capText(config.rate_limit_per_minute)],
    ["Requests a minute per address", capText(config.rate_limit_per_ip)],
    ["Events of one request", count(config.max_events_per_post)],
    ["Body of one request", `${bytes(config.max_payload_bytes)} as sent, ${bytes(config.max_inflated_bytes)} inflated`],
    ["Encodings taken", config.content_encodings.join(", ")],
  ]);
}
