// Texts that would run, break out of their place or disguise themselves if a page took them for more than text.

import assert from "node:assert/strict";

/** What no page of ours has inside. */
const FOREIGN = "img, iframe, script, object, embed, style, link, base, meta, math, video, audio, marquee, [onclick], [onload], [onerror], [onfocus], [onmouseover], a[href^='javascript' i], a[href^='data:'], a[href^='//']";

export const PAYLOADS = [
  // Markup that runs by itself.
  "<script>window.ran=1</script>",
  "<img src=x onerror=window.ran=1>",
  "<svg onload=window.ran=1>",
  "<svg><script>window.ran=1</script></svg>",
  "<body onload=window.ran=1>",
  "<iframe srcdoc='<script>parent.ran=1</script>'></iframe>",
  "<iframe src=javascript:parent.ran=1></iframe>",
  "<object data=javascript:window.ran=1></object>",
  "<embed src=javascript:window.ran=1>",
  "<video><source onerror=window.ran=1></video>",
  "<audio src=x onerror=window.ran=1>",
  "<details open ontoggle=window.ran=1>",
  "<input autofocus onfocus=window.ran=1>",
  "<marquee onstart=window.ran=1>",
  "<math><mtext><img src=x onerror=window.ran=1></mtext></math>",
  "<style>@import 'javascript:window.ran=1'</style>",
  "<link rel=stylesheet href=//example.invalid/x.css>",
  "<meta http-equiv=refresh content='0;url=javascript:window.ran=1'>",
  "<base href=//example.invalid/>",
  "<form action=javascript:window.ran=1><button>send</button></form>",
  // Out of an attribute, a script, a comment, a template.
  "\"><script>window.ran=1</script>",
  "'><img src=x onerror=window.ran=1>",
  "\" onmouseover=\"window.ran=1\" x=\"",
  "' autofocus onfocus='window.ran=1",
  "</script><script>window.ran=1</script>",
  "</title><script>window.ran=1</script>",
  "</textarea><script>window.ran=1</script>",
  "--><script>window.ran=1</script><!--",
  "]]><script>window.ran=1</script>",
  "${window.ran=1}",
  "{{constructor.constructor('window.ran=1')()}}",
  "#{window.ran=1}<%= window.ran=1 %>",
  "`;window.ran=1;//",
  "\\'-(window.ran=1)-\\'",
  // Addresses.
  "javascript:window.ran=1",
  "JaVaScRiPt:window.ran=1//",
  "data:text/html,<script>parent.ran=1</script>",
  "//example.invalid/%2e%2e/",
  "../../../admin/projects?x=1#y",
  "%3Cscript%3Ewindow.ran=1%3C/script%3E",
  "&lt;img src=x onerror=window.ran=1&gt;",
  "&#60;script&#62;window.ran=1&#60;/script&#62;",
  // Names that objects have already.
  "__proto__",
  "constructor",
  "hasOwnProperty",
  // What can't be seen, or turns the line around.
  "right \u202eto left\u202c \u2066apart\u2069",
  "bell \u0007 and \u001b[31mred\u001b[0m and \u0000 none",
  "zero\u200bwidth \ufeffmark \u00ad soft",
  "e\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301 \ud83d\ude00 \ud83c\udff3\ufe0f",
  "'; DROP TABLE blocks; -- \\ \" ` =cmd|' /C calc'!A0",
];

/** One event for each, with the payload in every place an event has. */
export function payloadEvents() {
  return PAYLOADS.map((text, index) => ({
    ts: new Date(Date.now() - index * 1000).toISOString(),
    level: index % 2 === 0 ? "error" : "fatal",
    message: `${text} hostile ${index}`, source: text, env: text, release: text, user_id: text, request_id: text, tags: [text, "plain"],
    stack: `${text}\n    at ${text} (${text}:1:1)`,
    ctx: { [text]: text, list: [text], deep: { [text]: { [text]: [text] } } },
  }));
}

/**
 * A payload as a name takes it: short and without control characters.
 * @param {string} payload
 */
export function nameOf(payload) {
  return payload.slice(0, 120).replace(/[\u0000-\u001f]/g, "?");
}

/**
 * Nothing ran, nothing foreign is in the document, and no fault was noted.
 * @param {import("./scene.mjs").Scene} scene
 * @param {string} where
 */
export async function unharmed(scene, where) {
  const found = await scene.page.evaluate((foreign) => ({
    ran: Reflect.get(window, "ran"), polluted: Reflect.get({}, "ran") ?? Reflect.get({}, "hostile"),
    elements: [...document.querySelectorAll(foreign)].filter((one) => !document.head.contains(one)).map((one) => one.outerHTML.slice(0, 200)),
  }), FOREIGN);
  assert.deepEqual(found, { ran: undefined, polluted: undefined, elements: [] }, where);
  assert.deepEqual(scene.faults, [], where);
}
