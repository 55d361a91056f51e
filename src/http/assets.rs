//! The page and its files: everything under `web/`, inside the binary.
//!
//! A file lives at `/assets/<build hash>/<path>`, where the hash is over all files, so it may be cached for ever
//! and a new build is a new address. Modules import each other by relative addresses and need not know the hash.
//! Each file is compressed once. The page itself (`index.html`) is never cached and carries the policy that
//! forbids inline code, other hosts and every HTML sink. Not here: which addresses are pages (see the routes).

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::LazyLock;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use flate2::Compression;
use flate2::write::GzEncoder;
use poem::http::{HeaderMap, Method, StatusCode, header};
use poem::{Body, Response};
use sha2::{Digest, Sha256};

use crate::error::ApiError;
use crate::http::route::{Call, Reply};
use crate::server::SharedMemory;

#[cfg(test)]
mod tests;

/// What the page may do: run, style and ask its own origin, and nothing else.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src 'self' data:; font-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// The page's sheets in the order of their layers, served as one file to save requests.
const STYLESHEETS: [&str; 5] =
    ["css/tokens.css", "css/base.css", "css/layout.css", "css/parts.css", "css/board.css"];
const STYLESHEET: &str = "app.css";
const PAGE: &str = "index.html";
/// Stands for the build hash in the page.
const BUILD_MARK: &str = "{build}";
/// Hexadecimal digits of a SHA-256 used in addresses and tags.
const HASH_DIGITS: usize = 16;
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

#[derive(rust_embed::Embed)]
#[folder = "web/"]
struct WebFolder;

static BUILD: LazyLock<Build> = LazyLock::new(Build::from_embedded);

/// All that is served, made once.
struct Build {
    hash: String,
    page: Bytes,
    assets: BTreeMap<String, Asset>,
}

struct Asset {
    content_type: &'static str,
    plain: Variant,
    /// Left out where it would not be smaller.
    gzip: Option<Variant>,
}

struct Variant {
    body: Bytes,
    /// Strong, with its quotes.
    tag: String,
}

/// Hashes and compresses the files now, rather than at the first request: a few tens of milliseconds of work for
/// a thread that may block.
pub fn prepare() {
    LazyLock::force(&BUILD);
}

/// `GET /ui` and everything below it.
///
/// # Errors
/// None.
pub async fn show_page(_call: Call) -> Reply {
    Ok(page())
}

/// `GET /assets/<build hash>/<file>`.
///
/// # Errors
/// As [`asset`].
pub async fn show_asset(call: Call) -> Reply {
    asset(call.request.method(), call.param("path"), call.request.headers())
}

/// The page, for every address under `/ui`: what to show is decided in the browser.
#[must_use]
pub fn page() -> Response {
    Response::builder()
        .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::X_FRAME_OPTIONS, "DENY")
        .header(header::REFERRER_POLICY, "same-origin")
        .header("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        .extension(SharedMemory)
        .body(BUILD.page.clone())
}

/// One file; `path` is what follows `/assets/`, its first segment the build hash.
///
/// # Errors
/// `MethodNotAllowed` for anything but GET and HEAD; `NotFound` for an unknown file or another build's hash.
pub fn asset(method: &Method, path: &str, request: &HeaderMap) -> Result<Response, ApiError> {
    if method != Method::GET && method != Method::HEAD {
        return Err(ApiError::MethodNotAllowed);
    }
    let (hash, name) = path.split_once('/').ok_or(ApiError::NotFound)?;
    if hash != BUILD.hash {
        return Err(ApiError::NotFound);
    }
    let asset = BUILD.assets.get(name).ok_or(ApiError::NotFound)?;
    let gzip = asset.gzip.as_ref().filter(|_| accepts_gzip(request));
    let variant = gzip.unwrap_or(&asset.plain);
    let mut reply = Response::builder()
        .header(header::ETAG, &variant.tag)
        .header(header::CACHE_CONTROL, IMMUTABLE)
        .header(header::VARY, "Accept-Encoding")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header("Cross-Origin-Resource-Policy", "same-origin")
        .extension(SharedMemory);
    if names_tag(request, &variant.tag) {
        return Ok(reply.status(StatusCode::NOT_MODIFIED).finish());
    }
    if gzip.is_some() {
        reply = reply.header(header::CONTENT_ENCODING, "gzip");
    }
    reply = reply
        .header(header::CONTENT_TYPE, asset.content_type)
        .header(header::CONTENT_LENGTH, variant.body.len());
    let body = if method == Method::HEAD { Body::empty() } else { Body::from_bytes(variant.body.clone()) };
    Ok(reply.body(body))
}

