// An event as text for other places: a ticket, a chat, a terminal.

/**
 * A fenced block that nothing in it can end.
 * @param {string} text
 * @param {string} [language]
 */
function fenced(text, language = "") {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map(({ length }) => length));
  const fence = "`".repeat(longest + 1);
  return `${fence}${language}\n${text}\n${fence}`;
}

/**
 * @param {import("../api.js").LogEvent} event
 * @param {string} address of its page
 */
export function eventMarkdown({ level, ts, project, source, env, release, user_id: user, request_id: request, message, stack, ctx }, address) {
  const facts = Object.entries({ project, source, env, release, user, request }).flatMap(([name, value]) => (value ? [`${name} ${JSON.stringify(value)}`] : []));
  const parts = [`**${level}** ${ts} ${facts.join(", ")}`, fenced(message)];
  if (stack) parts.push(fenced(stack));
  if (typeof ctx === "object" && ctx !== null && Object.keys(ctx).length > 0) parts.push(fenced(JSON.stringify(ctx, null, 2), "json"));
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
