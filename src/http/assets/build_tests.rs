//! What the build makes of modules and sheets: its script runs as cargo runs it, on a folder of a test, and Node runs what it made.

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;

/// What is in each folder, so that a test names what it is about. A text of the same name stands for it.
const ALWAYS: [(&str, &str); 10] = [
    ("package.json", "{ \"type\": \"module\" }"),
    ("index.html", "<script src=\"/assets/{build}/main.js\"></script>"),
    ("main.js", ""),
    ("pages/logs.js", "export const page = 1;"),
    ("css/tokens.css", ""),
    ("css/base.css", ""),
    ("css/layout.css", ""),
    ("css/parts.css", ""),
    ("css/board.css", ""),
    ("css/alerts.css", ""),
];

/// A folder with `web/`, and with `out/web/` where it could be built.
struct Page(TempDir);

impl Page {
    fn build(files: &[(&str, &str)]) -> Result<Self, String> {
        let page = Self(tempfile::tempdir().unwrap());
        for (name, text) in ALWAYS.iter().chain(files) {
            let path = page.0.path().join("web").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        // Without cargo's variables there is no C compiler to call.
        let mut script = Command::new(env!("BUILD_SCRIPT"));
        script.env_clear().env("OUT_DIR", page.0.path().join("out")).current_dir(page.0.path());
        let built = script.output().unwrap_or_else(|why| panic!("{}: {why}", env!("BUILD_SCRIPT")));
        fs::copy(page.0.path().join("web/package.json"), page.0.path().join("out/package.json")).ok();
        if built.status.success() { Ok(page) } else { Err(why(&built)) }
    }

    fn sent(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join("out/web").join(name)).unwrap()
    }

    /// What the page prints, as it is sent and as it is written.
    fn printed(&self) -> [String; 2] {
        ["out/web/main.js", "web/main.js"].map(|script| {
            let ran =
                Command::new("node").arg(self.0.path().join(script)).output().expect("Node is on the PATH");
            assert!(ran.status.success(), "{script}: {}", String::from_utf8_lossy(&ran.stderr));
            String::from_utf8(ran.stdout).unwrap()
        })
    }
}

/// The line with which a build failed.
fn why(built: &Output) -> String {
    let said = String::from_utf8_lossy(&built.stderr);
    said.lines().find(|line| line.starts_with("web/")).unwrap_or_else(|| panic!("{said}")).to_owned()
}

fn refused(files: &[(&str, &str)]) -> String {
    Page::build(files).err().expect("it was built")
}

#[test]
fn modules_run_once_in_the_order_of_their_imports_and_those_of_the_second_script_when_one_is_loaded() {
    let page = Page::build(&[
        ("main.js", "import { page } from \"./pages/logs.js\";\nimport { a } from \"./lib/a.js\";\nimport \"./effect.js\";\nimport { D } from \"./d.js\";\nconsole.log(\"main\", page, a(), new D() instanceof Map);\nasync function later() {\n  for (const load of [() => import(\"./pages/x.js\"), () => import(\"./pages/x.js\"), () => import(\"./pages/logs.js\")]) {\n    console.log(Object.entries(await load()).join());\n  }\n}\nvoid later();\n"),
        ("d.js", "import { a } from \"./lib/a.js\";\nconsole.log(\"d\", a());\nexport class D extends Map {}\n"),
        ("lib/a.js", "import { c } from \"../c.js\";\nconsole.log(\"a\");\nexport function a() { return c; }\n"),
        ("c.js", "console.log(\"c\");\nexport const c = 7;\n"),
        ("effect.js", "console.log(\"effect\");\n"),
        ("pages/x.js", "import { y as own } from \"../y.js\";\nimport { c } from \"../c.js\";\nconsole.log(\"x\", own);\nexport const x = own + c;\nconst z = \"z\";\nexport { z as open };\n"),
        ("y.js", "console.log(\"y\");\nexport const y = 2;\n"),
    ])
    .unwrap();
    let [sent, written] = page.printed();
    assert_eq!(written, "c\na\neffect\nd 7\nmain 1 7 true\ny\nx 2\nopen,z,x,9\nopen,z,x,9\npage,1\n");
    assert_eq!(sent, written);
    assert!(!page.sent("main.js").contains("\"y\"") && !page.sent("main.js").contains("`y`"));
}

#[test]
fn a_name_means_in_a_script_what_it_means_in_its_module() {
    let page = Page::build(&[
        ("main.js", "import { a as b, open } from \"./a.js\";\nimport \"./b.js\";\nlet name = b;\nlet found;\n({ name: found, b: name = 5 } = { b, name });\nconsole.log(name, found, JSON.stringify({ b, name }), open(3), `${b}`);\nasync function later() {\n  await import(\"./x.js\");\n}\nvoid later();\n"),
        ("a.js", "/** @type {import(\"./none.js\").None} */\nvar name, hidden = \"import('./none.js')\";\nconst a = 1, { own, ...others } = { own: 2, third: 3 };\nfunction open(a) {\n  name = own;\n  { let own = { a, name }; own.name = others; return JSON.stringify([own, name, hidden]); }\n}\nexport { a, open };\n"),
        ("b.js", "const a = \"other\";\nclass name { #a = a; own() { return this.#a; } static { console.log(new name().own()); } }\n"),
        // Here `open`, `own` and `parseInt` are nobody's names but the browser's.
        ("x.js", "import { a } from \"./a.js\";\nconsole.log(typeof open, typeof own, a);\nfor (const a of [parseInt(\"4\")]) console.log(a);\nconsole.log(import.meta.url.endsWith(\"web/x.js\"), new URL(\"./y/z\", import.meta.url).pathname.endsWith(\"/web/y/z\"));\n"),
    ])
    .unwrap();
    let [sent, written] = page.printed();
    assert_eq!(
        written,
        "other\n1 1 {\"b\":1,\"name\":1} [{\"a\":3,\"name\":{\"third\":3}},2,\"import('./none.js')\"] 1\nundefined undefined 1\n4\ntrue true\n"
    );
    assert_eq!(sent, written);
}

