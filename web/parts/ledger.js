// The ledger: what was received and what became of it, both sums and whether they hold.

import { count, counted } from "../lib/amount.js";
import { h, shown } from "../lib/h.js";
import { fullTime, offsetsLabel, roughly } from "../lib/time.js";
import { facts, table, verdictLine } from "./board.js";

/**
 * @typedef {object} Account
 * @property {number} received
 * @property {number} accepted
 * @property {number} duplicate
 * @property {number} rejected
 * @property {number} limited
 * @property {number} refused
 * @property {number} stored
 * @property {number} purged
 * @property {number} deleted
 * @property {number} in_spool
 * @property {number} [in_other_spools]
 * @property {number} quarantined
 * @property {Record<string, Record<string, number>>} reasons
 * @property {Record<string, number>} refused_requests
 */
/** @typedef {{ counted: number, accounted: number, difference: number }} Sum */
/**
 * @typedef {object} Ledger
 * @property {string} from
 * @property {string} to
 * @property {Account} totals
 * @property {{ received: Sum, stored: Sum, missing: number, uncounted: number, balanced: boolean }} balance
 * @property {{ events: number, told_ms_ago: number, silent: boolean }[]} [other_spools]
 * @property {{ from: string, to: string }[]} [unseen] when no instance was awake with its database
 * @property {(Account & { project_id: number, project: string | null, balanced: boolean })[]} [projects]
 */

const UNSEEN_SHOWN = 5;

/** @param {Ledger} ledger */
export function ledgerView({ from, to, totals, balance, projects = [], other_spools: spools = [], unseen = [] }) {
  const hours = h("p", { class: "hint" }, "Whole hours from ", ...stretch({ from, to }), ` (${zones({ from, to })}).`);
  if (totals.received === 0 && Object.keys(totals.refused_requests).length === 0 && projects.length === 0) {
    return [hours, h("p", { class: "muted" }, "Nothing was received in this time.")];
  }
  const unsure = spools.filter(({ silent }) => silent).reduce((sum, { events }) => sum + events, 0);
  return [
    hours,
    verdictLine(balance.balanced && unsure === 0, balance.balanced ? balancedText(unsure) : unbalanced(balance)),
    h("div", { class: "sums" },
      sumLine("received", totals, ["accepted", "+ duplicate", "+ rejected", "+ limited", "+ refused"], balance.received),
      sumLine("stored", totals, ["accepted", "− purged", "− deleted", "− in spool", "− quarantined"], balance.stored)),
    spools.length === 0 ? null : spoolsView(totals.in_other_spools ?? 0, spools),
    reasonsView(totals),
    unseen.length === 0 ? null : unseenView(unseen),
    projects.length === 0 ? null : projectTable(projects),
    h("p", { class: "hint" }, "What was accepted is counted exactly. The rest is written once a second, and a killed process may lose the last. The spool is this instance's."),
  ];
}

/**
 * What it says when both sums hold. What a silent instance had waiting may be lost, so it is not accounted for.
 * @param {number} unsure events
 */
export function balancedText(unsure) {
  return unsure === 0 ? "Both sums hold: every event received is accounted for."
    : `Both sums hold, but for what is not confirmed: ${counted(unsure, "event")} in the spool of an instance that is silent since.`;
}

/**
 * @param {"received" | "stored"} name
 * @param {Account} totals
 * @param {string[]} terms each ends with its name in the account
 * @param {Sum} sum
 */
function sumLine(name, totals, terms, sum) {
  // A line ends between terms, not within one.
  const parts = terms.map((term) => `${term} ${amount(totals, term.replace(/^\W+/, ""))}`.replaceAll(" ", "\u00a0")).join(" ");
  const holds = sum.difference === 0 ? "holds" : `differs by ${count(sum.difference)}`;
  return h("p", null, h("b", null, `${name} ${amount(totals, name)}`), ` = ${parts} `, h("span", { class: "muted" }, `(${holds})`));
}

