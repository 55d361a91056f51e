// What measures the page still runs: each of its two cheap parts once. Its numbers are not looked at.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const MOST_MS = 120_000;

test("the list and the histogram can be measured", async () => {
  const script = fileURLToPath(new URL("measure.mjs", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, "list", "histogram"], {
    env: { ...process.env, RUNS: "1", FRAMES: "3" }, timeout: MOST_MS,
  });
  assert.match(stdout, /^list of 100,000, 250 new on top: middle [\d.]+ ms, most [\d.]+ ms, of 3;/m);
  assert.match(stdout, /^list of 100,000, going to any row: middle [\d.]+ ms/m);
  assert.match(stdout, /^list: at most \d{2,} nodes/m);
  assert.match(stdout, /^histogram, 120 buckets of six levels: middle [\d.]+ ms/m);
  assert.doesNotMatch(stdout, /faults/);
});
