// Shows that each layout rule fires on a tree that breaks it, at the right line, and stays silent on a tree that only looks so.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { check, FUNCTION_LINES, FILE_LINES, TEST_FILE_LINES } = require('./rules.js');

const lines = (count, line) => `${line}\n`.repeat(count);
const functionOf = (count) => `fn long() {\n${lines(count - 2, '    step();')}}\n`;
const hash = (text) => crypto.createHash('sha256').update(text).digest('hex');

/** Each case: the tree, and the `rule file:line` it must cause (none for a good tree). */
const CASES = [
  ['sqlx outside the store', { 'src/fold.rs': 'use crate::x;\nuse sqlx::Row;\n' }, ['sqlx src/fold.rs:2']],
  ['sqlx in the store', { 'src/store/mod.rs': 'use sqlx::Row;\n' }, []],
  ['poem outside http', { 'src/ingest.rs': 'fn f(r: poem::Request) {}\n' }, ['poem src/ingest.rs:1']],
  ['poem in http and app', { 'src/http/mod.rs': 'use poem::get;\n', 'src/app.rs': 'use poem::Endpoint;\n' }, []],
  ['the environment', { 'src/store/mod.rs': 'use std::env;\n' }, ['environment src/store/mod.rs:1']],
  ['the environment by another name', { 'src/cli.rs': 'let x = env::var_os("A");\n' }, ['environment src/cli.rs:1']],
  ['the environment in config', { 'src/config.rs': 'std::env::var("A");\n', 'src/config/read.rs': 'std::env::vars();\n' }, []],
  ['the wall clock', { 'src/write.rs': '\n\nlet t = SystemTime::now();\n' }, ['clock src/write.rs:3']],
  ['the wall clock in an id', { 'src/event.rs': 'let id = Uuid::now_v7();\n' }, ['clock src/event.rs:1']],
  ['the clock itself', { 'src/clock.rs': 'SystemTime::now()\n', 'src/write.rs': 'self.clock.now(); Instant::now();\n' }, []],
  ['a stray task', { 'src/http/mod.rs': 'tokio::spawn(work());\n' }, ['spawn src/http/mod.rs:1']],
  ['a stray blocking task', { 'src/limit.rs': 'use tokio::task::spawn_blocking;\n' }, ['spawn src/limit.rs:1']],
  ['a stray thread', { 'src/limit.rs': 'std::thread::spawn(f);\n' }, ['spawn src/limit.rs:1']],
  ['an owned task', { 'src/lifecycle.rs': 'tokio::spawn(work());\n', 'src/server.rs': 'tokio::spawn(work());\n' }, []],
  [
    'names in comments, strings and tests',
    {
      'src/fold.rs': [
        '//! Uses no sqlx:: and no poem::.',
        '/* std::env::var /* nested */ SystemTime::now() */',
        'const A: &str = "tokio::spawn \\" sqlx::";',
        'const B: &str = r#"poem:: " std::env::"#;',
        "const C: char = '\"'; fn f<'a>(x: &'a str) {}",
        '#[cfg(test)]',
        'mod tests {',
        '    fn f() { if x { std::env::temp_dir(); } tokio::spawn(f()); }',
        '}',
        '',
      ].join('\n'),
      'src/fold/tests.rs': 'use sqlx::Row;\nstd::env::temp_dir();\n',
    },
    [],
  ],
  ['code after a test module', { 'src/fold.rs': '#[cfg(test)]\nmod tests {\n}\nuse sqlx::Row;\n' }, ['sqlx src/fold.rs:4']],
  ['a long function', { 'src/a.rs': `\n${functionOf(FUNCTION_LINES + 1)}` }, ['function size src/a.rs:2']],
  ['a function at the ceiling', { 'src/a.rs': functionOf(FUNCTION_LINES) }, []],
  ['a trait method without a body', { 'src/a.rs': `trait T {\n    fn f(&self, a: [u8; 4]);\n${lines(80, '    // -')}}\n` }, []],
  ['a long file', { 'src/a.rs': lines(FILE_LINES + 1, '//') }, [`file size src/a.rs:${FILE_LINES + 1}`]],
  ['a file at the ceiling', { 'src/a.rs': lines(FILE_LINES, '//') }, []],
  ['a long test file', { 'tests/a.rs': lines(TEST_FILE_LINES + 1, '//') }, [`file size tests/a.rs:${TEST_FILE_LINES + 1}`]],
  ['test files have more room', { 'tests/a.rs': lines(TEST_FILE_LINES, '//'), 'src/a/tests.rs': lines(TEST_FILE_LINES, '//') }, []],
  ['a long page', { 'web/pages/logs.js': lines(FILE_LINES + 1, '//') }, [`file size web/pages/logs.js:${FILE_LINES + 1}`]],
  ['a file named utils', { 'src/utils.rs': '' }, ['file name src/utils.rs:1']],
  ['a folder named common', { 'tests/common/mod.rs': '' }, ['file name tests/common/mod.rs:1']],
  ['a name with manager in it', { 'web/lib/session-manager.js': '' }, ['file name web/lib/session-manager.js:1']],
  ['a name that only contains such a word', { 'src/commonplace.rs': '' }, []],
  ['an allow without a reason', { 'src/a.rs': 'fn f() {}\n#[allow(dead_code)]\nfn g() {}\n' }, ['allow src/a.rs:2']],
  ['an inner allow without a reason', { 'tests/a.rs': '#![allow(dead_code)]\n' }, ['allow tests/a.rs:1']],
  ['an allow with a reason', { 'src/a.rs': '#[allow(\n    dead_code,\n    reason = "wired later"\n)]\nfn g() {}\n' }, []],
  [
    'HTML from strings',
    { 'web/parts/list.js': 'const a = 1;\nnode.innerHTML = text;\n', 'web/parts/b.js': 'node.insertAdjacentHTML("x", y);\n' },
    ['web web/parts/list.js:2', 'web web/parts/b.js:1'],
  ],
  ['storage in the browser', { 'web/session.js': 'localStorage.setItem("a", b);\n' }, ['web web/session.js:1']],
  ['a comment about it', { 'web/session.js': '// never localStorage\n', 'web/tests/dom.js': 'assert(!("innerHTML" in node));\n' }, []],
  ['a migration for MySQL only', { 'migrations/mysql/0001_a.sql': '' }, ['migration pairs migrations/mysql/0001_a.sql:1']],
  ['a migration for SQLite only', { 'migrations/sqlite/0001_a.sql': '' }, ['migration pairs migrations/sqlite/0001_a.sql:1']],
  [
    'an edited release',
    { 'migrations/mysql/1.sql': 'new', 'migrations/sqlite/1.sql': 'b', 'migrations/released.txt': `# why\n${hash('old')}  mysql/1.sql\n` },
    ['released migration migrations/released.txt:2'],
  ],
  ['a removed release', { 'migrations/released.txt': `${hash('a')}  mysql/1.sql\n` }, ['released migration migrations/released.txt:1']],
  [
    'an untouched release',
    { 'migrations/mysql/1.sql': 'a', 'migrations/sqlite/1.sql': 'b', 'migrations/released.txt': `${hash('a')}  mysql/1.sql\n` },
    [],
  ],
];

function problemsOf(tree) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'layout-'));
  try {
    for (const [file, text] of Object.entries(tree)) {
      fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
      fs.writeFileSync(path.join(root, file), text);
    }
    return check(root).map(({ rule, file, line }) => `${rule} ${file}:${line}`);
  } finally {
    fs.rmSync(root, { recursive: true });
  }
}

function run() {
  for (const [name, tree, expected] of CASES) {
    assert.deepEqual(problemsOf(tree).sort(), [...expected].sort(), name);
  }
  console.log(`layout rules: ${CASES.length} cases hold`);
}

module.exports = { run };
