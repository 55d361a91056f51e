//! What must be one issue, what must be two, and that the rules don't drift unnoticed.

use std::borrow::Cow;

use proptest::prelude::*;

use super::{Fingerprint, Fingerprinter, MAX_TITLE_CHARACTERS, fingerprint};
use crate::event::{Event, Level};
use crate::timestamp::Timestamp;

fn event<'a>(message: &'a str, stack: Option<&'a str>) -> Event<'a> {
    Event {
        index: 0,
        ts: Timestamp::from_millis(1_790_000_000_000),
        level: Level::Error,
        message: Cow::Borrowed(message),
        source: Cow::Borrowed("api"),
        env: Cow::Borrowed("production"),
        ctx: None,
        user_id: None,
        request_id: None,
        tags: Vec::new(),
        release: None,
        stack: stack.map(Cow::Borrowed),
        client_fingerprint: None,
        fingerprint: Fingerprint::default(),
        truncated: false,
    }
}

fn of(message: &str) -> Fingerprint {
    fingerprint(&event(message, None))
}

fn with_stack(stack: &str) -> Fingerprint {
    fingerprint(&event("failed", Some(stack)))
}

#[test]
fn what_varies_from_event_to_event_is_masked() {
    for (message, template) in [
        ("took 1203 ms for order ord_8123 (attempt 3)", "took * for order * (attempt *)"),
        ("took 3.5s", "took *"),
        ("GET /users/123/orders?x=1 404 12ms", "GET /users/*/orders 404 *"),
        ("see https://api.example.com/v1/users/98/x?q=1 now", "see * now"),
        ("from 10.0.0.1:5432 to [fe80::1ff:fe23:4567:890a]:80", "from * to *"),
        ("mac 00:1A:2b:3c:4D:5e up", "mac * up"),
        ("no mail to bob@example.com", "no mail to *"),
        ("host db1.internal.example.com and ns.example.net gone", "host * and * gone"),
        ("key 'abc' in \"x y\" of `z`", "key * in * of *"),
        ("can't open it, don't", "can't open it, don't"),
        ("at 2026-11-20T22:10:36.853Z and Sun Jul 10 03:55:15 2005", "at * and *"),
        ("id 550e8400-e29b-41d4-a716-446655440000 hash 9f86d081884c7d65", "id * hash *"),
        ("uid=0 tty= ruser=bob rhost=::1", "uid=*"),
        ("read /var/log/app.log failed in /srv/app/db.py:12", "read * failed in db.py:*"),
        ("items [] of [1,2,3] init()", "items [*] of [*] init()"),
        ("Invalid user webmaster from 1.2.3.4", "Invalid user * from *"),
        ("a  b\t\tc\n d 1 ", "a b c d *"),
        ("text/html and/or 5", "text/html and/or *"),
        ("", ""),
    ] {
        assert_eq!(Fingerprinter::new().template(message), template, "{message}");
    }
}