#[test]
fn what_changes_later_is_imported_as_it_is_and_refused_where_an_object_would_keep_what_it_was() {
    let count = ("count.js", "export let count = 0;\nexport function add() { count += 1; }\n");
    let page = Page::build(&[
        ("main.js", "import { add, count } from \"./count.js\";\nadd();\nconsole.log(count);\nasync function later() {\n  await import(\"./x.js\");\n  console.log(count);\n}\nvoid later();\n"),
        count,
        ("x.js", "import { add, count } from \"./count.js\";\nadd();\nconsole.log(count);\n"),
    ])
    .unwrap();
    assert_eq!(page.printed(), ["1\n2\n2\n", "1\n2\n2\n"]);
    assert_eq!(
        refused(&[count, ("x.js", "\nvoid import(\"./count.js\");\n")]),
        "web/x.js, line 2: count.js can't be loaded, since its count changes"
    );
}

#[test]
fn what_the_linker_does_not_understand_is_refused_with_its_module_and_line() {
    for (text, why) in [
        ("import a from \"./pages/logs.js\";", "an import is of names"),
        ("import * as a from \"./pages/logs.js\";", "an import is of names"),
        ("import { page } from \"elsewhere\";", "elsewhere is not relative"),
        ("import { page } from \"./missing.js\";", "missing.js is not there"),
        ("import { page } from \"../above.js\";", "../above.js leaves web/"),
        ("import { a } from \"./pages/logs.js\";", "pages/logs.js has no a"),
        ("import { page } from \"./pages/logs.js\" with { type: \"json\" };", "an import has no attributes"),
        ("export default 1;", "an export is something of this module, by its name"),
        ("export * from \"./pages/logs.js\";", "an export is something of this module, by its name"),
        ("export { page } from \"./pages/logs.js\";", "an export is something of this module, by its name"),
        ("void import(\"./missing.js\");", "missing.js is not there"),
        ("void import(\"elsewhere\");", "elsewhere is not relative"),
        ("void import(b);", "an import() names its module"),
        ("void import(`./pages/logs.js`);", "an import() names its module"),
        ("void import(\"./pages/logs.js\", {});", "an import() names its module"),
        ("void import.meta.env;", "import.meta has an url"),
        ("await import(\"./pages/logs.js\");", "a module doesn't wait"),
        ("for await (const a of b) c(a);", "a module doesn't wait"),
        ("const a = ;", "Unexpected token"),
        ("const a = 1; let a = 2;", "Identifier `a` has already been declared"),
    ] {
        let text = format!("/* {{\n */\n{text}\n");
        assert_eq!(refused(&[("x.js", &text)]), format!("web/x.js, line 3: {why}"), "{text}");
    }
    for (text, why) in [
        ("import { x as y } from \"./x.js\";\nexport const x = 1;\n", "x.js imports itself over others"),
        (
            "import { page } from \"./pages/logs.js\";\nexport { page };\n",
            "x.js, line 2: an export is something of this module, by its name",
        ),
        ("const a$1 = 1;\n", "x.js, a$1: names have no $"),
        ("$(document);\n", "x.js, $: names have no $"),
    ] {
        assert_eq!(refused(&[("x.js", text)]), format!("web/{why}"), "{text}");
    }
    let circle = [
        ("x.js", "import { y } from \"./y.js\";\nexport const x = 1;\n"),
        ("y.js", "import { x } from \"./x.js\";\nexport const y = 1;\n"),
    ];
    assert_eq!(refused(&circle), "web/x.js imports itself over others");
}

#[test]
fn a_script_is_sent_without_what_only_its_source_needs() {
    let page = Page::build(&[(
        "main.js",
        "/** Says it. */\nclass Greeting {\n  #words = 1; // gone\n  say() { return this.#words; }\n}\nconst unused = 1;\nglobalThis.Greeting = new Greeting();\nconsole.log(open);\n",
    )])
    .unwrap();
    let sent = page.sent("main.js");
    assert_eq!(
        sent,
        "class e{#e=1;say(){return this.#e}}globalThis.Greeting=new e,console.log(open);export{};"
    );
}

#[test]
fn sheets_are_sent_without_comments_and_blanks() {
    for (sheet, sent) in [
        ("/* gone */\n  a { b: c; } /* kept */\n", "a{b:c}/* kept */\n"),
        (
            "@media (a <= 1px) {\n  b > c,\n  d :is(e) {\n    f: g(h, 1px + 2px);\n    &:i { content: \": ; \"; }\n  }\n}\n",
            "@media (a <= 1px){b>c,d :is(e){f:g(h,1px + 2px);&:i{content:\": ; \"}}}",
        ),
        ("a\nb { c: d }\n", "a\nb{c:d}"),
    ] {
        assert_eq!(Page::build(&[("css/base.css", sheet)]).unwrap().sent("app.css"), sent);
    }
    assert_eq!(
        refused(&[("css/base.css", "/* a\n b */\n")]),
        "web/css/base.css, line 1: a comment must end on its line"
    );
}
