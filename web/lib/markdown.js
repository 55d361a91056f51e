// An event as text for other places: a ticket, a chat, a terminal.

/**
 * A text between backticks that nothing in it can end: more of them than its longest run.
 * @param {string} text
 * @param {string} [language]
 * @param {string} [end] of the lines of the fence
 * @param {number} [least] of backticks
 */
function fenced(text, language = "", end = "\n", least = 3) {
  const fence = "`".repeat(Math.max(least, ...(text.match(/`+/g) ?? []).map(({ length }) => length + 1)));
  return fence + language + end + text + end + fence;
}

/**
 * @param {import("../api.js").LogEvent} event
 * @param {string} address of its page
 */
export function eventMarkdown({ level, ts, project, source, env, release, user_id: user, request_id: request, tags, message, stack, ctx }, address) {
  // As JSON a value has no line ends, and no backtick at its ends.
  const facts = Object.entries({ project, source, env, release, user, request, tags }).filter(([, value]) => value?.length).map(([name, value]) => `${name} ${fenced(JSON.stringify(value), "", "", 1)}`);
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
