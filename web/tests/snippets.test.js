import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { filled, parseSnippets } from "../pages/setup.js";

const text = readFileSync(new URL("../snippets.txt", import.meta.url), "utf8");

test("every snippet is named, can be run, and takes the address, the key and the secret", () => {
  const snippets = parseSnippets(text);
  assert.deepEqual(snippets.map(({ name }) => name), ["curl + openssl", "Node", "Python", "Rust", "Go", "PHP", "Ruby", "Java", "Shell function"]);
  for (const { name, file, run, code } of snippets) {
    assert.ok(file !== "" && run !== "" && code.endsWith("\n"), name);
    const own = filled(code, { url: "https://logs.example", key: "tkl_k", secret: "s3cret" });
    for (const part of ["https://logs.example/log", "tkl_k", "s3cret"]) assert.ok(own.includes(part), `${name} has ${part}`);
    assert.doesNotMatch(own, /\{(URL|KEY|SECRET)\}/, name);
    assert.ok(Math.max(...own.split("\n").map((line) => line.length)) <= 110, `${name} has short lines`);
  }
});
