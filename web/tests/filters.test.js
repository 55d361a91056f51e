import assert from "node:assert/strict";
import { test } from "node:test";
import { columnsOf, columnText, apiQuery, fieldTerm, hitWords, logsAddress, noColumns, readFilters, safeNext, sameFilters, splitTerms, withTerm } from "../lib/filters.js";

const NOW = Date.parse("2026-11-20T12:00:00.000Z");

/** @param {string} query */
const read = (query) => readFilters(new URLSearchParams(query));

test("an address survives being read and written", () => {
  for (const query of [
    "",
    "q=timeout",
    "q=user_id%3A%22two+words%22&project=shop&level=warn%2Cerror&range=24h",
    "from=2026-11-20T10%3A00%3A00.000Z&to=2026-11-20T11%3A00%3A00.000Z",
    "from=-2h",
  ]) {
    assert.equal(logsAddress(read(query)), query === "" ? "/ui/logs" : `/ui/logs?${query}`);
  }
});

test("the open event is in the address but is no filter", () => {
  assert.equal(logsAddress(read("q=a"), "x-0"), "/ui/logs?q=a&sel=x-0");
  assert.ok(sameFilters(read("q=a&sel=x-0"), read("q=a")));
  assert.ok(!sameFilters(read("q=a"), read("q=b")));
  assert.ok(sameFilters(read("by=source&tz=UTC&fold=1&cols=env"), read("by=env&tz=Asia/Tokyo")), "other bars are of the same events");
  assert.ok(!sameFilters(read("tz=Mars/Olympus"), read("")), "that it is none is to be said");
  assert.ok(sameFilters(read(""), read("side=fields")) && !sameFilters(read("side=fields"), read("")), "a panel that is opened counts anew");
  assert.ok(!sameFilters(read("live=1"), read("")));
});

test("what an address says wrongly is left out", () => {
  const filters = read("level=error,bogus,FATAL&range=7w");
  assert.deepEqual(filters.levels, ["error", "fatal"]);
  assert.equal(filters.range, "1h");
});

test("all levels are the same as none", () => {
  assert.equal(logsAddress(read("level=trace,debug,info,warn,error,fatal")), "/ui/logs");
  assert.equal(apiQuery(read("level=trace,debug,info,warn,error,fatal"), NOW).level, undefined);
});

test("any range of minutes, hours or days up to the longest retention is taken", () => {
  for (const range of ["1m", "45m", "12h", "7d", "90d", "2160h"]) assert.equal(read(`range=${range}`).range, range);
  for (const range of ["91d", "0h", "07d", "1.5h", "7", "7w", "-7d", "7D", "99999999m"]) assert.equal(read(`range=${range}`).range, "1h");
  assert.equal(apiQuery(read("range=7d"), Date.UTC(2026, 10, 20)).from, "2026-11-13T00:00:00.000Z");
});

test("fixed times win over a named range", () => {
  const filters = read("range=15m&from=2026-11-20T10:00:00Z");
  assert.equal(filters.range, "");
  assert.deepEqual(apiQuery(filters, NOW), { limit: "100", order: "desc", from: "2026-11-20T10:00:00Z" });
});

test("a relative range is evaluated at the time of the run", () => {
  const filters = read("range=15m&project=shop&level=error&q=x");
  const query = { limit: "100", order: "desc", q: "x", project_id: "shop", level: "error" };
  assert.deepEqual(apiQuery(filters, NOW), { ...query, from: "2026-11-20T11:45:00.000Z" });
  assert.deepEqual(apiQuery(filters, NOW + 60_000), { ...query, from: "2026-11-20T11:46:00.000Z" });
});

test("a value becomes a term of the query language, quoted where it must be", () => {
  assert.equal(fieldTerm("user_id", "42"), "user_id:42");
  assert.equal(fieldTerm("source", "two words"), 'source:"two words"');
  assert.equal(fieldTerm("env", 'a"b\\c'), 'env:"a\\"b\\\\c"');
  assert.equal(fieldTerm("env", "wild*"), 'env:"wild*"');
  assert.equal(fieldTerm("env", "/slash/"), 'env:"/slash/"');
  assert.equal(fieldTerm("ctx.at", ">=5"), 'ctx.at:">=5"');
  assert.equal(fieldTerm("ctx.n", -1.5), 'ctx.n:"-1.5"');
  assert.equal(fieldTerm("ctx.ok", true), "ctx.ok:true");
});

