// The layout rules of this project, and the exceptions to them, each with its reason. `check(root)` returns what is wrong.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const crypto = require('node:crypto');
const rust = require('./rust-source.js');

const FUNCTION_LINES = 70;
const FILE_LINES = 400;
const TEST_FILE_LINES = 600;

/** Files and functions that may be longer, by `path` or `path fn name`. */
const SIZE_EXCEPTIONS = {
  // 'src/example.rs fn name': 'the reason',
};

/** Names that belong to one place. `except` names a file, or a folder by its trailing slash, with the reason. */
const NAMES = [
  { rule: 'sqlx', pattern: /\bsqlx::/, say: 'sqlx belongs under src/store/', except: { 'src/store/': 'SQL lives here', 'src/store.rs': 'same' } },
  {
    rule: 'poem',
    pattern: /\bpoem::/,
    say: 'poem belongs under src/http/ and in src/app.rs',
    except: { 'src/http/': 'routes and layers', 'src/app.rs': 'joins the routes to the server' },
  },
  {
    rule: 'environment',
    pattern: /\bstd::env\b|\benv::(?:vars?(?:_os)?|set_var|remove_var)\b/,
    say: 'settings are read in src/config.rs',
    except: { 'src/config.rs': 'reads the settings', 'src/config/': 'reads the settings' },
  },
  {
    rule: 'clock',
    pattern: /\b(?:SystemTime|Utc|Local|Zoned|Timestamp)::now\b|\bnow_v[167]\b/,
    say: 'the time comes from the injected Clock (src/clock.rs)',
    except: { 'src/clock.rs': 'the one place that reads the wall clock' },
  },
  {
    rule: 'spawn',
    pattern: /\b(?:tokio|task|thread)::spawn\w*\b|\bspawn_(?:blocking|local)\b|\buse tokio::\{[^}]*\bspawn\b|\bthread::Builder\b/,
    say: 'tasks are started where they are owned: src/lifecycle.rs, src/server.rs',
    except: {
      'src/lifecycle.rs': 'owns every long-lived task and awaits them at shutdown',
      'src/server.rs': 'one task a connection, watched by the graceful shutdown',
      'src/write/slot.rs': 'compresses a group off the async threads; the slot awaits it',
      'src/ingest.rs': 'works on large bodies off the async threads; the request awaits it',
      'src/quarantine/': 'cuts blocks off the async threads; the writer or the drain awaits it',
      'src/spool/': 'takes blocks of the spool apart off the async threads; the drain awaits it',
      'src/maintenance/': 'encodes blocks anew off the async threads; the run awaits it',
      'src/store/wreck.rs': 'copies a damaged file off the async threads; the repair awaits it',
      'src/search/': 'inflates blocks off the async threads; the request that asked awaits it',
    },
  },
];

const FORBIDDEN_NAME = /(?:^|[-_.])(?:utils?|helpers?|common|misc|managers?|services?)(?:[-_.]|$)/i;
const UNSAFE_WEB = /\b(?:innerHTML|outerHTML|insertAdjacentHTML|localStorage|sessionStorage)\b|\bdocument\.write/;
const SKIPPED_FOLDERS = new Set(['node_modules', 'target', '.git', '.cache', 'screenshots', 'data']);

/** Every file under `folder`, relative to `root`, with forward slashes. */
function filesUnder(root, folder) {
  const absolute = path.join(root, folder);
  if (!fs.existsSync(absolute)) return [];
  return fs.readdirSync(absolute, { withFileTypes: true }).flatMap((entry) => {
    const name = folder ? `${folder}/${entry.name}` : entry.name;
    if (entry.isDirectory()) return SKIPPED_FOLDERS.has(entry.name) ? [] : filesUnder(root, name);
    return entry.isFile() ? [name] : [];
  });
}

const read = (root, file) => fs.readFileSync(path.join(root, file), 'utf8');
const lineCount = (text) => text.split('\n').length - (text.endsWith('\n') ? 1 : 0);

/** Test code is held to its own size and is free to spawn, to read the clock and to name any crate. */
const isTest = (file) => /(?:^|\/)(?:tests?|benches|test_\w+|\w+_tests?)(?:\.rs$|\/)/.test(file);

function isExcepted(file, except) {
  return Object.keys(except).some((place) => (place.endsWith('/') ? file.startsWith(place) : file === place));
}

