import assert from "node:assert/strict";
import { test } from "node:test";
import { eventCurl, eventMarkdown } from "../lib/markdown.js";

/** @type {import("../api.js").LogEvent} */
const EVENT = {
  id: "06gvotvlt5ofh0b26ilsv7bnrs-0", project_id: 1, project: "shop", ts: "2026-11-20T10:00:00.000Z", received_at: "2026-11-20T10:00:00.100Z",
  level: "error", source: "web", env: "production", message: "checkout failed",
};

test("an event as Markdown has what it is, its stack, its context and its address", () => {
  const text = eventMarkdown({ ...EVENT, stack: "Error: x\n    at y", ctx: { order: { id: 7 } } }, "https://logs.example/ui/logs/1");
  assert.equal(text, [
    '**error** 2026-11-20T10:00:00.000Z project `"shop"`, source `"web"`, env `"production"`',
    "```\ncheckout failed\n```", "```\nError: x\n    at y\n```", '```json\n{\n  "order": {\n    "id": 7\n  }\n}\n```', "<https://logs.example/ui/logs/1>",
  ].join("\n\n"));
});

test("what an event lacks is left out", () => {
  const text = eventMarkdown({ ...EVENT, ctx: {}, stack: null, user_id: null }, "x:");
  assert.ok(!text.includes("json") && !text.includes("user"), text);
  assert.equal(text.split("```").length, 3);
});

test("no value is more than text: no image, no link, no mention, no tag of HTML", () => {
  for (const value of ["![x](https://evil.example/p.png)", "[x](https://evil.example)", "@org/oncall", "<img src=//evil.example>", "a ` @org ``` <img src=x>", "`@org`", "https://evil.example"]) {
    const [line = ""] = eventMarkdown({ ...EVENT, request_id: value, tags: [value] }, "x:").split("\n");
    // By CommonMark a code span ends at the next run of just as many backticks.
    const outside = line.replace(/(?<!`)(`+)(?!`)(.*?[^`])\1(?!`)/g, (_all, _fence, inside) => {
      JSON.parse(inside);
      return "";
    });
    assert.equal(outside, "**error** 2026-11-20T10:00:00.000Z project , source , env , request , tags ", value);
  }
});

test("tags and a context that is no object are in it too", () => {
  const text = eventMarkdown({ ...EVENT, tags: ["a", "b"], ctx: "half" }, "x:");
  assert.ok(text.includes('tags `["a","b"]`'), text);
  assert.ok(text.includes('```json\n"half"\n```'), text);
  for (const ctx of [0, false]) assert.ok(eventMarkdown({ ...EVENT, ctx }, "x:").includes(`\`\`\`json\n${ctx}\n`));
  assert.ok(!eventMarkdown({ ...EVENT, tags: [], ctx: null }, "x:").includes("tags"));
});

test("nothing in an event ends the block it is in, or its line", () => {
  const hostile = "```\n# heading\n`````html\n<script>";
  const text = eventMarkdown({ ...EVENT, message: hostile, source: "a\n# b", ctx: { text: "````" } }, "x:");
  assert.ok(text.includes(`\`\`\`\`\`\`\n${hostile}\n\`\`\`\`\`\``), text);
  assert.ok(!/^# b/m.test(text), text);
  assert.ok(text.includes("`````json"), text);
});

test("the command has the event's address and no character that the shell reads", () => {
  assert.equal(eventCurl("https://logs.example", EVENT.id), `curl -sS -H "Authorization: Bearer $TOKEN" 'https://logs.example/logs/${EVENT.id}'`);
  assert.ok(eventCurl("https://logs.example", "a'$(id)'").endsWith("/logs/a%27%24(id)%27'"));
});
