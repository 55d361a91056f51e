// A page as a screen reader goes through it: the roles and names of the accessibility tree, in their order.

/**
 * @typedef {object} Spoken
 * @property {string} role
 * @property {string} name
 * @property {number} level of a heading
 * @property {string[]} within roles around it, the outermost first
 */

/** What one finds one's way by. */
const WAYS = new Set(["banner", "navigation", "main", "complementary", "region", "search", "form", "heading", "button", "link", "DisclosureTriangle",
  "combobox", "searchbox", "textbox", "checkbox", "slider", "spinbutton", "table", "image", "figure"]);
/** What can't be known without its name. */
const NAMED = new Set([...WAYS].filter((role) => !["banner", "search", "form", "table", "figure"].includes(role)));
const LANDMARKS = new Set(["navigation", "complementary", "region", "main"]);
/** What is as long as the data. */
const DATA = ["row", "listitem", "definition"];
const NONSENSE = /\bNaN\b|\bundefined\b|\[object|Invalid Date|unknown time/;

/**
 * Roles and names of a landmark in their order, without what the data brings: rows, items and values are left out, numbers
 * are one.
 * @param {readonly Spoken[]} heard
 * @param {"banner" | "main"} part
 */
export function outlineOf(heard, part) {
  return heard.flatMap(({ role, name, level, within }) => {
    if (!WAYS.has(role) || (role !== part && !within.includes(part)) || DATA.some((data) => within.includes(data))) return [];
    const depth = within.filter((one) => WAYS.has(one)).length;
    return [`${"  ".repeat(depth)}${role}${level ? ` ${level}` : ""}${name ? ` "${name.replace(/\d[\d.,:]*/g, "#")}"` : ""}`];
  });
}

/**
 * What is unnamed, said twice or nonsense, wherever it is.
 * @param {readonly Spoken[]} heard
 */
export function faultsOf(heard) {
  const faults = heard.flatMap(({ role, name }) => {
    if (NAMED.has(role) && name === "") return [`a ${role} without a name`];
    return NONSENSE.test(name) ? [`${role} says ${name}`] : [];
  });
  const landmarks = heard.filter(({ role }) => LANDMARKS.has(role)).map(({ role, name }) => `${role} ${name}`);
  faults.push(...landmarks.filter((one, index) => landmarks.indexOf(one) !== index).map((one) => `two are ${one}`));
  const headings = heard.filter(({ role }) => role === "heading");
  if (headings.filter(({ level }) => level === 1).length !== 1 || headings[0]?.level !== 1) faults.push("not one level 1 heading, at the beginning");
  headings.forEach(({ level, name }, index) => {
    if (level > (headings[index - 1]?.level ?? 0) + 1) faults.push(`${name} skips a level`);
  });
  return faults;
}

/**
 * @param {import("playwright-core").Page} page
 * @returns {Promise<Spoken[]>}
 */
export async function spoken(page) {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  await session.detach();
  const known = new Map(nodes.map((node) => [node.nodeId, node]));
  /** @type {Spoken[]} */
  const list = [];
  /** @param {typeof nodes[number]} node @param {string[]} within */
  const walk = (node, within) => {
    const role = String(node.role?.value ?? "");
    const level = Number(node.properties?.find(({ name }) => name === "level")?.value?.value ?? 0);
    if (!node.ignored) list.push({ role, name: String(node.name?.value ?? "").trim(), level, within });
    const inside = node.ignored ? within : [...within, role];
    for (const id of node.childIds ?? []) {
      const child = known.get(id);
      if (child) walk(child, inside);
    }
  };
  const root = nodes.find(({ parentId }) => parentId === undefined);
  if (root) walk(root, []);
  return list;
}