/// Lines as other programs write them: of each pair the first two are one issue, the third is another.
const PROGRAMS: [(&str, &str, &str); 14] = [
    (
        r#"2026/11/20 22:10:36 [error] 31#31: *17 connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.1, server: shop.test, request: "GET /cart/17 HTTP/1.1", upstream: "http://10.0.0.9:8080/cart/17""#,
        r#"2026/11/21 02:10:36 [error] 7#7: *99812 connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.7, server: shop.test, request: "GET /pay HTTP/1.1", upstream: "http://10.0.0.8:8080/pay""#,
        r#"2026/11/21 02:10:36 [error] 7#7: *99812 connect() failed (110: Connection timed out) while connecting to upstream, client: 10.0.0.7, server: shop.test, request: "GET /pay HTTP/1.1", upstream: "http://10.0.0.8:8080/pay""#,
    ),
    (
        r#"10.0.0.1 - - [20/Nov/2026:22:10:36 +0000] "GET /cart/17 HTTP/1.1" 502 157 "-" "Mozilla/5.0 (X11)""#,
        r#"10.0.0.2 - - [21/Nov/2026:02:10:36 +0000] "GET /cart/98 HTTP/1.1" 502 404 "-" "curl/8.0""#,
        r#"10.0.0.2 - - [21/Nov/2026:02:10:36 +0000] "GET /cart/98 HTTP/1.1" 404 157 "-" "curl/8.0""#,
    ),
    (
        "2026-11-20 22:10:36.123 UTC [1234] ERROR:  relation \"carts\" does not exist at character 15",
        "2026-11-21 02:10:36.001 UTC [99] ERROR:  relation \"users\" does not exist at character 99",
        "2026-11-21 02:10:36.001 UTC [99] ERROR:  column \"users\" does not exist at character 99",
    ),
    (
        "E1120 22:10:36.853123       1 reflector.go:138] k8s.io/client-go/informers/factory.go:134: Failed to watch *v1.Pod: Unauthorized",
        "E1121 02:11:00.000001      77 reflector.go:142] k8s.io/client-go/informers/factory.go:134: Failed to watch *v1.Pod: Unauthorized",
        "E1121 02:11:00.000001      77 controller.go:142] k8s.io/client-go/informers/factory.go:134: Failed to watch *v1.Pod: Unauthorized",
    ),
    (
        "Back-off restarting failed container web in pod web-7d9f8b6c5-x2k4q_default(3b1c1f0e-7a55-4f6a-9a6f-0a1b2c3d4e5f)",
        "Back-off restarting failed container web in pod web-66bfd9c7b8-zzkqp_default(0b1c1f0e-7a55-4f6a-9a6f-0a1b2c3d4e5f)",
        "Back-off pulling image for container web in pod web-66bfd9c7b8-zzkqp_default(0b1c1f0e-7a55-4f6a-9a6f-0a1b2c3d4e5f)",
    ),
    (
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
        "Readiness probe failed: HTTP probe failed with statuscode: 500",
    ),
    (
        "nginx.service: Main process exited, code=exited, status=1/FAILURE",
        "nginx.service: Main process exited, code=exited, status=2/INVALIDARGUMENT",
        "nginx.service: Main process exited, code=killed, status=9/KILL",
    ),
    (
        "SQM: Failed to start upload with file pattern: C:\\Windows\\sqm\\*_std.sqm, flags: 0x2 [HRESULT = 0x80004005]",
        "SQM: Failed to start upload with file pattern: C:\\Temp\\x\\*_std.sqm, flags: 0x4 [HRESULT = 0x80004005]",
        "SQM: Failed to start upload with file pattern: C:\\Windows\\sqm\\*_std.sqm, flags: 0x2 [HRESULT = 0x80070005]",
    ),
    (
        r#"{"level":"error","ts":1700000000.123,"msg":"failed to load order","order":17,"err":"dial tcp: timeout"}"#,
        r#"{"level":"error","ts":1700000900.9,"msg":"failed to load order","order":99812,"err":"dial tcp: timeout"}"#,
        r#"{"level":"error","ts":1700000900.9,"msg":"failed to save order","order":99812,"err":"dial tcp: timeout"}"#,
    ),
    (
        "level=error msg=\"request failed\" status=500 path=/cart/17 duration=12ms",
        "level=error msg=\"request failed\" status=500 path=/cart/9 duration=1.2s",
        "level=error msg=\"request failed\" status=404 path=/cart/17 duration=12ms",
    ),
    (
        "level=error msg=\"no such user\" user=17",
        "level=error msg=\"no such user\" user=bob",
        "level=error msg=\"no such order\" user=17",
    ),
    (
        "[2.345s][info][gc] GC(17) Pause Young (Normal) (G1 Evacuation Pause) 24M->4M(256M) 3.456ms",
        "[9.1s][info][gc] GC(1) Pause Young (Normal) (G1 Evacuation Pause) 2400M->14M(4096M) 13.4ms",
        "[9.1s][info][gc] GC(1) Pause Full (Normal) (G1 Evacuation Pause) 2400M->14M(4096M) 13.4ms",
    ),
    (
        "proxy.example.hk:5070 close, 0 bytes sent, 451 bytes received, lifetime <1 sec",
        "www.example.com:443 close, 99 bytes sent, 1 bytes received, lifetime 00:01",
        "www.example.com:443 error, 99 bytes sent, 1 bytes received, lifetime 00:01",
    ),
    (
        "ERROR 1062 (23000): Duplicate entry '17' for key 'users.PRIMARY'",
        "ERROR 1062 (23000): Duplicate entry '99' for key 'users.mail'",
        "ERROR 1146 (42S02): Duplicate entry '17' for key 'users.PRIMARY'",
    ),
];

