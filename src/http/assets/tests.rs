use std::io::Read;

use flate2::read::GzDecoder;

use super::*;

/// Compressed bytes the whole page may have.
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

fn page_text() -> String {
    String::from_utf8(BUILD.page.to_vec()).unwrap()
}

fn scripts() -> impl Iterator<Item = (&'static String, &'static Asset)> {
    BUILD.assets.iter().filter(|(_, asset)| asset.content_type.starts_with("text/javascript"))
}

/// The parts of a text between two marks.
fn between<'a>(text: &'a str, before: &'a str, after: char) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).filter_map(move |rest| rest.split(after).next())
}

#[test]
fn every_file_the_page_names_is_served() {
    let page = page_text();
    let prefix = format!("\"/assets/{}/", BUILD.hash);
    let named: Vec<_> = between(&page, &prefix, '"').collect();
    assert!(named.contains(&"main.js") && named.contains(&STYLESHEET), "{named:?}");
    for name in named {
        assert!(BUILD.assets.contains_key(name), "{name}");
    }
    assert!(!page.contains(BUILD_MARK));
}

#[test]
fn every_import_of_a_module_is_served() {
    let mut imports = 0;
    for (name, asset) in scripts() {
        let text = std::str::from_utf8(&asset.plain.body).unwrap();
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        for import in between(text, " from \"", '"').chain(between(text, "import(\"", '"')) {
            let base = url::Url::parse(&format!("http://host/{folder}/")).unwrap();
            let target = base.join(import).unwrap();
            let path = target.path().trim_start_matches('/');
            assert!(import.starts_with('.') && BUILD.assets.contains_key(path), "{name} imports {import}");
            imports += 1;
        }
    }
    assert!(imports > 20, "{imports}");
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
    for (name, asset) in scripts() {
        let text = std::str::from_utf8(&asset.plain.body).unwrap();
        for word in forbidden {
            assert!(!text.contains(word), "{name} has {word}");
        }
        assert!(name == "api.js" || !text.contains(" fetch("), "{name} calls fetch");
    }
}

#[test]
fn tests_and_settings_are_not_served() {
    for name in BUILD.assets.keys() {
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
async fn a_file_is_immutable_typed_and_the_same_in_both_encodings() {
    let plain = get("main.js", &HeaderMap::new());
    let packed = get("main.js", &headers(&[(header::ACCEPT_ENCODING, "br, gzip")]));
    assert_eq!(field(&plain, header::CACHE_CONTROL), IMMUTABLE);
    assert_eq!(field(&plain, header::CONTENT_TYPE), "text/javascript; charset=utf-8");
    assert_eq!(field(&plain, header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    assert_eq!(field(&plain, header::CONTENT_ENCODING), "");
    assert_eq!(field(&packed, header::CONTENT_ENCODING), "gzip");
    assert_eq!(field(&packed, header::VARY), "Accept-Encoding");
    assert_ne!(field(&plain, header::ETAG), field(&packed, header::ETAG));
    let (plain, packed) = (body(plain).await, body(packed).await);
    assert!(packed.len() < plain.len());
    let mut text = Vec::new();
    GzDecoder::new(packed.as_slice()).read_to_end(&mut text).unwrap();
    assert_eq!(text, plain);
}

#[test]
fn gzip_is_sent_only_to_those_who_take_it() {
    for (accepted, expected) in [
        ("gzip", true),
        ("GZIP;q=0.5", true),
        ("*", true),
        ("gzip;q=0, *", false),
        ("*;q=0", false),
        ("br, deflate", false),
        ("", false),
    ] {
        let reply = get("main.js", &headers(&[(header::ACCEPT_ENCODING, accepted)]));
        assert_eq!(field(&reply, header::CONTENT_ENCODING) == "gzip", expected, "{accepted}");
    }
}

#[tokio::test]
async fn a_known_tag_is_answered_without_a_body() {
    let tag = field(&get("main.js", &HeaderMap::new()), header::ETAG);
    assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() == HASH_DIGITS + 2, "{tag}");
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
    let length = BUILD.assets["main.js"].plain.body.len().to_string();
    assert_eq!(field(&reply, header::CONTENT_LENGTH), length);
    assert!(body(reply).await.is_empty());
}

#[tokio::test]
async fn the_page_is_not_stored_and_carries_the_policy() {
    let reply = page();
    assert_eq!(field(&reply, header::CACHE_CONTROL), "no-store");
    assert_eq!(field(&reply, header::CONTENT_SECURITY_POLICY), CONTENT_SECURITY_POLICY);
    assert!(CONTENT_SECURITY_POLICY.contains("require-trusted-types-for 'script'; trusted-types 'none'"));
    assert!(!CONTENT_SECURITY_POLICY.contains("unsafe") && !CONTENT_SECURITY_POLICY.contains("  "));
    assert_eq!(body(reply).await, BUILD.page);
}

#[test]
fn the_sheets_are_one_file_in_the_order_of_their_layers() {
    let style = std::str::from_utf8(&BUILD.assets[STYLESHEET].plain.body).unwrap();
    let places: Vec<_> = ["tokens", "base", "layout", "parts"]
        .map(|layer| style.find(&format!("@layer {layer} {{")).expect("each sheet is there"))
        .to_vec();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn the_whole_page_keeps_its_budget() {
    let packed = |asset: &Asset| asset.gzip.as_ref().unwrap_or(&asset.plain).body.len();
    let total = BUILD.page.len() + BUILD.assets.values().map(packed).sum::<usize>();
    assert!(total <= WHOLE_BUDGET, "{total} bytes");
}

#[test]
fn scripts_are_sent_without_lines_of_comments_and_with_all_their_code() {
    let script =
        b"/**\n * Says it.\n *\n */\nexport const one = 1; // kept\n\n  // gone\nconst two = one * one;\n";
    let sent = without_comment_lines(script);
    assert_eq!(&sent[..], b"\n\n\n\nexport const one = 1; // kept\n\n\nconst two = one * one;\n");
    for name in WebFolder::iter().filter(|name| name.ends_with(".js") && content_type(name).is_some()) {
        let script = String::from_utf8(embedded(&name).unwrap().to_vec()).unwrap();
        let (mut in_comment, mut in_text) = (false, false);
        for (number, line) in script.lines().enumerate() {
            let text = line.trim();
            let goes_on = text == "*" || text == "*/" || text.starts_with("* ");
            assert_eq!(goes_on, in_comment, "{name}:{}: what is no comment would go", number + 1);
            in_comment = (in_comment || text.starts_with("/**")) && !text.contains("*/");
            let would_go = goes_on || text.starts_with("//") || text.starts_with("/**");
            assert!(!(in_text && would_go), "{name}:{}: a line of a text would go", number + 1);
            in_text ^= !would_go && line.matches('`').count() % 2 == 1;
        }
    }
}