impl Build {
    fn from_embedded() -> Self {
        let mut files = BTreeMap::new();
        for name in WebFolder::iter() {
            if let (Some(_), Some(body)) = (content_type(&name), embedded(&name)) {
                let body = if name.ends_with(".js") { without_comment_lines(&body) } else { body };
                files.insert(name.into_owned(), body);
            }
        }
        let style = STYLESHEETS.iter().filter_map(|name| embedded(name)).collect::<Vec<_>>().concat();
        files.insert(STYLESHEET.to_owned(), style.into());
        let template = embedded(PAGE).unwrap_or_default();
        let hash = hash_of(&template, &files);
        let page = String::from_utf8_lossy(&template).replace(BUILD_MARK, &hash).into();
        let assets =
            files.into_iter().filter_map(|(name, body)| Some((name.clone(), Asset::new(&name, body)?)));
        Self { hash, page, assets: assets.collect() }
    }
}

impl Asset {
    fn new(name: &str, body: Bytes) -> Option<Self> {
        let digest = digest_of(&body);
        let compressed = gzip(&body);
        let gzip = (compressed.len() < body.len())
            .then(|| Variant { body: compressed.into(), tag: format!("\"{digest}-gzip\"") });
        Some(Self {
            content_type: content_type(name)?,
            plain: Variant { body, tag: format!("\"{digest}\"") },
            gzip,
        })
    }
}

/// A script as it is sent: lines that are comments and nothing else become empty, so that line numbers stay. None of ours
/// stands in a text over several lines; a test sees to that.
fn without_comment_lines(script: &[u8]) -> Bytes {
    let mut sent = Vec::with_capacity(script.len());
    for line in script.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii();
        let opens =
            text.starts_with(b"/**") && (text.ends_with(b"*/") || !text.windows(2).any(|two| two == b"*/"));
        let goes_on = text == b"*" || text == b"*/" || text.starts_with(b"* ");
        if opens || goes_on || text.starts_with(b"//") {
            sent.push(b'\n');
        } else {
            sent.extend_from_slice(line);
        }
    }
    sent.into()
}

fn embedded(name: &str) -> Option<Bytes> {
    Some(match WebFolder::get(name)?.data {
        std::borrow::Cow::Borrowed(data) => Bytes::from_static(data),
        std::borrow::Cow::Owned(data) => Bytes::from(data),
    })
}

/// The type a file is served as; `None` for what is not served under its own name: the page, the sheets that
/// are part of `app.css`, tests, and whatever has no place in a browser.
fn content_type(name: &str) -> Option<&'static str> {
    if name.starts_with("tests/") {
        return None;
    }
    match name.rsplit_once('.')?.1 {
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => (!STYLESHEETS.contains(&name)).then_some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        "txt" => Some("text/plain; charset=utf-8"),
        _ => None,
    }
}

fn hash_of(page: &[u8], files: &BTreeMap<String, Bytes>) -> String {
    let mut all = Sha256::new();
    all.update(digest_of(page));
    for (name, body) in files {
        all.update(name);
        all.update(digest_of(body));
    }
    shorten(&all.finalize())
}

fn digest_of(bytes: &[u8]) -> String {
    shorten(&Sha256::digest(bytes))
}

fn shorten(digest: &[u8]) -> String {
    let mut text = HEXLOWER.encode(digest);
    text.truncate(HASH_DIGITS);
    text
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("writing to memory does not fail")
}

/// RFC 9110, 12.5.3: `gzip` or `*` with a weight above zero; a weight for `gzip` itself decides.
fn accepts_gzip(request: &HeaderMap) -> bool {
    let mut any = false;
    for entry in list(request, header::ACCEPT_ENCODING) {
        let (coding, parameters) = entry.split_once(';').unwrap_or((entry, ""));
        let weight =
            parameters.trim().strip_prefix("q=").and_then(|q| q.trim().parse::<f32>().ok()).unwrap_or(1.0);
        match coding.trim() {
            name if name.eq_ignore_ascii_case("gzip") => return weight > 0.0,
            "*" => any = weight > 0.0,
            _ => {}
        }
    }
    any
}

/// RFC 9110, 13.1.2: `*` or any of the tags, compared weakly.
fn names_tag(request: &HeaderMap, tag: &str) -> bool {
    list(request, header::IF_NONE_MATCH).any(|entry| entry == "*" || entry.trim_start_matches("W/") == tag)
}

/// The members of a list header, however many lines it came in.
fn list(request: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let lines = request.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}