function checkRust(root, file, report) {
  const text = read(root, file);
  const code = rust.codeOnly(text);
  for (const { line, text: attribute } of rust.lintExceptions(code)) {
    if (!/\breason\s*=/.test(attribute)) report('allow', file, line, 'a lint exception has no reason');
  }
  if (isTest(file)) return;
  const tested = rust.withoutTests(code);
  for (const { rule, pattern, say, except } of NAMES) {
    if (isExcepted(file, except)) continue;
    const found = pattern.exec(tested);
    if (found) report(rule, file, rust.lineAt(tested, found.index), say);
  }
  for (const { name, line, lines } of rust.functions(tested)) {
    if (lines > FUNCTION_LINES && !SIZE_EXCEPTIONS[`${file} fn ${name}`]) {
      report('function size', file, line, `fn ${name} has ${lines} lines; the ceiling is ${FUNCTION_LINES}`);
    }
  }
}

function checkSize(root, file, report) {
  const ceiling = isTest(file) || /^(?:web\/)?tests\//.test(file) ? TEST_FILE_LINES : FILE_LINES;
  const lines = lineCount(read(root, file));
  if (lines > ceiling && !SIZE_EXCEPTIONS[file]) {
    report('file size', file, lines, `${lines} lines; the ceiling is ${ceiling}`);
  }
}

function checkName(file, report) {
  for (const part of file.split('/')) {
    if (FORBIDDEN_NAME.test(part)) report('file name', file, 1, `"${part}" says nothing: name it for the noun it holds`);
  }
}

/** Pages are built from text nodes, and secrets stay out of the browser's storage. A comment may say so. */
function checkWeb(root, file, report) {
  read(root, file).split('\n').forEach((line, index) => {
    const isComment = /^\s*(?:\/\/|\/\*|\*|<!--)/.test(line);
    const found = isComment ? null : UNSAFE_WEB.exec(line);
    if (found) report('web', file, index + 1, `${found[0]} is not used here`);
  });
}

/** Both kinds of database take the same steps; a step that was released stays as it was. */
function checkMigrations(root, report) {
  const names = (kind) => filesUnder(root, `migrations/${kind}`).map((file) => file.slice(`migrations/${kind}/`.length));
  const [mysql, sqlite] = [names('mysql'), names('sqlite')];
  for (const name of mysql.filter((name) => !sqlite.includes(name))) {
    report('migration pairs', `migrations/mysql/${name}`, 1, 'has no counterpart in migrations/sqlite');
  }
  for (const name of sqlite.filter((name) => !mysql.includes(name))) {
    report('migration pairs', `migrations/sqlite/${name}`, 1, 'has no counterpart in migrations/mysql');
  }
  const list = 'migrations/released.txt';
  if (!fs.existsSync(path.join(root, list))) return;
  read(root, list).split('\n').forEach((line, index) => {
    if (line.trim() === '' || line.startsWith('#')) return;
    const [hash, name] = line.trim().split(/\s+/);
    const file = path.join(root, 'migrations', name ?? '');
    const isSame = name && fs.existsSync(file) && sha256(file) === hash;
    if (!isSame) report('released migration', list, index + 1, `${name} was released and may not change; add a new migration`);
  });
}

const sha256 = (file) => crypto.createHash('sha256').update(fs.readFileSync(file)).digest('hex');

/** Everything wrong in the tree at `root`: `{ rule, file, line, text }`. */
function check(root) {
  const problems = [];
  const report = (rule, file, line, text) => problems.push({ rule, file, line, text });
  const folders = ['src', 'tests', 'benches', 'fuzz', 'scripts', 'web', 'migrations', 'clients'];
  for (const file of folders.flatMap((folder) => filesUnder(root, folder))) {
    checkName(file, report);
    if (/\.(?:rs|js|mjs|cjs|css|sh)$/.test(file) || /^scripts\/[\w-]+$/.test(file)) checkSize(root, file, report);
    if (/^(?:src|tests|benches)\/.*\.rs$/.test(file)) checkRust(root, file, report);
    if (/^web\/.*\.(?:js|mjs|html|css)$/.test(file) && !file.startsWith('web/tests/')) checkWeb(root, file, report);
  }
  checkMigrations(root, report);
  return problems;
}

module.exports = { check, FUNCTION_LINES, FILE_LINES, TEST_FILE_LINES };
