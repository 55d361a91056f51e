import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { parseExact } from "../api.js";
import { shown, signal } from "../lib/h.js";
import { curlSnippet, quote } from "../lib/snippet.js";

test("control characters and hidden direction marks become visible, line breaks stay", () => {
  assert.equal(shown("a\u001b[31mb\nc\td"), "a^[[31mb\nc\td");
  assert.equal(shown("x\u202ey"), "x\u27e8U+202E\u27e9y");
  assert.equal(shown("\u0000\u007f"), "^@^?");
  assert.equal(shown("żółć 漢字 👩‍🚀"), "żółć 漢字 👩‍🚀");
});

test("JSON is read as it is, with or without long digits", () => {
  assert.deepEqual(parseExact('{"a":1,"b":"1234567890123456789"}'), { a: 1, b: "1234567890123456789" });
  assert.deepEqual(parseExact('{"a":1234567890123456}'), { a: 1234567890123456 });
  assert.throws(() => parseExact("{"));
});

test("a signal tells its readers once for each change until they stop", () => {
  const value = signal(1);
  /** @type {number[]} */
  const seen = [];
  const stop = value.watch((n) => seen.push(n));
  value.set(2);
  value.set(2);
  stop();
  value.set(3);
  assert.deepEqual(seen, [1, 2]);
  assert.equal(value.get(), 3);
});

test("a shell takes a quoted word as it is", () => {
  for (const word of ["plain", "it's", "$(id) `id` \\ \" ;", "--x"]) {
    assert.equal(execFileSync("sh", ["-c", `printf %s ${quote(word)}`], { encoding: "utf8" }), word);
  }
});

test("the pasted command signs timestamp and body with the secret", () => {
  const script = curlSnippet("http://127.0.0.1:1", "tkl_key", "se'cret").replace(/^curl [^]*$/m, 'printf "%s\\n%s\\n%s" "$TIME" "$BODY" "$MAC"');
  const [time, body, mac] = execFileSync("sh", ["-c", script], { encoding: "utf8" }).split("\n");
  assert.equal(mac, createHmac("sha256", "se'cret").update(`${time}.${body}`).digest("hex"));
  assert.deepEqual(JSON.parse(body ?? ""), [{ level: "info", message: "hello from curl" }]);
});