/** @param {Ledger["balance"]} balance */
function unbalanced({ received, stored, missing, uncounted }) {
  const parts = ["The sums do not hold."];
  if (received.difference !== 0) parts.push(`Received: ${count(received.counted)} counted, ${count(received.accounted)} accounted for.`);
  if (stored.difference !== 0) parts.push(`Stored: ${count(stored.counted)} in the blocks, ${count(stored.accounted)} accounted for.`);
  if (missing > 0) parts.push(`${count(missing)} events are missing: in another instance's spool, or lost with one.`);
  if (uncounted > 0) parts.push(`${count(uncounted)} events are stored that no writer confirmed: an answer was lost, or a process killed.`);
  return parts.join(" ");
}

/** @param {number} events @param {NonNullable<Ledger["other_spools"]>} spools */
function spoolsView(events, spools) {
  const lines = spools.map((spool) => /** @type {[string, string]} */ ([
    spool.silent ? "Silent, so not confirmed" : "In touch",
    `${counted(spool.events, "event")}, reported ${roughly(spool.told_ms_ago)} ago`,
  ]));
  return h("div", null, h("h3", null, "Spools of other instances"),
    h("p", null, `Waiting there by reports of the last 90 s: ${counted(events, "event")} of this time. They join the sums once they are in the database.`),
    facts(lines));
}

/** What an account has under a name as it is read. @param {Account} account @param {string} name */
const amount = (account, name) => count(/** @type {any} */ (account)[name.replace(" ", "_").toLowerCase()]);

/** @typedef {{ from: string, to: string }} Stretch */
/** @param {string} at */
const time = (at) => h("time", { datetime: at }, fullTime(Date.parse(at)).slice(0, 16));
/** @param {Stretch} of */
const stretch = ({ from, to }) => [time(from), " to ", time(to)];
/** @param {Stretch} of */
const zones = ({ from, to }) => offsetsLabel(Date.parse(to), Date.parse(from));

/** @param {Stretch[]} unseen at least one */
function unseenView(unseen) {
  const lines = unseen.slice(-UNSEEN_SHOWN).reverse().map((one) =>
    /** @type {[string, import("../lib/h.js").Children]} */ ([`For ${roughly(Date.parse(one.to) - Date.parse(one.from))}`, stretch(one)]));
  return h("div", null, h("h3", null, "Asleep, or without the database"),
    h("p", null, `${counted(unseen.length, "time")}${unseen.length > UNSEEN_SHOWN ? `, of which the last ${UNSEEN_SHOWN}` : ""} (${zones({ from: unseen[0]?.from ?? "", to: unseen.at(-1)?.from ?? "" })}):`),
    facts(lines));
}

/** @param {Account} totals */
function reasonsView(totals) {
  /** @type {[string, string][]} */
  const lines = Object.entries(totals.reasons).flatMap(([kind, reasons]) =>
    Object.entries(reasons).map(([reason, events]) => /** @type {[string, string]} */ ([`${kind}: ${reason.replaceAll("_", " ")}`, counted(events, "event")])));
  for (const [reason, requests] of Object.entries(totals.refused_requests)) {
    lines.push([`requests refused: ${reason.replaceAll("_", " ")}`, count(requests)]);
  }
  return lines.length === 0 ? null : h("div", null, h("h3", null, "Why"), facts(lines));
}

/** @param {NonNullable<Ledger["projects"]>} projects */
function projectTable(projects) {
  const columns = ["Received", "Accepted", "Duplicate", "Rejected", "Limited", "Refused", "Stored", "Purged", "Deleted", "In spool", "Quarantined"];
  return table("The ledger by project", [["Project", "name"], ...columns.map((head) => /** @type {[string, string]} */ ([head, "count"])), ["Sums"]], projects.map((one) => [
    one.project === null ? (one.project_id === 0 ? "no project" : `deleted project ${one.project_id}`)
      : h("a", { href: `/ui/logs?project=${encodeURIComponent(one.project)}` }, shown(one.project)),
    ...columns.map((head) => amount(one, head)),
    one.balanced ? "hold" : h("b", { class: "bad" }, "do not hold"),
  ]), true);
}
