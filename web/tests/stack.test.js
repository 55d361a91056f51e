import assert from "node:assert/strict";
import { test } from "node:test";
import { ownFrames } from "../lib/stack.js";

/** For each language a trace, and what is left of it. @type {[string, string, string][]} */
const TRACES = [
  [
    "JavaScript",
    "TypeError: x is not a function\n    at pay (/srv/shop/pay.js:3:1)\n    at Layer.handle (/srv/shop/node_modules/express/lib/router/layer.js:95:5)\n    at node:internal/process/task_queues:95:5\n    at async main (/srv/shop/main.js:9:2)",
    "TypeError: x is not a function\n    at pay (/srv/shop/pay.js:3:1)\n    … 2 of libraries\n    at async main (/srv/shop/main.js:9:2)",
  ],
  [
    "Python",
    'Traceback (most recent call last):\n  File "/usr/lib/python3.11/asyncio/base.py", line 1, in run\n    return self.loop()\n           ^^^^\n  File "/srv/app/pay.py", line 7, in pay\n    charge()\nValueError: no',
    'Traceback (most recent call last):\n    … 1 of libraries\n  File "/srv/app/pay.py", line 7, in pay\n    charge()\nValueError: no',
  ],
  [
    "Java",
    "java.lang.IllegalStateException: no\n\tat com.shop.Pay.charge(Pay.java:12)\n\tat java.base/java.lang.Thread.run(Thread.java:1583)\nCaused by: java.io.IOException: away\n\tat org.apache.http.Client.send(Client.java:1)",
    "java.lang.IllegalStateException: no\n\tat com.shop.Pay.charge(Pay.java:12)\n    … 1 of libraries\nCaused by: java.io.IOException: away\n    … 1 of libraries",
  ],
  [
    "Rust",
    "thread 'main' panicked\n   0: rust_begin_unwind\n             at /rustc/9fc6b4312/library/std/src/panicking.rs:652:5\n   1: core::panicking::panic_fmt\n   2: shop::pay\n             at ./src/pay.rs:4:5",
    "thread 'main' panicked\n    … 2 of libraries\n   2: shop::pay\n             at ./src/pay.rs:4:5",
  ],
  [
    "Go",
    "goroutine 1 [running]:\nmain.pay(0x1)\n\t/srv/shop/pay.go:12 +0x1d\nruntime.goexit()\n\t/usr/local/go/src/runtime/asm.s:1",
    "goroutine 1 [running]:\nmain.pay(0x1)\n\t/srv/shop/pay.go:12 +0x1d\n    … 1 of libraries",
  ],
  [
    "PHP",
    "Exception: no\n#0 /srv/shop/vendor/http/client.php(3): send()\n#1 /srv/shop/pay.php(12): pay()\n#2 {main}",
    "Exception: no\n    … 1 of libraries\n#1 /srv/shop/pay.php(12): pay()\n#2 {main}",
  ],
  [
    "Ruby",
    "app/pay.rb:3:in `pay': no (RuntimeError)\n\tfrom /usr/lib/gems/rack/server.rb:1:in `call'",
    "app/pay.rb:3:in `pay': no (RuntimeError)\n    … 1 of libraries",
  ],
];

for (const [language, trace, own] of TRACES) {
  test(`frames of libraries are left out of a trace, ${language}`, () => assert.equal(ownFrames(trace), own));
}

test("a trace is left as it is where nothing, or everything, would be left out", () => {
  assert.equal(ownFrames("Error: no\n    at pay (/srv/pay.js:3:1)"), null);
  assert.equal(ownFrames("Error: no\n    at x (/a/node_modules/x.js:3:1)"), null);
  assert.equal(ownFrames("just a text"), null);
});

test("a long hostile trace is read in no time", () => {
  const long = `${"a(".repeat(20_000)}\n${" at ".repeat(10_000)}`;
  ownFrames(long);
  ownFrames(`${"\n\tx".repeat(10_000)}`);
});
