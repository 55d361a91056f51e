// An event as text for other places: a ticket, a chat, a terminal.

/**
 * Backticks that nothing in a text can end: one more than its longest run, and at least as many as asked for.
 * @param {string} text
 * @param {number} least
 */
function fenceOf(text, least) {
  return "`".repeat(Math.max(least, ...(text.match(/`+/g) ?? []).map(({ length }) => length + 1)));
}

/**
 * @param {string} text
 * @param {string} [language]
 */
function fenced(text, language = "") {
  const fence = fenceOf(text, 3);
  return `${fence}${language}\n${text}\n${fence}`;
}

/** A value in a line, where no mark in it is one: as JSON, so it has no line ends and no backtick at its ends. @param {unknown} value */
function codeSpan(value) {
  const text = JSON.stringify(value);
  const fence = fenceOf(text, 1);
  return fence + text + fence;
}

/**
 * @param {import("../api.js").LogEvent} event
 * @param {string} address of its page
 */
export function eventMarkdown({ level, ts, project, source, env, release, user_id: user, request_id: request, tags, message, stack, ctx }, address) {
  const facts = Object.entries({ project, source, env, release, user, request, tags }).flatMap(([name, value]) => (value?.length ? [`${name} ${codeSpan(value)}`] : []));
  const parts = [`**${level}** ${ts} ${facts.join(", ")}`, fenced(message)];
  if (stack) parts.push(fenced(stack));
  const context = JSON.stringify(ctx ?? {}, null, 2);
  if (!["{}", "[]"].includes(context)) parts.push(fenced(context, "json"));
  return [...parts, `<${address}>`].join("\n\n");
}

/**
 * The command that fetches an event; `TOKEN` is the admin token or a read key.
 * @param {string} origin
 * @param {string} id
 */
export function eventCurl(origin, id) {
  return `curl -sS -H "Authorization: Bearer $TOKEN" '${origin}/logs/${encodeURIComponent(id).replaceAll("'", "%27")}'`;
}
