use std::io::Read;

use flate2::read::GzDecoder;

use super::*;

#[path = "../../../build/link.rs"]
mod link;
#[path = "../../../build/strip.rs"]
mod strip;
#[path = "../../../build/tokens.rs"]
mod tokens;

/// Compressed bytes the whole page may have, in either encoding.
const WHOLE_BUDGET: usize = 64 * 1024;

fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
}

fn get(name: &str, request: &HeaderMap) -> Response {
    asset(&Method::GET, &format!("{}/{name}", BUILD.hash), request).unwrap()
}

fn field(reply: &Response, name: header::HeaderName) -> String {
    reply.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

async fn body(reply: Response) -> Vec<u8> {
    reply.into_body().into_vec().await.unwrap()
}

fn text_of(asset: &Asset) -> &'static str {
    std::str::from_utf8(asset.plain.body).unwrap()
}

fn scripts() -> impl Iterator<Item = (&'static str, &'static Asset)> {
    let is_script = |name: &str| content_type(name).starts_with("text/javascript");
    BUILD.assets.iter().filter(move |(name, _)| is_script(name)).map(|(name, asset)| (*name, asset))
}

/// The parts of a text between two marks.
fn between<'a>(text: &'a str, before: &'a str, after: char) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).filter_map(move |rest| rest.split(after).next())
}

#[test]
fn every_file_the_page_names_is_served() {
    let page = text_of(&BUILD.page);
    let prefix = format!("\"/assets/{}/", BUILD.hash);
    let named: Vec<_> = between(page, &prefix, '"').collect();
    assert!(named.contains(&"main.js") && named.contains(&"app.css"), "{named:?}");
    for name in named {
        assert!(BUILD.find(name).is_some(), "{name}");
    }
    assert!(!page.contains("{build}"));
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
        // Here `open` is the window's, `h` is a member and a key, and `read` is a name of its own.
        ("x.js", "import { fill } from \"./h.js\";\nconst read = fill.h;\nexport const x = [open, { h: read }, `${read}`];\n"),
        ("y.js", "import { h as fill } from \"./h.js\";\nimport { x } from \"./x.js\";\nexport const y = (...h) => [fill, x, h];\n"),
    ])
    .unwrap();
    assert!(first.contains("\n$M[\"h.js\"]=(()=>{const fill=1;"), "{first}");
    assert!(first.contains("(()=>{const{fill,h,open,read}=$M[\"h.js\"];void $load"), "{first}");
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
fn the_scripts_touch_no_html_sink_and_no_storage_and_only_one_asks_the_network() {
    let forbidden = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "DOMParser",
        "setHTML",
        "localStorage",
        "sessionStorage",
        "srcdoc",
    ];
    let mut asked = 0;
    for (name, asset) in scripts() {
        let text = text_of(asset);
        for word in forbidden {
            assert!(!text.contains(word), "{name} has {word}");
        }
        asked += text.matches(" fetch(").count();
    }
    assert_eq!(asked, 1);
}

#[test]
fn tests_and_settings_are_not_served() {
    for (name, _) in BUILD.assets {
        assert!(!name.contains("test") && !name.ends_with("json") && !name.ends_with("html"), "{name}");
    }
    for name in
        ["index.html", "package.json", "tests/time.test.js", "css/base.css", "../Cargo.toml", "", "main.js/"]
    {
        let reply = asset(&Method::GET, &format!("{}/{name}", BUILD.hash), &HeaderMap::new());
        assert_eq!(reply.unwrap_err(), ApiError::NotFound, "{name}");
    }
}

#[test]
fn another_builds_address_is_unknown() {
    for path in ["0000000000000000/main.js", "main.js", "", "/main.js"] {
        assert_eq!(asset(&Method::GET, path, &HeaderMap::new()).unwrap_err(), ApiError::NotFound, "{path}");
    }
}

