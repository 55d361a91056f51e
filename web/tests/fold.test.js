import assert from "node:assert/strict";
import { test } from "node:test";
import { endOfRun, foldedRows } from "../lib/fold.js";

/** Events of which each letter is a kind. @param {string} kinds @param {object} [more] */
const events = (kinds, more = {}) => [...kinds].map((kind, at) => /** @type {import("../api.js").LogEvent} */ (/** @type {unknown} */ ({
  id: `id-${at}`, project_id: 1, source: "web", level: "info", fingerprint: kind, message: `${kind} ${at}`, ...more,
})));
/** @param {import("../lib/fold.js").FoldedRow[]} rows */
const text = (rows) => rows.map(({ at, times }) => `${at}x${times}`).join(" ");

test("only neighbours that say the same become one row, and every event is counted once", () => {
  assert.equal(text(foldedRows(events("aaabbac"), new Set())), "0x3 3x2 5x1 6x1");
  assert.equal(text(foldedRows([], new Set())), "");
  const rows = foldedRows(events("abbbbcaaacc"), new Set());
  assert.equal(rows.reduce((sum, { times }) => sum + times, 0), 11);
});

test("another source, level, project or fingerprint is another kind", () => {
  const [one] = events("a");
  for (const other of [{ source: "worker" }, { level: "error" }, { project_id: 2 }, { fingerprint: "b" }, { fingerprint: null }]) {
    const [two] = events("a", other);
    assert.equal(foldedRows([one, two].flatMap((event) => event ?? []), new Set()).length, 2, JSON.stringify(other));
  }
});

test("without fingerprints the messages must be the same", () => {
  const bare = events("ab", { fingerprint: null });
  assert.equal(foldedRows(bare, new Set()).length, 2);
  assert.equal(foldedRows(bare.map((event) => ({ ...event, message: "same" })), new Set()).length, 1);
});

test("an open run has a row for each, however it grows at either end", () => {
  const open = new Set(["id-1"]);
  assert.equal(text(foldedRows(events("aaab"), open)), "0x3 1x0 2x0 3x1");
  const [, ...grown] = events("zaaaaab");
  assert.equal(text(foldedRows(grown, open)), "0x5 1x0 2x0 3x0 4x0 5x1");
  assert.equal(text(foldedRows(events("aaab"), new Set(["id-3", "gone"]))), "0x3 3x1");
  assert.equal(endOfRun(events("aaab"), 0), 3);
  assert.equal(endOfRun(events("aaab"), 3), 4);
});
