//! What the build makes of modules, scripts and sheets before they are compressed.

#[path = "../../../build/link.rs"]
mod link;
#[path = "../../../build/strip.rs"]
mod strip;
#[path = "../../../build/tokens.rs"]
mod tokens;

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
    assert!(
        first.contains(
            "\nlet c=new URL(\"c.js\",import.meta.url);class D{}\n$M[\"c.js\"]={c,D};\n\
             async function a(){return c}\n$M[\"lib/a.js\"]={a};\n\
             (()=>{let{a:b}=$M[\"lib/a.js\"],c=$M[\"c.js\"];void $load(\"pages/x.js\")"
        ),
        "{first}"
    );
    assert!(
        rest.starts_with("import{$M,$load}from\"./main.js\";\nlet x=1;\n$M[\"pages/x.js\"]={x};\n"),
        "{rest}"
    );
    assert!(!rest.contains("function a()"), "{rest}");
}

#[test]
fn a_module_has_a_scope_where_another_has_one_of_its_names_for_something_else() {
    let [(_, first), (_, rest)] = linked(&[
        ("main.js", "import { a } from \"./a.js\";\nconst own = a;\nvoid import(\"./x.js\");\n"),
        ("a.js", "const name = 1;\nexport function a() {\n  const own = [name];\n}\n"),
        ("x.js", "const { length } = \"\";\nexport const x = length;\n"),
        ("y.js", "const one = 1, two = 2;\n"),
        ("z.js", "const alone = 1;\n{\n  const name = alone.own;\n}\n"),
    ])
    .unwrap();
    assert!(
        first.contains("\nlet{a}=(()=>{let name=1;function a(){let own=[name]}\nreturn{a}})();\n"),
        "{first}"
    );
    assert!(first.contains("\n(()=>{let own=a;void $load(\"x.js\");\nreturn{}})();\n"), "{first}");
    assert!(rest.contains("\n$M[\"x.js\"]=(()=>{let{length}=\"\",x=length;\nreturn{x}})();\n"), "{rest}");
    assert!(rest.contains("\n(()=>{let one=1,two=2;\nreturn{}})();\n"), "{rest}");
    assert!(rest.contains("\nlet alone=1;{let name=alone.own}\n"), "{rest}");
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
    assert!(first.contains("\nlet{read}=$M[\"h.js\"]=(()=>{let fill=1,"), "{first}");
    assert!(first.contains("(()=>{let{fill,h,open}=$M[\"h.js\"];void $load"), "{first}");
    assert!(rest.contains("let{x}=$M[\"x.js\"]=(()=>{let{fill}=$M[\"h.js\"],read=fill.h,"), "{rest}");
    assert!(rest.contains("(()=>{let{h:fill}=$M[\"h.js\"],y=(...h)=>[fill,x,h];\nreturn{}})();"), "{rest}");
    let [(_, first), (_, rest)] = linked(&[
        ("main.js", "import { fill, h } from \"./h.js\";\nvoid import(\"./x.js\");\nfill(h);\n"),
        ("h.js", "export const fill = 1;\nexport const h = 2;\nexport const open = 3;\n"),
        ("x.js", "import { fill, open } from \"./h.js\";\nexport const x = [fill.h, { h: open }];\n"),
    ])
    .unwrap();
    assert!(first.contains("\nlet fill=1,h=2,open=3;\n"), "{first}");
    assert!(first.contains("\nvoid $load(\"x.js\");fill(h);\n"), "{first}");
    assert!(first.ends_with("export{$M,$load,fill,open};\n"), "{first}");
    assert!(
        rest.starts_with(
            "import{$M,$load,fill,open}from\"./main.js\";\nlet x=[fill.h,{h:open}];\n$M[\"x.js\"]={x};\n"
        ),
        "{rest}"
    );
}

