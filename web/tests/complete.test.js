import assert from "node:assert/strict";
import { test } from "node:test";
import { completed, fieldAt, pastQueries, pathsOf, remember } from "../lib/complete.js";

const KNOWN = { paths: ["ctx.http.status", "ctx.order.id"], values: { source: ["api", "web api"], env: ["production"] }, history: ["timeout", "level:error source:api"] };

/** @param {string} q with `|` for the caret @param {Partial<import("../lib/complete.js").Known>} [more] */
function offered(q, more = {}) {
  const caret = q.includes("|") ? q.indexOf("|") : q.length;
  return completed(q.replace("|", ""), caret, { ...KNOWN, history: [], ...more });
}
/** @param {string} q */
const labels = (q) => offered(q).map(({ label }) => label);

test("names of fields and of paths in contexts are completed by their beginning", () => {
  assert.deepEqual(labels("so"), ["source:"]);
  assert.deepEqual(labels("re"), ["request_id:", "release:", "received_at:"]);
  assert.deepEqual(labels("stat"), ["ctx.http.status:"]);
  assert.deepEqual(labels("-ctx.o"), ["ctx.order.id:"]);
  assert.deepEqual(labels("timeout (SOU"), ["source:"]);
  assert.deepEqual(labels("connection"), []);
});

test("values are those that are known, quoted where they must be", () => {
  assert.deepEqual(labels("source:"), ["source:api", "source:\"web api\"", "source:*"]);
  assert.deepEqual(labels("source:\"web a"), ["source:\"web api\""]);
  assert.deepEqual(labels("level:e"), ["level:error"]);
  assert.deepEqual(labels("level:").slice(-2), ["level:>=", "level:<"]);
  assert.deepEqual(labels("ctx.order.id:"), ["ctx.order.id:>=", "ctx.order.id:<", "ctx.order.id:*"]);
  assert.deepEqual(labels("has:ctx.h"), ["has:ctx.http.status"]);
  assert.deepEqual(labels("constructor:"), ["constructor:*"]);
});

test("operators are offered between terms, in upper case", () => {
  assert.equal(labels("a O")[0], "OR");
  assert.ok(!labels("O").includes("OR"));
  assert.ok(!labels("a o").includes("OR"));
});

test("what is taken replaces the word at the caret and nothing else", () => {
  assert.deepEqual(offered("a sou| b").map(({ q, caret }) => [q, caret]), [["a source: b", 9]]);
  assert.equal(offered("-source:a")[0]?.q, "-source:api ");
  assert.equal(offered("(source:a|) x")[0]?.q, "(source:api) x");
  assert.equal(offered("sou|rce:api")[0]?.q, "source:");
});

test("nothing is offered within a phrase, or what is there already", () => {
  assert.deepEqual(labels("\"sou"), []);
  assert.deepEqual(labels("env:production"), []);
});

test("earlier queries come first in an empty box and last in another", () => {
  const { history: earlier } = KNOWN;
  assert.deepEqual(offered("", { history: earlier }).slice(0, 2).map(({ label }) => label), earlier);
  assert.deepEqual(offered("err", { history: earlier }).map(({ label, note }) => `${label} ${note}`), ["level:error source:api earlier search"]);
});

test("the last 20 queries are remembered, each once", () => {
  for (let n = 0; n < 25; n += 1) remember(`q${n}`);
  remember("q10");
  remember("");
  assert.equal(pastQueries().length, 20);
  assert.deepEqual(pastQueries().slice(0, 2), ["q10", "q24"]);
});

test("paths are those a query can name, and bounded", () => {
  assert.deepEqual(pathsOf([{ ctx: { b: { c: 1 }, a: [{ x: 1 }], "no name": 1 } }, {}, { ctx: "text" }, { ctx: null }]), ["ctx.a", "ctx.b.c"]);
  assert.equal(pathsOf([{ ctx: Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`k${n}`, n])) }]).length, 200);
});

test("the field before the caret is known", () => {
  assert.equal(fieldAt("a source:x", 10), "source");
  assert.equal(fieldAt("a source", 8), null);
});