#[test]
fn lines_of_well_known_programs_are_grouped_as_people_would() {
    for (one, same, other) in PROGRAMS {
        assert_eq!(of(one), of(same), "{one}\n{same}");
        assert_ne!(of(one), of(other), "{one}\n{other}");
    }
}

#[test]
fn statuses_codes_types_and_files_stay() {
    for message in [
        "request failed with status 404",
        "HTTP 500",
        "upstream answered 502 after",
        "response: 503, giving up",
        "failed: 503 Service Unavailable",
        "process exited with code 137",
        "error[E0382]: borrow of moved value",
        "TS2304: no such name",
        "ORA-00942: table does not exist",
        "SQLSTATE[42S02]: no table",
        "sqlstate 23505",
        "connect ECONNREFUSED",
        "errno=13",
        "status=404",
        "{\"status\":500}",
        "statusCode: 418",
        "java.lang.NullPointerException in worker2.py",
    ] {
        assert_eq!(Fingerprinter::new().template(message), message);
    }
}

#[test]
fn different_faults_are_different_issues() {
    for (one, other) in [
        ("request failed with status 404", "request failed with status 500"),
        ("GET /a/1 404 12ms", "GET /a/2 500 12ms"),
        ("failed: E1234", "failed: E5678"),
        ("SQLSTATE[42S02]", "SQLSTATE[23000]"),
        ("connect ECONNREFUSED 10.0.0.1", "connect ETIMEDOUT 10.0.0.1"),
        ("TypeError: x", "ValueError: x"),
        ("failed in db.py", "failed in web.py"),
        ("GET /users/1 404", "GET /orders/1 404"),
        ("exit code 1", "exit code 137"),
    ] {
        assert_ne!(of(one), of(other), "{one} | {other}");
    }
}

#[test]
fn the_same_fault_is_one_issue() {
    for (one, other) in [
        ("returned 200 rows", "returned 450 rows"),
        ("user 12 not found", "user 98213 not found"),
        ("GET /users/1?a=b 404 3ms", "GET /users/2 404 1203ms"),
        ("slow: 3 s", "slow: 12 minutes"),
    ] {
        assert_eq!(of(one), of(other), "{one} | {other}");
    }
}

#[test]
fn the_source_belongs_to_the_fingerprint_and_other_fields_do_not() {
    let base = event("failed", None);
    let mut other = base.clone();
    other.env = Cow::Borrowed("staging");
    other.user_id = Some(Cow::Borrowed("u1"));
    other.release = Some(Cow::Borrowed("2"));
    assert_eq!(fingerprint(&base), fingerprint(&other));
    other.source = Cow::Borrowed("worker");
    assert_ne!(fingerprint(&base), fingerprint(&other));
}

#[test]
fn the_client_may_group_for_itself() {
    let grouped = |message: &'static str, grouping: &'static str| {
        let mut event = event(message, None);
        event.client_fingerprint = Some(Cow::Borrowed(grouping));
        fingerprint(&event)
    };
    assert_eq!(grouped("a", "checkout"), grouped("b", "checkout"));
    assert_ne!(grouped("a", "checkout"), grouped("a", "login"));
    assert_eq!(grouped("a", "{{ default }}"), of("a"));
    assert_eq!(grouped("a", "{{default}}"), of("a"));
    assert_eq!(grouped("a", "  "), of("a"));
    assert_ne!(grouped("a", "{{ default }} x"), grouped("b", "{{ default }} x"));
    assert_ne!(grouped("a", "{{ default }} x"), of("a"));
}

