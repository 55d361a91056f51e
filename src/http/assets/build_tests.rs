//! What the build makes of modules, scripts and sheets before they are compressed.

#[path = "../../../build/link.rs"]
mod link;
#[path = "../../../build/minify.rs"]
mod minify;
#[path = "../../../build/module.rs"]
mod module;
#[path = "../../../build/sheet.rs"]
mod sheet;

/// The two scripts before they are minified, each statement on lines of its own.
fn linked(modules: &[(&str, &str)]) -> Result<[String; 2], String> {
    let list = [("main.js", "start();\n"), ("pages/logs.js", "export const page = 1;\n")];
    let all =
        list.iter().chain(modules).map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    link::link(&all).map(|scripts| scripts.map(|(_, text)| text))
}

/// The first line of a refused module `x.js`, as the error has it.
fn refused(text: &str) -> String {
    linked(&[("x.js", text)]).unwrap_err()
}

#[test]
fn modules_run_once_in_the_order_of_their_imports() {
    let [first, rest] = linked(&[
        ("main.js", "import { a } from \"./lib/a.js\";\nimport \"./effect.js\";\nimport { d } from \"./d.js\";\nmain(a, d);\n"),
        ("d.js", "import { a } from \"./lib/a.js\";\nexport class d extends a {}\n"),
        ("lib/a.js", "import { c } from \"../c.js\";\nexport async function a() { return c; }\n"),
        ("c.js", "export const c = 1;\n"),
        ("effect.js", "effect();\n"),
        ("pages/x.js", "import { y } from \"../y.js\";\nimport { c } from \"../c.js\";\nx(y, c);\n"),
        ("y.js", "export const y = 2;\n"),
    ])
    .unwrap();
    assert_eq!(
        first,
        "const page$0 = 1;\nconst c$1 = 1;\nasync function a$2() {\n\treturn c$1;\n}\neffect();\n\
         class d$4 extends a$2 {}\nmain(a$2, d$4);\nexport { c$1 as a };\n"
    );
    assert_eq!(rest, "import { a as c$1 } from \"./main.js\";\nconst y$6 = 2;\nx(y$6, c$1);\nexport {  };\n");
}

#[test]
fn a_name_means_in_a_script_what_it_means_in_its_module() {
    let [first, rest] = linked(&[
        (
            "main.js",
            "import { a as b, open } from \"./a.js\";\nlet name = b;\nf({ b, name }, { name: open } = b, window.open);\n",
        ),
        (
            "a.js",
            "var name, hidden;\nconst a = 1, { own, ...others } = a;\nfunction open(a) { name = own; { let own = a; own.name = others; } }\nexport { a, open };\n",
        ),
        // Here `open` is the window's and `own` nobody's.
        ("x.js", "for (const name of open(own)) g`${name}`;\n"),
    ])
    .unwrap();
    assert_eq!(
        first,
        "const page$0 = 1;\nvar name$1, hidden$1;\nconst a$1 = 1, { own: own$1, ...others$1 } = a$1;\n\
         function open$1(a) {\n\tname$1 = own$1;\n\t{\n\t\tlet own = a;\n\t\town.name = others$1;\n\t}\n}\n\
         let name$2 = a$1;\nf({\n\tb: a$1,\n\tname: name$2\n}, {name: open$1} = a$1, window.open);\nexport {  };\n"
    );
    assert!(rest.contains("for (const name of open(own)) g`${name}`;\n"), "{rest}");
}