test("of a value the query language can't hold in one line, its beginning is the term; without one there is none", () => {
  assert.equal(fieldTerm("source", ""), null);
  assert.equal(fieldTerm("source", "\nlines"), null);
  assert.equal(fieldTerm("source", "two\nlines"), 'source:"two"*');
  assert.equal(fieldTerm("source", "x".repeat(200)), `source:${"x".repeat(200)}`);
  assert.equal(fieldTerm("source", `"${"😀".repeat(200)}`), `source:"\\"${"😀".repeat(199)}"*`);
  assert.equal(fieldTerm("ctx.a key", "x"), null);
  assert.equal(fieldTerm("ctx.", "x"), null);
});

test("a term is added once and replaces its opposite", () => {
  assert.equal(withTerm("", "a:1", false), "a:1");
  assert.equal(withTerm("x", "a:1", true), "x -a:1");
  assert.equal(withTerm("x a:1", "a:1", false), "x a:1");
  assert.equal(withTerm("x -a:1", "a:1", false), "x a:1");
  assert.equal(withTerm("x OR y", "a:1", false), "(x OR y) a:1");
});

test("blanks inside quotes do not cut a term", () => {
  assert.deepEqual(splitTerms('a:"b c" "d \\" e" f'), ['a:"b c"', '"d \\" e"', "f"]);
  assert.deepEqual(splitTerms('open "quote'), ["open", '"quote']);
});

test("only words that are asked for in text are marked", () => {
  assert.deepEqual(hitWords('Timeout -healthz "Conn reset" OR user_id:42 message:disk'), ["timeout", "conn reset", "disk"]);
  assert.deepEqual(hitWords("(alpha OR beta)"), ["alpha", "beta"]);
  assert.deepEqual(hitWords("a -b message:/x/"), []);
});

test("signing in leads to pages of this UI only", () => {
  assert.equal(safeNext("/ui/logs?q=a"), "/ui/logs?q=a");
  for (const bad of [null, "", "https://evil.example/ui/", "//evil.example/ui", "/ui\\@evil", "/uix", "javascript:alert(1)", "/ui/login?next=/ui/login", "/ui/../admin", "/ui/%2e%2e/admin", "/ui/x/../login"]) {
    assert.equal(safeNext(bad), "/ui/", String(bad));
  }
});

test("columns are names of fields and paths, each once and few", () => {
  assert.deepEqual(columnsOf(" release, ctx.order.id ,release,,a b,<b>,ctx..x"), ["release", "ctx.order.id"]);
  assert.equal(columnsOf("a,b,c,d,e,f,g,h,i,j").length, 8);
  const filters = readFilters(new URLSearchParams("cols=release,ctx.order.id&q=x"));
  assert.equal(logsAddress(filters), "/ui/logs?q=x&cols=release%2Cctx.order.id");
  assert.ok(sameFilters(filters, readFilters(new URLSearchParams("q=x"))), "columns show the same events otherwise");
  assert.deepEqual(noColumns(" release, ctx.order.id ,release,,"), []);
  assert.deepEqual(noColumns("a b,release,ctx..x,a b"), ["a b", "ctx..x", "a b"]);
  assert.deepEqual(noColumns("a,b,c,d,e,f,g,h,i,j"), ["i", "j"], "more than there is room for");
});

test("a column shows what an event has and leaves out what it has not", () => {
  const event = { release: "1.2", env: null, ctx: { order: { id: 7, lines: [1, 2] }, "a.b": 1, off: false } };
  assert.equal(columnText(event, ["release", "env", "ctx.order.id", "ctx.order.lines", "ctx.off", "ctx.a.b", "ctx.none.at.all"]), "release=1.2 ctx.order.id=7 ctx.order.lines=[1,2] ctx.off=false");
  assert.equal(columnText(event, ["constructor", "ctx.__proto__", "toString.name"]), "");
  assert.equal(columnText({ release: "x".repeat(99) }, ["release"]), `release=${"x".repeat(60)}…`);
});

test("the order and what bars are by are in the address, and live is newest first", () => {
  const asked = readFilters(new URLSearchParams("order=asc&by=ctx.order.id"));
  assert.deepEqual([asked.order, asked.by], ["asc", "ctx.order.id"]);
  assert.equal(logsAddress(asked), "/ui/logs?order=asc&by=ctx.order.id");
  assert.equal(apiQuery(asked, 0).order, "asc");
  const plain = readFilters(new URLSearchParams("order=up&by=message"));
  assert.deepEqual([plain.order, plain.by, logsAddress(plain), apiQuery(plain, 0).order], ["", "", "/ui/logs", "desc"]);
  assert.equal(sameFilters(asked, plain), false);
  assert.equal(readFilters(new URLSearchParams("by=level")).by, "", "the default needs no mention");
  assert.equal(readFilters(new URLSearchParams("order=asc&live=1")).order, "");
  assert.equal(logsAddress({ ...asked, live: true }), "/ui/logs?by=ctx.order.id&live=1");
});