/// The same trace with other lines and library frames, and one from another function, in each language.
const TRACES: [(&str, &str, &str); 9] = [
    (
        "TypeError: x is not a function\n    at checkout (/srv/app/src/cart.js:10:5)\n    at next (/srv/app/node_modules/express/lib/router.js:1:2)\n    at /srv/app/src/index.js:3:1",
        "TypeError: y is not a function\n    at checkout (/srv/app/src/cart.js:99:1)\n    at handle (/srv/app/node_modules/koa/index.js:1:2)\n    at /srv/app/src/index.js:4:7",
        "TypeError: x is not a function\n    at refund (/srv/app/src/cart.js:10:5)\n    at /srv/app/src/index.js:3:1",
    ),
    (
        "checkout@https://x.test/app/cart.js:10:5\nmain@https://x.test/app/index.js:1:1",
        "checkout@https://x.test/app/cart.js:12:5\nmain@https://x.test/app/index.js:9:1",
        "refund@https://x.test/app/cart.js:10:5\nmain@https://x.test/app/index.js:1:1",
    ),
    (
        "Traceback (most recent call last):\n  File \"/srv/app/main.py\", line 3, in run\n    go()\n  File \"/srv/app/db.py\", line 10, in query\n    x\n  File \"/usr/lib/python3/dist-packages/psycopg.py\", line 7, in execute\nValueError: bad 1",
        "Traceback (most recent call last):\n  File \"/srv/app/main.py\", line 4, in run\n    go()\n  File \"/srv/app/db.py\", line 11, in query\n    y\nValueError: bad 2",
        "Traceback (most recent call last):\n  File \"/srv/app/main.py\", line 3, in run\n    go()\n  File \"/srv/app/db.py\", line 10, in query\n    x\nKeyError: 'a'",
    ),
    (
        "java.lang.IllegalStateException: x\n\tat com.shop.Cart.add(Cart.java:12)\n\tat java.base/java.lang.Thread.run(Thread.java:1)\n\t... 3 more",
        "java.lang.IllegalStateException: y\n\tat com.shop.Cart.add(Cart.java:14)\n\tat org.springframework.web.Filter.go(Filter.java:1)",
        "java.lang.IllegalStateException: x\n\tat com.shop.Cart.remove(Cart.java:12)",
    ),
    (
        "   0: std::panicking::begin_panic\n             at /rustc/abc/library/std/src/panicking.rs:1:2\n   1: shop::cart::add::h0123456789abcdef\n             at ./src/cart.rs:10:5",
        "   3: core::panicking::panic\n             at /rustc/def/library/core/src/panicking.rs:1:2\n   4: shop::cart::add::hfedcba9876543210\n             at ./src/cart.rs:11:9",
        "   1: shop::cart::remove::h0123456789abcdef\n             at ./src/cart.rs:10:5",
    ),
    (
        "goroutine 1 [running]:\npanic({0x1, 0x2})\n\t/usr/local/go/src/runtime/panic.go:1 +0x1\nmain.(*Cart).add(0xc000010000)\n\t/srv/app/cart.go:10 +0x1d",
        "goroutine 17 [running]:\nmain.(*Cart).add(0xc000020000)\n\t/srv/app/cart.go:12 +0x2e",
        "goroutine 1 [running]:\nmain.(*Cart).remove(0xc000010000)\n\t/srv/app/cart.go:10 +0x1d",
    ),
    (
        "app/models/cart.rb:10:in 'Cart#add'\n/usr/lib/ruby/gems/3.0/gems/rack/lib/rack.rb:1:in 'call'",
        "app/models/cart.rb:12:in 'Cart#add'",
        "app/models/cart.rb:10:in 'Cart#remove'",
    ),
    (
        "#0 /srv/app/Cart.php(10): Cart->add(1)\n#1 /srv/app/vendor/laravel/x.php(1): go()\n#2 {main}",
        "#0 /srv/app/Cart.php(12): Cart->add(2)\n#1 {main}",
        "#0 /srv/app/Cart.php(10): Cart->remove(1)\n#1 {main}",
    ),
    (
        "System.InvalidOperationException: x\n   at Shop.Cart.Add(Int32 id) in C:\\src\\Cart.cs:line 10\n   at System.Threading.Tasks.Task.Run()",
        "System.InvalidOperationException: y\n   at Shop.Cart.Add(Int32 id) in C:\\src\\Cart.cs:line 12\n   at Microsoft.AspNetCore.Run()",
        "System.InvalidOperationException: x\n   at Shop.Cart.Remove(Int32 id) in C:\\src\\Cart.cs:line 10",
    ),
];

#[test]
fn a_stack_is_known_by_its_own_functions_and_files_in_each_language() {
    for (one, same, other) in TRACES {
        assert_eq!(with_stack(one), with_stack(same), "{one}\n{same}");
        assert_ne!(with_stack(one), with_stack(other), "{one}\n{other}");
        assert_ne!(with_stack(one), of("failed"), "{one}");
    }
}

#[test]
fn a_stack_of_library_frames_alone_still_tells_faults_apart() {
    let one = "E: x\n    at a (/srv/node_modules/m/a.js:1:1)";
    let other = "E: x\n    at b (/srv/node_modules/m/a.js:1:1)";
    assert_ne!(with_stack(one), with_stack(other));
}