#[test]
fn a_module_that_is_loaded_is_an_object_of_its_exports_from_its_script() {
    let [first, rest] = linked(&[
        ("main.js", "import { h } from \"./h.js\";\nconst load = () => [import(\"./x.js\"), import(\"./pages/logs.js\")];\nload(h);\n"),
        ("h.js", "export const h = import.meta.url;\n/** @type {import(\"./none.js\").None} */\nexport const unasked = \"import('./none.js')\";\n"),
        ("x.js", "import { h } from \"./h.js\";\nexport const x = h;\nfunction own() {}\nexport { own as open };\n"),
        ("y.js", "async function y() { return [await import(\"./x.js\"), import(\"./h.js\")]; }\n"),
    ])
    .unwrap();
    assert_eq!(
        first,
        "const page$0 = 1;\nconst h$1 = new URL(\"h.js\", import.meta.url).href;\nconst unasked$1 = \"import('./none.js')\";\n\
         const load$2 = () => [import(\"./rest.js\").then((script) => script.a), import(\"./main.js\").then((script) => script.a)];\n\
         load$2(h$1);\nconst $1 = { h: h$1, unasked: unasked$1 };\nconst $0 = { page: page$0 };\n\
         export { $0 as a, $1 as c, h$1 as b };\n"
    );
    assert_eq!(
        rest,
        "import { a as $0, c as $1, b as h$1 } from \"./main.js\";\nconst x$3 = h$1;\nfunction own$3() {}\n\
         async function y$4() {\n\treturn [await import(\"./rest.js\").then((script) => script.a), import(\"./main.js\").then((script) => script.c)];\n}\n\
         const $3 = { open: own$3, x: x$3 };\nexport { $3 as a };\n"
    );
}

#[test]
fn what_changes_later_is_imported_as_it_is_and_refused_where_an_object_would_keep_what_it_was() {
    let counter = ("count.js", "export let count = 0;\nexport function add() { count += 1; }\n");
    let [first, rest] = linked(&[
        ("main.js", "import { add, count } from \"./count.js\";\nadd(count);\n"),
        counter,
        ("x.js", "import { count } from \"./count.js\";\nx(count);\n"),
    ])
    .unwrap();
    assert!(first.ends_with("export { count$1 as a };\n"), "{first}");
    assert!(rest.starts_with("import { a as count$1 } from \"./main.js\";\nx(count$1);\n"), "{rest}");
    let why = linked(&[counter, ("x.js", "\nvoid import(\"./count.js\");\n")]).unwrap_err();
    assert_eq!(why, "x.js, line 2: count.js can't be loaded, since its count changes");
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
        assert_eq!(refused(&format!("/* {{\n */\n{text}\n")), format!("x.js, line 3: {why}"), "{text}");
    }
    for (text, why) in [
        ("import { x as y } from \"./x.js\";\nexport const x = 1;\n", "x.js imports itself over others"),
        (
            "import { page } from \"./pages/logs.js\";\nexport { page };\n",
            "x.js, page is imported: who wants it takes it from where it is",
        ),
        ("const a$1 = 1;\n", "x.js, a$1: names have no $"),
        ("$(document);\n", "x.js, $: names have no $"),
    ] {
        assert_eq!(refused(text), why, "{text}");
    }
    let circle = [
        ("x.js", "import { y } from \"./y.js\";\nexport const x = 1;\n"),
        ("y.js", "import { x } from \"./x.js\";\nexport const y = 1;\n"),
    ];
    assert_eq!(linked(&circle).unwrap_err(), "x.js imports itself over others");
}

#[test]
fn a_script_is_sent_in_few_bytes_and_keeps_what_others_see_of_it() {
    for (script, sent) in [
        // What another script or the browser may see stays; comments, blanks and what is named here alone do not.
        (
            "import { a as one } from \"./main.js\";\n/** Says it. */\nfunction two(three) { return one.three(three, open); }\nexport { two as b };\n",
            "import{a as e}from\"./main.js\";function t(t){return e.three(t,open)}export{t as b};",
        ),
        (
            "class A {\n  #one = 1; // gone\n  two() { return this.#one; }\n}\nglobalThis.A = new A();\n",
            "class e{#e=1;two(){return this.#e}}globalThis.A=new e;",
        ),
        ("console.log(\"kept\");\nconst unused = 1;\n", "console.log(`kept`);"),
        ("", ""),
    ] {
        assert_eq!(minify::minify(script).unwrap(), sent);
    }
    assert!(minify::minify("const a = ;").is_err());
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
        assert_eq!(sheet::strip(sheet).unwrap(), sent);
    }
    assert!(sheet::strip("/* a\n b */\n").is_err());
}