#[test]
fn only_what_is_taken_of_a_module_is_kept_and_a_comment_takes_nothing() {
    let [(_, first), (_, rest)] = linked(&[
        ("main.js", "import { open } from \"./a.js\";\nvoid import(\"./x.js\");\nopen();\n"),
        ("a.js", "export const open = 1;\n/** @type {import(\"./b.js\").B} */\nexport const b = [1, 2];\nexport const unasked = 1;\nopen();\n"),
        ("b.js", "import { b } from \"./a.js\";\nexport const text = `${open} import(\"./a.js\") ${b}`;\n"),
        ("x.js", "open();\nexport const x = await import(\"./pages/logs.js\");\n"),
    ])
    .unwrap();
    assert!(
        first.contains(
            "\nlet{b}=$M[\"a.js\"]=(()=>{let open=1,b=[1,2],unasked=1;open();\nreturn{open,b}})();\n"
        ),
        "{first}"
    );
    assert!(rest.contains("\nlet text=`${open} import(\"./a.js\") ${b}`;\n"), "{rest}");
    assert!(rest.contains("open();let x=await $load(\"pages/logs.js\");"), "{rest}");
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
        "export const a = f(b, c), d = 2;",
        "export const a = `${b}`, c = 2;",
        "import { a } from \"./pages/logs.js\";",
        "void import(\"./missing.js\");",
        "void import(b);",
        "void import.meta.env;",
    ] {
        assert!(linked(&[("x.js", &format!("{refused}\n"))]).is_err(), "{refused}");
    }
}

#[test]
fn scripts_are_sent_without_comments_and_blanks_and_with_all_their_code() {
    for (script, sent) in [
        (
            "/**\n * Says it.\n */\n  export const one = 1; // gone\n\n// gone\n\tthree();\n",
            "export let one=1;three();\n",
        ),
        (
            "/** @type {A} */ (b).c();\nf((/** @type {A} */ a) => \"/** @b */\");\n",
            "(b).c();f((a)=>\"/** @b */\");\n",
        ),
        // Texts, templates and patterns are left, and what is in a template's places is not.
        (
            "const two = `\n  a * ${ one  + `b ${c }  d` }\n// b\n` + '  e // f';\n",
            "let two=`\n  a * ${one+`b ${c}  d`}\n// b\n`+'  e // f';\n",
        ),
        (
            "a(/` [/\"]\\/ {/g, b / 2 / c);\nreturn / /.test(\"\\\"  \");\n",
            "a(/` [/\"]\\/ {/g,b/2/c);return/ /.test(\"\\\"  \");\n",
        ),
        // Where a line ends a statement, it still does.
        (
            "const a = b\nconst c = [d]\n(e)\nreturn\nf\ng = h()\nif (i) j()\nelse k()\n++l\nm++\nn\n",
            "let a=b\nlet c=[d]\n(e)\nreturn\nf\ng=h()\nif(i)j()\nelse k()\n++l\nm++\nn\n",
        ),
        ("a\n  .b()\n  ?.c();\nd = e ?\n  f : g &&\n  h;\n", "a.b()?.c();d=e?f:g&&h;\n"),
        // What would become another mark or word.
        (
            "a + +b - -c + d++ + e;\nx in y;\ntypeof /z/g in w;\n",
            "a+ +b- -c+d++ +e;x in y;typeof/z/g in w;\n",
        ),
        (
            "a = b / /c/;\nd = e? /f/ / g : - -h;\n1 .toFixed() + 1.5.toFixed() + a1 .b;\n",
            "a=b/ /c/;d=e?/f/ /g:- -h;1 .toFixed()+1.5.toFixed()+a1.b;\n",
        ),
        // Declarations go on, unless a line end may have ended the one before.
        (
            "const a = 1;\nconst { b } = (c) => c;\nlet d;\nlet e = 2;\nf();\nconst g = 3;\n",
            "let a=1,{b}=(c)=>c,d,e=2;f();let g=3;\n",
        ),
        (
            "const a = 1\nb();\nconst c = () => { const d = 2; };\nif (a) { e; const f = 3; }\nconst g = 4;\nfor (const h of g) h();\nconst i = 5;\n",
            "let a=1\nb();let c=()=>{let d=2};if(a){e;let f=3}\nlet g=4;for(let h of g)h();let i=5;\n",
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
        ("{ if (a) b(); else ; }\n", 1),
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
