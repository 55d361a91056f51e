// The snippets of the setup page, as web/snippets.txt has them: `== name | file | how to run it`, then the text.

/** @typedef {{ name: string, file: string, run: string, code: string }} Snippet */

/**
 * @param {string} text
 * @returns {Snippet[]}
 */
export function parseSnippets(text) {
  return text.split(/^== /m).slice(1).map((part) => {
    const end = part.indexOf("\n");
    const [name = "", file = "", run = ""] = part.slice(0, end).split(" | ");
    return { name, file, run, code: part.slice(end + 1) };
  });
}

/**
 * A snippet with what it needs. Keys, secrets and origins have no character that a quoted text of any of the languages
 * treats in its own way.
 * @param {string} code
 * @param {{ url: string, key: string, secret: string }} values
 */
export function filled(code, { url, key, secret }) {
  return code.replaceAll("{URL}", url).replaceAll("{KEY}", key).replaceAll("{SECRET}", secret);
}
