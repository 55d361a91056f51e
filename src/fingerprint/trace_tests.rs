//! Traces as eight languages print them. In the fixtures each begins with `@@ group | message`: traces of one group must
//! have one fingerprint, of two groups two.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Explanation, Fingerprint, Fingerprinter, Kind, Parts, Verdict, library_lines};

const FIXTURES: [(&str, &str); 16] = [
    ("javascript", include_str!("../../tests/fixtures/traces/javascript.txt")),
    ("python", include_str!("../../tests/fixtures/traces/python.txt")),
    ("java", include_str!("../../tests/fixtures/traces/java.txt")),
    ("dotnet", include_str!("../../tests/fixtures/traces/dotnet.txt")),
    ("rust", include_str!("../../tests/fixtures/traces/rust.txt")),
    ("go", include_str!("../../tests/fixtures/traces/go.txt")),
    ("ruby", include_str!("../../tests/fixtures/traces/ruby.txt")),
    ("php", include_str!("../../tests/fixtures/traces/php.txt")),
    ("javascript, second set", include_str!("../../tests/fixtures/traces/second/javascript.txt")),
    ("python, second set", include_str!("../../tests/fixtures/traces/second/python.txt")),
    ("java, second set", include_str!("../../tests/fixtures/traces/second/java.txt")),
    ("dotnet, second set", include_str!("../../tests/fixtures/traces/second/dotnet.txt")),
    ("rust, second set", include_str!("../../tests/fixtures/traces/second/rust.txt")),
    ("go, second set", include_str!("../../tests/fixtures/traces/second/go.txt")),
    ("ruby, second set", include_str!("../../tests/fixtures/traces/second/ruby.txt")),
    ("php, second set", include_str!("../../tests/fixtures/traces/second/php.txt")),
];

fn explain(message: &str, stack: &str) -> Explanation {
    let parts = Parts { message, source: "api", stack: Some(stack), client: None };
    Fingerprinter::new().explain(&parts)
}

fn of(stack: &str) -> Fingerprint {
    explain("failed", stack).fingerprint
}

/// Group, message and trace of each.
fn traces(fixture: &'static str) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    fixture.split("@@ ").skip(1).map(|trace| {
        let (head, stack) = trace.split_once('\n').expect("a head and a trace");
        let (group, message) = head.split_once(" | ").unwrap_or((head, "it failed"));
        (group, message, stack)
    })
}

