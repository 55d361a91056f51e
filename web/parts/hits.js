// What a search found, marked where a row shows it.

/** Marks of search hits in a row. */
const ROW_HITS = 20;

/**
 * @param {HTMLElement} anchor
 * @param {string[]} words
 */
export function findHits(anchor, words) {
  /** @type {Range[]} */
  const found = [];
  for (const node of anchor.childNodes) {
    const text = node.nodeValue?.toLowerCase() ?? "";
    // Lower case can change the length of a text; then positions would be wrong.
    if (text.length !== node.nodeValue?.length) continue;
    for (const word of words) {
      for (let at = text.indexOf(word); at >= 0 && found.length < ROW_HITS; at = text.indexOf(word, at + word.length)) {
        const range = document.createRange();
        range.setStart(node, at);
        range.setEnd(node, at + word.length);
        found.push(range);
      }
    }
  }
  return found;
}

/** @param {Range[]} hits */
export function markHits(hits) {
  if (!("highlights" in CSS)) return;
  CSS.highlights.set("hit", new Highlight(...hits));
}