#[test]
fn only_get_and_head_are_allowed() {
    let path = format!("{}/main.js", BUILD.hash);
    assert_eq!(asset(&Method::POST, &path, &HeaderMap::new()).unwrap_err(), ApiError::MethodNotAllowed);
}

#[tokio::test]
async fn a_file_is_immutable_typed_and_the_same_in_every_encoding() {
    let plain = get("main.js", &HeaderMap::new());
    assert_eq!(field(&plain, header::CACHE_CONTROL), IMMUTABLE);
    assert_eq!(field(&plain, header::CONTENT_TYPE), "text/javascript; charset=utf-8");
    assert_eq!(field(&plain, header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    assert_eq!(field(&plain, header::CONTENT_ENCODING), "");
    let (plain_tag, plain) = (field(&plain, header::ETAG), body(plain).await);
    let mut tags = vec![plain_tag];
    for encoding in ["gzip", "br"] {
        let packed = get("main.js", &headers(&[(header::ACCEPT_ENCODING, encoding)]));
        assert_eq!(field(&packed, header::CONTENT_ENCODING), encoding);
        assert_eq!(field(&packed, header::VARY), "Accept-Encoding");
        tags.push(field(&packed, header::ETAG));
        let packed = body(packed).await;
        assert!(packed.len() < plain.len());
        let mut text = Vec::new();
        match encoding {
            "gzip" => GzDecoder::new(packed.as_slice()).read_to_end(&mut text).unwrap(),
            _ => brotli_decompressor::Decompressor::new(packed.as_slice(), 4096)
                .read_to_end(&mut text)
                .unwrap(),
        };
        assert_eq!(text, plain);
    }
    assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2], "{tags:?}");
}

#[test]
fn the_encoding_is_one_the_client_takes_and_the_one_it_likes_best() {
    for (accepted, expected) in [
        ("gzip, deflate, br, zstd", "br"),
        ("br", "br"),
        ("gzip", "gzip"),
        ("GZIP;q=0.5", "gzip"),
        ("BR;Q=0.5, gzip;q=0.5", "br"),
        ("br;q=0.5, gzip", "gzip"),
        ("br;q=0, *", "gzip"),
        ("*", "br"),
        ("gzip;q=0, *;q=0.1", "br"),
        ("br;q=0, gzip;q=0, *", ""),
        ("*;q=0", ""),
        ("br;q=words", ""),
        ("identity, deflate", ""),
        ("", ""),
    ] {
        let reply = get("main.js", &headers(&[(header::ACCEPT_ENCODING, accepted)]));
        assert_eq!(field(&reply, header::CONTENT_ENCODING), expected, "{accepted}");
    }
}

#[tokio::test]
async fn a_known_tag_is_answered_without_a_body() {
    let tag = field(&get("main.js", &HeaderMap::new()), header::ETAG);
    assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() == 18, "{tag}");
    for sent in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let reply = get("main.js", &headers(&[(header::IF_NONE_MATCH, &sent)]));
        assert_eq!(reply.status(), StatusCode::NOT_MODIFIED, "{sent}");
        assert_eq!(field(&reply, header::ETAG), tag);
        assert!(body(reply).await.is_empty());
    }
    let reply = get("main.js", &headers(&[(header::IF_NONE_MATCH, "\"other\"")]));
    assert_eq!(reply.status(), StatusCode::OK);
}

#[tokio::test]
async fn head_tells_the_length_and_sends_nothing() {
    let path = format!("{}/main.js", BUILD.hash);
    let reply = asset(&Method::HEAD, &path, &HeaderMap::new()).unwrap();
    let length = BUILD.find("main.js").unwrap().plain.body.len().to_string();
    assert_eq!(field(&reply, header::CONTENT_LENGTH), length);
    assert!(body(reply).await.is_empty());
}