#[test]
fn one_fault_is_one_issue_and_two_are_two_in_each_language() {
    let mut wrong = Vec::new();
    for (language, fixture) in FIXTURES {
        let mut groups: BTreeMap<&str, Explanation> = BTreeMap::new();
        for (group, message, stack) in traces(fixture) {
            let found = explain(message, stack);
            assert_eq!(found.kind, Kind::Stack, "{language}, {group}");
            let first = groups.entry(group).or_insert_with(|| found.clone());
            if first.fingerprint != found.fingerprint {
                wrong.push(format!("{language}: two of {group}\n{:#?}\n{:#?}", first.hashed, found.hashed));
            }
        }
        let mut by_print: BTreeMap<Fingerprint, &str> = BTreeMap::new();
        for (group, found) in &groups {
            if let Some(other) = by_print.insert(found.fingerprint, group) {
                wrong.push(format!("{language}: {group} and {other} are one\n{:#?}", found.hashed));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_trace_after_the_message_in_one_text_counts_as_one() {
    for (language, fixture) in FIXTURES {
        for (group, message, stack) in traces(fixture).take(4) {
            let text = format!("{message}\n{stack}");
            let parts = Parts { message: &text, source: "api", stack: None, client: None };
            let found = Fingerprinter::new().explain(&parts);
            if found.frames.len() >= 2 {
                assert_eq!(found.kind, Kind::Stack, "{language}, {group}");
            }
        }
    }
    let parts = |message| Parts { message, source: "api", stack: None, client: None };
    for text in ["two lines\nat most", "list:\n1: apple\n2: pear", "at 3 (three)\nat 4 (four)\nat five (5)"] {
        assert_eq!(Fingerprinter::new().explain(&parts(text)).kind, Kind::Template, "{text}");
    }
}

#[test]
fn each_frame_says_why_it_counts_or_does_not() {
    let stack = "TypeError: x\n    at a (/srv/app/a.js:1:1)\n    at b (/srv/app/node_modules/m/b.js:1:1)\n    \
                 at a (/srv/app/a.js:9:9)\n    at node:internal/main:1:1";
    let found = explain("failed", stack);
    let verdicts: Vec<Verdict> = found.frames.iter().map(|frame| frame.verdict).collect();
    let library = Verdict::Library;
    assert_eq!(verdicts, [Verdict::Own, library("node_modules/"), Verdict::Repeated, library("node:")]);
    assert_eq!(found.types, ["TypeError"]);
    assert_eq!(found.hashed, ["version 2", "source api", "type TypeError", "frame a in a.js"]);
    let alone = explain("failed", "E: x\n    at b (/srv/node_modules/m/b.js:1:1)");
    assert_eq!(alone.frames[0].verdict, Verdict::OnlyLibraries);
}

/// Read by the page's tests too (web/tests/stack.test.js), which leave these lines out.
#[test]
fn the_lines_of_libraries_are_those_the_page_leaves_out() {
    let cases: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../tests/fixtures/traces/library_lines.json")).unwrap();
    assert!(cases.len() >= 12);
    for case in cases {
        let found = library_lines(case["stack"].as_str().unwrap());
        assert_eq!(serde_json::json!(found), case["library_lines"], "{}", case["name"]);
        // Terminals colour each line; what they don't show doesn't matter.
        let lines = case["stack"].as_str().unwrap().split('\n');
        let coloured: Vec<String> = lines.map(|line| format!("\u{1b}[90m{line}\u{1b}[39m")).collect();
        assert_eq!(library_lines(&coloured.join("\n")), found, "{}, coloured", case["name"]);
    }
}

#[test]
fn the_lines_of_libraries_agree_with_the_frames_that_count() {
    for (language, fixture) in FIXTURES {
        for (group, message, stack) in traces(fixture) {
            let found = explain(message, stack);
            let lines: Vec<&str> = stack.lines().collect();
            let libraries = library_lines(stack);
            let ends = libraries.iter().flatten().copied().collect::<Vec<_>>();
            assert!(
                ends.is_sorted() && ends.iter().all(|end| *end < lines.len()),
                "{language}, {group}: {ends:?}"
            );
            let verdicts = found.frames.iter().map(|frame| frame.verdict);
            let expected = verdicts.clone().filter(|verdict| matches!(verdict, Verdict::Library(_))).count();
            if verdicts.clone().any(|verdict| verdict == Verdict::OnlyLibraries) {
                assert_eq!(libraries.len(), 0, "{language}, {group}");
            }
            // What handles a panic, and what is told beside, is shown and counts for nothing.
            assert!(libraries.len() >= expected, "{language}, {group}");
            let is_left = |at: usize| !libraries.iter().any(|[from, to]| (*from..=*to).contains(&at));
            let left: Vec<&str> =
                lines.iter().enumerate().filter(|(at, _)| is_left(*at)).map(|(_, line)| *line).collect();
            let own = found.frames.iter().filter(|frame| frame.verdict == Verdict::Own);
            // Some names are shortened for the fingerprint; the others stand in the trace.
            let names = own.map(|frame| frame.function.rsplit(['.', ':']).next().unwrap_or(""));
            for name in names.filter(|name| stack.contains(name)) {
                assert!(left.iter().any(|line| line.contains(name)), "{language}, {group}: {name}");
            }
        }
    }
}

#[test]
fn the_message_counts_only_where_a_trace_names_no_type() {
    let frames = "main.(*Cart).Add(0xc000010000)\n\t/srv/app/cart.go:10 +0x1d";
    let of = |message| explain(message, frames).fingerprint;
    assert_eq!(of("cart 17 is closed"), of("cart 18 is closed"));
    assert_ne!(of("cart 17 is closed"), of("no item 17"));
    assert_eq!(of("ShopError: cart 17"), of("ShopError: no such item"), "the message begins with the type");
}

#[test]
fn only_the_first_frames_of_a_deep_trace_count() {
    let deep = |extra: usize| {
        let frame = |number: usize| format!("    at f{} (/srv/app/deep.js:1:1)\n", "x".repeat(number));
        format!("Error: x\n{}", (1..=16 + extra).map(frame).collect::<String>())
    };
    assert_eq!(of(&deep(0)), of(&deep(5)));
    let last = explain("failed", &deep(3)).frames.pop().expect("frames");
    assert_eq!(last.verdict, Verdict::Beyond);
}

#[test]
fn a_huge_or_hostile_trace_is_read_in_bounded_steps() {
    let huge = "    at f (/srv/app/a.js:1:1)\n".repeat(2_000);
    assert!(explain("failed", &huge).frames.len() <= 60);
    let nested = "Caused by: a.B: x\n\tat a.B.c(B.java:1)\n".repeat(300);
    assert_eq!(explain("failed", &nested).kind, Kind::Stack);
    for hostile in [
        "at ((((((:1:1",
        "File \"",
        "#0 (: ",
        ":in '",
        "@:1",
        "<>d__",
        "::{",
        "--- End of inner exception stack trace",
    ] {
        let _ = of(&hostile.repeat(500));
        let _ = of(&format!("{hostile}\n").repeat(500));
    }
}

/// Everything that may differ between two events of one fault.
fn same_fault(seed: (u32, u32, &str, u64)) -> String {
    let (line, column, folder, value) = seed;
    format!(
        "TypeError: no price for {value}\n    at price ({folder}/src/cart2.js:{line}:{column})\n    \
         at {folder}/src/server.js:{column}:{line}\n    at run ({folder}/node_modules/x/y.js:{line}:1)"
    )
}

proptest! {
    #[test]
    fn lines_folders_and_values_never_matter(
        one in (any::<u32>(), any::<u32>(), "(/[a-z0-9-]{1,8}){1,4}", any::<u64>()),
        other in (any::<u32>(), any::<u32>(), "(/[a-z0-9-]{1,8}){1,4}", any::<u64>()),
    ) {
        let one = same_fault((one.0 % 1_000_000, one.1 % 1_000_000, &one.2, one.3));
        let other = same_fault((other.0 % 1_000_000, other.1 % 1_000_000, &other.2, other.3));
        prop_assert_eq!(of(&one), of(&other), "{}\n{}", one, other);
    }

    #[test]
    fn pieces_of_traces_in_any_order_are_taken_without_a_panic(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "at ", "async ", "(", ")", " in ", ":line 3", ":1:2", "File \"", "\"", ", line 3", "#0 ", "{main}", ": ", "\n",
            "\n\t", "from ", ":in '", "'", "@", "https://", "/a/", "b.js", ".go:1", "0: ", "::h0123456789abcdef", "::{{closure}}",
            "Caused by: ", " ---> ", "Next ", "[cause]: ", "X.YError", ": said", "goroutine 1 [running]:", "panic: ", "| ", "+ ",
            "Traceback (most recent call last):", "thread 'a' panicked at ", "<A>d__3", "$$Lambda$1/0x2", "ß", "E", "_", "1f",
        ]), 0..60)
    ) {
        let text = pieces.concat();
        let once = explain(&text, &text);
        prop_assert_eq!(&once, &explain(&text, &text));
        let event = Parts { message: &text, source: "api", stack: Some(&text), client: None };
        prop_assert_eq!(Fingerprinter::new().of_parts(&event), once.fingerprint);
    }
}
