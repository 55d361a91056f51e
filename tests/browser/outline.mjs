// A page as a screen reader goes through it: the roles and names of the accessibility tree, in their order.

/**
 * @typedef {object} Spoken
 * @property {string} role
 * @property {string} name
 * @property {number} level of a heading
 * @property {string[]} within roles around it, the outermost first
 * @property {boolean} ignored
 */

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
    if (!node.ignored) list.push({ role, name: String(node.name?.value ?? "").trim(), level, within, ignored: false });
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
