import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { ownFrames } from "../lib/stack.js";

/**
 * The service's tests read it too: what it says of each trace, and what is left of it here.
 * @type {{ name: string, stack: string, library_lines: [number, number][], shown: string | null }[]}
 */
const CASES = JSON.parse(await readFile(new URL("../../tests/fixtures/traces/library_lines.json", import.meta.url), "utf8"));

for (const { name, stack, library_lines, shown } of CASES) {
  test(`frames of libraries are left out of a trace, ${name}`, () => assert.equal(ownFrames(stack, library_lines), shown));
}

test("lines that the trace doesn't have do no harm", () => {
  assert.equal(ownFrames("a\nb", [[1, 1], [2, 9]]), "a\n    … 2 of libraries");
});
