import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const css = readFileSync(new URL("../css/tokens.css", import.meta.url), "utf8");

/** @param {string} name @param {0 | 1} theme */
function token(name, theme) {
  const pair = new RegExp(`--${name}: light-dark\\((#[0-9a-f]{6}), (#[0-9a-f]{6})\\);`).exec(css);
  assert.ok(pair, `--${name} is a pair of colours`);
  return /** @type {string} */ (pair[theme + 1]);
}

/** Relative luminance, WCAG 2.2. @param {string} hex */
function luminance(hex) {
  const parts = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255);
  const [r = 0, g = 0, b = 0] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** @param {string} a @param {string} b */
function contrast(a, b) {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

/** The visual language: in light and in dark. @type {[string, string, string][]} */
const COLOURS = [
  ["surface", "#ffffff", "#0e1116"], ["text", "#1a2029", "#e6e9ee"], ["muted", "#566070", "#9aa4b2"], ["accent", "#0b57b0", "#6cb0ff"],
  ["fatal", "#8a1fb3", "#d97bf0"], ["error", "#940c15", "#ff6f61"], ["warn", "#7d5b00", "#f5c542"],
  ["info", "#3f5570", "#b4c4d8"], ["debug", "#5d6571", "#929dad"], ["control", "#767f8c", "#6e7885"],
];

test("the colours are those of the visual language, and are said once", () => {
  for (const [name, ...pair] of COLOURS) {
    assert.deepEqual([token(name, 0), token(name, 1)], pair, name);
    assert.equal(css.split(`--${name}:`).length, 2, name);
  }
});

const THEMES = /** @type {const} */ ([["light", 0], ["dark", 1]]);

for (const [theme, index] of THEMES) {
  test(`text and levels keep 4.5:1 on every background, ${theme}`, () => {
    for (const text of ["text", "muted", "accent", "fatal", "error", "warn", "well", "info", "debug"]) {
      for (const background of ["surface", "raised", "selected", "hit"]) {
        const ratio = contrast(token(text, index), token(background, index));
        assert.ok(ratio >= 4.5, `${text} on ${background} is ${ratio.toFixed(2)}`);
      }
    }
    assert.ok(contrast(token("on-accent", index), token("accent", index)) >= 4.5, "a primary button");
    assert.ok(contrast(token("surface", index), token("fatal", index)) >= 4.5, "the fatal badge");
  });

  test(`the border of a control keeps 3:1, ${theme}`, () => {
    for (const background of ["surface", "raised", "selected"]) {
      assert.ok(contrast(token("control", index), token(background, index)) >= 3, background);
    }
  });

  test(`bars keep 3:1 and those of neighbours can be told apart, ${theme}`, () => {
    const tones = ["tone-1", "tone-2", "tone-3", "tone-4", "tone-5", "info", "control"];
    for (const [at, name] of tones.entries()) {
      assert.ok(contrast(token(name, index), token("surface", index)) >= 3, name);
      const before = tones[at - 1];
      // By their lightness too, for who doesn't see their hue.
      if (before) assert.ok(contrast(token(name, index), token(before, index)) >= 1.2, `${before} beside ${name} is ${contrast(token(name, index), token(before, index)).toFixed(2)}`);
    }
  });

  test(`bars of levels keep 3:1 and stacked ones are told apart by their lightness, ${theme}`, () => {
    const levels = ["fatal", "error", "warn", "info", "debug", "trace"].map((level) => token(`bar-${level}`, index));
    for (const [at, colour] of levels.entries()) {
      assert.ok(contrast(colour, token("surface", index)) >= 3, colour);
      const before = levels[at - 1];
      if (before) assert.ok(contrast(colour, before) >= 1.5, `${before} beside ${colour} is ${contrast(colour, before).toFixed(2)}`);
    }
    assert.equal(new Set(levels).size, 6);
  });
}