#[test]
fn a_stack_without_a_readable_frame_changes_nothing() {
    assert_eq!(with_stack("nothing to see"), of("failed"));
}

#[test]
fn a_title_is_the_template_on_one_line_within_its_bound() {
    assert_eq!(Fingerprinter::new().title("user 12\nnot found"), "user * · not found");
    let long = "größer ".repeat(100);
    assert!(Fingerprinter::new().title(&long).chars().count() <= 200);
}

#[test]
fn a_title_keeps_its_words_whole_and_its_lines_apart() {
    for (message, title) in [
        ("3 requests failed", "* requests failed"),
        ("2 of 5 requests timed out after 30 seconds", "* of * requests timed out after *"),
        ("  \n\nsync failed\r\n\r\n  retry later  \n", "sync failed · retry later"),
        ("job 7\n8 tasks left", "job * · * tasks left"),
        ("Caused by:\n  disk full", "Caused by: disk full"),
        ("ends here\n·", "ends here"),
        ("two · parts", "two · parts"),
        ("\n", ""),
    ] {
        assert_eq!(Fingerprinter::new().title(message), title, "{message:?}");
    }
    let cut = format!("{}\nmore", "a".repeat(MAX_TITLE_CHARACTERS - 2));
    assert_eq!(Fingerprinter::new().title(&cut), "a".repeat(MAX_TITLE_CHARACTERS - 2));
}

#[test]
fn what_is_shown_of_a_template_groups_as_before() {
    assert_eq!(of("3 requests failed"), of("1 request failed"));
    assert_eq!(of("user 12\nnot found"), of("user 12 not found"));
}

/// These change only together with `VERSION`: counts and issues are kept under them.
#[test]
fn the_version_s_fingerprints_stay_as_they_are() {
    assert_eq!(of("request 12 failed with status 404").to_string(), "56db7bca96178c46");
    assert_eq!(with_stack(TRACES[0].0).to_string(), "bd7715a9ef2accdf");
}

proptest! {
    #[test]
    fn any_message_has_one_bounded_template(message in any::<String>(), stack in any::<String>()) {
        let mut fingerprinter = Fingerprinter::new();
        let first = fingerprinter.template(&message).to_owned();
        prop_assert_eq!(fingerprinter.template(&message), &first);
        let event = event(&message, Some(&stack));
        prop_assert_eq!(fingerprinter.fingerprint(&event), fingerprint(&event));
    }

    #[test]
    fn the_order_of_events_never_matters(
        events in prop::collection::vec(("[a-z0-9 =:'\"/.]{0,40}", prop::option::of(0..TRACES.len())), 1..12)
    ) {
        let one = |fingerprinter: &mut Fingerprinter, (message, trace): &(String, Option<usize>)| {
            fingerprinter.fingerprint(&event(message, trace.map(|trace| TRACES[trace].0)))
        };
        let mut fingerprinter = Fingerprinter::new();
        let forth: Vec<Fingerprint> = events.iter().map(|event| one(&mut fingerprinter, event)).collect();
        let mut back: Vec<Fingerprint> = events.iter().rev().map(|event| one(&mut fingerprinter, event)).collect();
        back.reverse();
        prop_assert_eq!(&forth, &back);
        let alone: Vec<Fingerprint> = events.iter().map(|event| one(&mut Fingerprinter::new(), event)).collect();
        prop_assert_eq!(forth, alone);
    }

    #[test]
    fn numbers_never_matter_without_a_word_that_says_so(
        one in 0_u64..u64::MAX, other in 0_u64..u64::MAX, word in "[xyz]{3,8}"
    ) {
        prop_assert_eq!(of(&format!("{word} {one} {word}")), of(&format!("{word} {other} {word}")));
    }

    #[test]
    fn punctuation_in_any_order_is_taken_without_a_panic(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "a", "1", " ", "=", "'", "\"", "`", "(", ")", "[", "]", "/", "\\", ":", "::", "://", "@", ".", "?", "ß", "GET",
            "status", "user", "from", "Sun", "{", "}", "\n", "at ", "File \"", " in ", "#0 ", ".go:", ":line ", ".rs",
        ]), 0..40)
    ) {
        let text = pieces.concat();
        let _ = fingerprint(&event(&text, Some(&text)));
    }
}