#[tokio::test]
async fn the_page_is_not_stored_and_carries_the_policy() {
    let reply = page(StatusCode::OK, &Method::GET, &HeaderMap::new());
    assert_eq!(field(&reply, header::CACHE_CONTROL), "no-store");
    assert_eq!(field(&reply, header::ETAG), "");
    assert_eq!(field(&reply, header::CONTENT_SECURITY_POLICY), CONTENT_SECURITY_POLICY);
    assert!(CONTENT_SECURITY_POLICY.contains("require-trusted-types-for 'script'; trusted-types 'none'"));
    assert!(!CONTENT_SECURITY_POLICY.contains("unsafe") && !CONTENT_SECURITY_POLICY.contains("  "));
    assert_eq!(body(reply).await, BUILD.page.plain.body);
    let packed = page(StatusCode::OK, &Method::HEAD, &headers(&[(header::ACCEPT_ENCODING, "br")]));
    assert_eq!(field(&packed, header::CONTENT_ENCODING), "br");
    assert!(body(packed).await.is_empty());
}

#[test]
fn only_addresses_of_pages_are_pages() {
    for path in [
        "/ui",
        "/ui/",
        "/ui/logs",
        "/ui/logs/06gv-0",
        "/ui/projects/shop/setup",
        "/ui/issues/7",
        "/ui/alerts/",
    ] {
        assert!(is_page(path), "{path}");
    }
    for path in ["/ui/nothing", "/ui/favicon.ico", "/ui/main.js", "/ui/projects/shop/setup/more", "/ui/log"] {
        assert!(!is_page(path), "{path}");
    }
    // Each route of the browser begins with one of them.
    let routes: Vec<_> = between(text_of(BUILD.find("main.js").unwrap()), r"pattern:/^\/ui\/", '/').collect();
    assert!(routes.len() >= 7, "{routes:?}");
    for route in routes {
        let first = route.trim_end_matches(['$', '\\', '?']);
        assert!(PAGES.contains(&first), "{route}");
    }
}

#[test]
fn the_sheets_are_one_file_in_the_order_of_their_layers() {
    let style = text_of(BUILD.find("app.css").unwrap());
    let places: Vec<_> = ["tokens", "base", "layout", "parts"]
        .map(|layer| style.find(&format!("@layer {layer}{{")).expect("each sheet is there"))
        .to_vec();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn the_whole_page_keeps_its_budget() {
    type Pick = fn(&Asset) -> Option<&Variant>;
    let total = |pick: Pick| {
        let size = |asset: &Asset| pick(asset).unwrap_or(&asset.plain).body.len();
        size(&BUILD.page) + BUILD.assets.iter().map(|(_, asset)| size(asset)).sum::<usize>()
    };
    let (brotli, gzip) = (total(|asset| asset.brotli.as_ref()), total(|asset| asset.gzip.as_ref()));
    println!("the whole page: {brotli} bytes with Brotli, {gzip} with gzip");
    assert!(brotli <= WHOLE_BUDGET, "{brotli} bytes");
    assert!(gzip <= WHOLE_BUDGET, "{gzip} bytes");
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
            "a + +b - -c + d++ + e;\nx in y;\ntypeof /z/g in w;\n#p in q;\n",
            "a+ +b- -c+d++ +e;x in y;typeof/z/g in w;#a in q;\n",
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
fn private_members_have_short_names_and_nothing_else_is_renamed() {
    let script = "class A {\n  #first = \"#first\";\n  #second() {\n    return `#first ${this.#first} #second`;\n  }\n  get first() {\n    return this.#second() + /#first/.source;\n  }\n}\n";
    let sent = strip::script(script).unwrap();
    assert_eq!(
        sent,
        "class A{#a=\"#first\";#b(){return`#first ${this.#a} #second`}\nget first(){return this.#b()+/#first/.source}}\n"
    );
    let many: String = (0..60).map(|number| format!("this.#member{number};\n")).collect();
    let sent = strip::script(&many).unwrap();
    let names: std::collections::BTreeSet<&str> = between(&sent, "this.", ';').collect();
    assert_eq!(names.len(), 60);
    assert!(sent.contains("#z;") && sent.contains("#aa;") && sent.contains("#bh;"), "{sent}");
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
