//! What the build makes of modules, scripts and sheets before they are compressed.

#[path = "../../../build/link.rs"]
mod link;
#[path = "../../../build/strip.rs"]
mod strip;
#[path = "../../../build/tokens.rs"]
mod tokens;

/// The parts of a text between two marks.
fn between<'a>(text: &'a str, before: &'a str, after: char) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).filter_map(move |rest| rest.split(after).next())
}

fn linked(modules: &[(&str, &str)]) -> Result<[(String, String); 2], String> {
    let list = [("main.js", "start();\n"), ("pages/logs.js", "export const page = 1;\n")];
    let all =
        list.iter().chain(modules).map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    link::link(&all)
}

#[test]
fn modules_are_joined_in_the_order_of_their_imports_and_stay_scopes_of_their_own() {
    let [(_, first), (_, rest)] = linked(&[
        ("main.js", "import { a as b } from \"./lib/a.js\";\nimport * as c from \"./c.js\";\nvoid import(\"./pages/x.js\");\n"),
        ("lib/a.js", "import { c } from \"../c.js\";\nexport async function a() {\n  return c;\n}\n"),
        ("c.js", "export const c = import.meta.url;\nexport class D {}\n"),
        ("pages/x.js", "import { a } from \"../lib/a.js\";\nexport const x = 1;\n"),
    ])
    .unwrap();
    let order: Vec<_> = between(&first, "$M[\"", '"').collect();
    assert_eq!(order, ["c.js", "lib/a.js", "lib/a.js", "c.js"], "{first}");
    assert!(
        first.contains("(()=>{const{a:b}=$M[\"lib/a.js\"];const c=$M[\"c.js\"];void $load(\"pages/x.js\")"),
        "{first}"
    );
    assert!(
        first.contains("const c=new URL(\"c.js\",import.meta.url);class D{}\nreturn{c,D}})();"),
        "{first}"
    );
    assert!(
        rest.starts_with("import{$M,$load}from\"./main.js\";\n$M[\"pages/x.js\"]=(()=>{const x=1;"),
        "{rest}"
    );
    assert!(!rest.contains("function a()"), "{rest}");
}

#[test]
fn a_name_that_means_one_thing_everywhere_is_shared_and_another_is_taken_from_its_module() {
    let [(_, first), (_, rest)] = linked(&[
        ("main.js", "import { fill, h, open, read } from \"./h.js\";\nvoid import(\"./x.js\");\nfill(h, open, read);\n"),
        ("h.js", "export const fill = 1;\nexport const h = 2;\nexport const open = 3;\nexport const read = 4;\nexport const alone = 5;\n"),
        // Here `open` is the window's, `h` is a member and a key, and `read` a name of its own, which no
        // browser has.
        ("x.js", "import { fill } from \"./h.js\";\nconst read = fill.h;\nexport const x = [open, { h: read }, `${read}`];\n"),
        ("y.js", "import { h as fill } from \"./h.js\";\nimport { x } from \"./x.js\";\nexport const y = (...h) => [fill, x, h];\n"),
    ])
    .unwrap();
    assert!(first.contains("\nconst{read}=$M[\"h.js\"]=(()=>{const fill=1;"), "{first}");
    assert!(first.contains("(()=>{const{fill,h,open}=$M[\"h.js\"];void $load"), "{first}");
    assert!(
        rest.contains("const{x}=$M[\"x.js\"]=(()=>{const{fill}=$M[\"h.js\"];const read=fill.h;"),
        "{rest}"
    );
    assert!(
        rest.contains("(()=>{const{h:fill}=$M[\"h.js\"];const y=(...h)=>[fill,x,h];\nreturn{}})();"),
        "{rest}"
    );
    let [(_, first), (_, rest)] = linked(&[
        ("main.js", "import { fill, h } from \"./h.js\";\nvoid import(\"./x.js\");\nfill(h);\n"),
        ("h.js", "export const fill = 1;\nexport const h = 2;\nexport const open = 3;\n"),
        ("x.js", "import { fill, open } from \"./h.js\";\nexport const x = [fill.h, { h: open }];\n"),
    ])
    .unwrap();
    assert!(first.contains("\nconst{fill,h,open}=(()=>{const fill=1;"), "{first}");
    assert!(first.contains("\n(()=>{void $load(\"x.js\");fill(h);"), "{first}");
    assert!(first.ends_with("export{$M,$load,fill,open};\n"), "{first}");
    assert!(rest.starts_with("import{$M,$load,fill,open}from\"./main.js\";\n$M[\"x.js\"]=(()=>{const x=[fill.h,{h:open}];\nreturn{x}})();"), "{rest}");
}

