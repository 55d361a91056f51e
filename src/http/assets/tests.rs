use std::io::Read;

use flate2::read::GzDecoder;

use super::*;

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
        "XMLHttpRequest",
        "sendBeacon",
        "WebSocket",
        "WebTransport",
        "RTCPeerConnection",
        "importScripts",
        "Worker(",
    ];
    let (mut asked, mut followed) = (0, 0);
    for (name, asset) in scripts() {
        let text = text_of(asset);
        for word in forbidden {
            assert!(!text.contains(word), "{name} has {word}");
        }
        asked += words(text, "fetch");
        followed += text.matches("new EventSource").count();
    }
    // Both are in api.js, the first script's.
    let first = text_of(BUILD.find("main.js").unwrap());
    assert_eq!((asked, followed), (1, 1));
    assert_eq!((words(first, "fetch"), words(first, "new EventSource")), (1, 1));
}

/// How often a word is there by itself: called, named, or as a part of `window`.
fn words(text: &str, word: &str) -> usize {
    let of_name = |found: Option<char>| found.is_some_and(|one| one.is_alphanumeric() || "_$#".contains(one));
    let alone = |at: usize| {
        !of_name(text[..at].chars().next_back()) && !of_name(text[at + word.len()..].chars().next())
    };
    text.match_indices(word).filter(|(at, _)| alone(*at)).count()
}

#[test]
fn every_way_to_ask_the_network_is_counted() {
    for text in ["=>fetch(a)", "window.fetch(a)", "await fetch(a)", "x=fetch;", "globalThis[\"fetch\"](a)"] {
        assert_eq!(words(text, "fetch"), 1, "{text}");
    }
    for text in ["fetchLog(id)", "prefetch(", "this.#fetch()", "fetch_all", ""] {
        assert_eq!(words(text, "fetch"), 0, "{text}");
    }
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
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                  font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
                  require-trusted-types-for 'script'; trusted-types 'none'";
    assert_eq!(field(&reply, header::CONTENT_SECURITY_POLICY), policy);
    assert_eq!(body(reply).await, BUILD.page.plain.body);
    let packed = page(StatusCode::OK, &Method::HEAD, &headers(&[(header::ACCEPT_ENCODING, "br")]));
    assert_eq!(field(&packed, header::CONTENT_ENCODING), "br");
    assert!(body(packed).await.is_empty());
}

#[test]
fn only_addresses_of_pages_are_pages() {
    let pages = [
        "/ui",
        "/ui/",
        "/ui/login",
        "/ui/logs",
        "/ui/logs/06gv-0",
        "/ui/projects/shop",
        "/ui/projects/shop/setup",
        "/ui/issues/7%2F8",
        "/ui/alerts",
        "/ui/system",
    ];
    for path in pages {
        assert!(is_page(path), "{path}");
    }
    let others = [
        "/ui/nothing",
        "/ui/favicon.ico",
        "/ui/main.js",
        "/ui/log",
        "/ui/ui",
        "/ui//",
        "/ui/*",
        "/ui/alerts/",
        "/ui/alerts/x.js",
        "/ui/system/x",
        "/ui/logs/",
        "/ui/logs/a/b",
        "/ui/projects/shop/keys",
        "/ui/projects//setup",
        "/ui/projects/shop/setup/more",
    ];
    for path in others {
        assert!(!is_page(path), "{path}");
    }
}

#[test]
fn the_browser_and_the_service_know_the_same_pages() {
    let script = text_of(BUILD.find("main.js").unwrap());
    let routes: Vec<_> = between(script, r"pattern:/^\/ui", '$')
        .map(|route| route.replace("([^/]+)", "*").replace(r"\/?", "/").replace(r"\/", "/"))
        .collect();
    let known: Vec<_> = PAGES.iter().map(|page| format!("/{}", page.join("/"))).collect();
    assert_eq!(routes, known);
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