#[test]
fn what_the_linker_does_not_understand_is_refused() {
    for refused in [
        "import \"./a.js\";",
        "import a from \"./pages/logs.js\";",
        "import { a } from './pages/logs.js';",
        "import { a } from \"elsewhere\";",
        "import { a } from \"./missing.js\";",
        "import { a } from \"../../above.js\";",
        "import { x } from \"./x.js\";",
        "export default 1;",
        "export { a };",
        "export let a = 1;",
        "export const { a } = b;",
    ] {
        assert!(linked(&[("x.js", &format!("{refused}\n"))]).is_err(), "{refused}");
    }
}

#[test]
fn scripts_are_sent_without_comments_and_blanks_and_with_all_their_code() {
    for (script, sent) in [
        (
            "/**\n * Says it.\n */\n  export const one = 1; // gone\n\n// gone\n\tthree();\n",
            "export const one=1;three();\n",
        ),
        (
            "/** @type {A} */ (b).c();\nf((/** @type {A} */ a) => \"/** @b */\");\n",
            "(b).c();f((a)=>\"/** @b */\");\n",
        ),
        // Texts, templates and patterns are left, and what is in a template's places is not.
        (
            "const two = `\n  a * ${ one  + `b ${c }  d` }\n// b\n` + '  e // f';\n",
            "const two=`\n  a * ${one+`b ${c}  d`}\n// b\n`+'  e // f';\n",
        ),
        (
            "a(/` [/\"]\\/ {/g, b / 2 / c);\nreturn / /.test(\"\\\"  \");\n",
            "a(/` [/\"]\\/ {/g,b/2/c);return/ /.test(\"\\\"  \");\n",
        ),
        // Where a line ends a statement, it still does.
        (
            "const a = b\nconst c = [d]\n(e)\nreturn\nf\ng = h()\nif (i) j()\nelse k()\n++l\nm++\nn\n",
            "const a=b\nconst c=[d]\n(e)\nreturn\nf\ng=h()\nif(i)j()\nelse k()\n++l\nm++\nn\n",
        ),
        ("a\n  .b()\n  ?.c();\nd = e ?\n  f : g &&\n  h;\n", "a.b()?.c();d=e?f:g&&h;\n"),
        // What would become another mark or word.
        (
            "a + +b - -c + d++ + e;\nx in y;\ntypeof /z/g in w;\n",
            "a+ +b- -c+d++ +e;x in y;typeof/z/g in w;\n",
        ),
        // Members nobody sees from outside.
        (
            "class A {\n  #one = `${this.#two}`;\n  #two = \"#two\";\n  has(a) { return #one in a; }\n}\n",
            "class A{#a=`${this.#b}`;#b=\"#two\";has(a){return #a in a}}\n",
        ),
        (
            "f([a, b,], { c, }, [,], [d,,],);\nclass E {\n  #f = 1;\n  g() { h(); }\n}\n",
            "f([a,b],{c},[,],[d,,]);class E{#a=1;g(){h()}}\n",
        ),
        ("", ""),
    ] {
        assert_eq!(strip::script(script).unwrap(), sent);
    }
}

#[test]
fn a_script_that_can_not_be_told_apart_without_a_parser_is_refused() {
    for (refused, line) in [
        ("const a = 1;\nconst b = \"c\n\";\n", 2),
        ("const a = `b\n", 1),
        ("a();\n\n/* b\n c\n", 3),
        ("const a = /b[/]\n;\n", 1),
        ("const a = b /c;\n", 1),
        ("if (a) /b/.test(c);\n", 1),
        ("function a() {\n", 2),
        ("a();\n}\n", 2),
        ("a();\nwhile (b());\n", 2),
        ("for (;;);\n", 1),
        ("if (a) ;\n", 1),
    ] {
        let why = strip::script(refused).unwrap_err();
        assert!(why.starts_with(&format!("line {line}: ")), "{refused}: {why}");
    }
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
        assert_eq!(strip::sheet(sheet).unwrap(), sent);
    }
    assert!(strip::sheet("/* a\n b */\n").is_err());
}
