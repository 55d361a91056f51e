//! The page and its files: everything under `web/`, inside the binary.
//!
//! A file lives at `/assets/<build hash>/<path>`, where the hash is over all files, so it may be cached for ever
//! and a new build is a new address. Modules import each other by relative addresses and need not know the hash.
//! The build strips, hashes and compresses each file (build/web.rs), so that a start has nothing to do here. The page
//! itself (`index.html`) is never stored and carries the policy that forbids inline code, other hosts and every HTML sink.

use bytes::Bytes;
use poem::http::{HeaderMap, Method, StatusCode, header};
use poem::{Body, Response};

use crate::error::ApiError;
use crate::http::route::{Call, Reply};
use crate::server::SharedMemory;

#[cfg(test)]
mod build_tests;
#[cfg(test)]
mod tests;

include!(concat!(env!("OUT_DIR"), "/web.rs"));

/// What the page may do: run, style and ask its own origin, and nothing else.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src 'self' data:; font-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// The addresses of pages, by their segments below `/ui`; `*` is one of any text. The routes of web/main.js are the same.
const PAGES: [&[&str]; 12] = [
    &[""],
    &["login"],
    &["logs"],
    &["logs", "*"],
    &["issues"],
    &["issues", "*"],
    &["projects", "*", "setup"],
    &["projects", "*"],
    &["projects"],
    &["overflow"],
    &["alerts"],
    &["system"],
];

/// All that is served.
struct Build {
    hash: &'static str,
    page: Asset,
    /// By name, in the order of their names.
    assets: &'static [(&'static str, Asset)],
}

struct Asset {
    plain: Variant,
    /// Left out where it would not be smaller.
    gzip: Option<Variant>,
    /// The same.
    brotli: Option<Variant>,
}

struct Variant {
    body: &'static [u8],
    /// Strong, with its quotes.
    tag: &'static str,
}

/// `GET /ui` and everything below it. What is no page is a 404 that shows itself as one.
///
/// # Errors
/// None.
pub async fn show_page(call: Call) -> Reply {
    let status = if is_page(call.request.uri().path()) { StatusCode::OK } else { StatusCode::NOT_FOUND };
    Ok(page(status, call.request.method(), call.request.headers()))
}

/// `GET /assets/<build hash>/<file>`.
///
/// # Errors
/// As `asset`.
pub async fn show_asset(call: Call) -> Reply {
    asset(call.request.method(), call.param("path"), call.request.headers())
}

fn is_page(path: &str) -> bool {
    let below = path.strip_prefix("/ui").unwrap_or(path);
    let segments: Vec<_> = below.strip_prefix('/').unwrap_or(below).split('/').collect();
    let fits = |(asked, known): (&&str, &&str)| asked == known || (*known == "*" && !asked.is_empty());
    PAGES.iter().any(|page| page.len() == segments.len() && segments.iter().zip(*page).all(fits))
}

/// The page, the same for every address under `/ui`: what to show is decided in the browser.
fn page(status: StatusCode, method: &Method, request: &HeaderMap) -> Response {
    let (variant, encoding) = BUILD.page.choose(request);
    let reply = Response::builder()
        .status(status)
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)
        .header(header::X_FRAME_OPTIONS, "DENY")
        .header(header::REFERRER_POLICY, "same-origin")
        .header("Permissions-Policy", "camera=(), geolocation=(), microphone=()");
    send(reply, method, "text/html; charset=utf-8", variant, encoding)
}

/// One file; `path` is what follows `/assets/`, its first segment the build hash.
///
/// # Errors
/// `MethodNotAllowed` for anything but GET and HEAD; `NotFound` for an unknown file or another build's hash.
fn asset(method: &Method, path: &str, request: &HeaderMap) -> Result<Response, ApiError> {
    if method != Method::GET && method != Method::HEAD {
        return Err(ApiError::MethodNotAllowed);
    }
    let (hash, name) = path.split_once('/').ok_or(ApiError::NotFound)?;
    if hash != BUILD.hash {
        return Err(ApiError::NotFound);
    }
    let asset = BUILD.find(name).ok_or(ApiError::NotFound)?;
    let (variant, encoding) = asset.choose(request);
    let reply = Response::builder()
        .header(header::ETAG, variant.tag)
        .header(header::CACHE_CONTROL, IMMUTABLE)
        .header("Cross-Origin-Resource-Policy", "same-origin");
    if names_tag(request, variant.tag) {
        let reply = reply.status(StatusCode::NOT_MODIFIED).header(header::VARY, "Accept-Encoding");
        return Ok(reply.extension(SharedMemory).finish());
    }
    Ok(send(reply, method, content_type(name), variant, encoding))
}

fn send(
    reply: poem::ResponseBuilder,
    method: &Method,
    content_type: &str,
    variant: &Variant,
    encoding: Option<&str>,
) -> Response {
    let mut reply = reply
        .header(header::CONTENT_TYPE, content_type)
        .header(header::CONTENT_LENGTH, variant.body.len())
        .header(header::VARY, "Accept-Encoding")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .extension(SharedMemory);
    if let Some(encoding) = encoding {
        reply = reply.header(header::CONTENT_ENCODING, encoding);
    }
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        Body::from_bytes(Bytes::from_static(variant.body))
    };
    reply.body(body)
}

impl Build {
    fn find(&self, name: &str) -> Option<&Asset> {
        let at = self.assets.binary_search_by_key(&name, |(own, _)| own).ok()?;
        Some(&self.assets[at].1)
    }
}

impl Asset {
    /// RFC 9110, 12.5.3: the encoding with the greatest weight above zero; with equal ones the smaller, which is Brotli's.
    fn choose(&self, request: &HeaderMap) -> (&Variant, Option<&'static str>) {
        let gzip = self.gzip.as_ref().map(|variant| (variant, "gzip"));
        let brotli = self.brotli.as_ref().map(|variant| (variant, "br"));
        let accepted = [gzip, brotli].into_iter().flatten();
        let weighed = accepted.map(|(variant, name)| (weight(request, name), variant, name));
        // The later of two equal ones is the greatest.
        let best = weighed.filter(|(weight, ..)| *weight > 0.0).max_by(|a, b| a.0.total_cmp(&b.0));
        best.map_or((&self.plain, None), |(_, variant, name)| (variant, Some(name)))
    }
}

/// The type a file is served as, by the end of its name.
fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "image/svg+xml",
    }
}

/// How much a client wants an encoding: its own weight, else that of `*`, else nothing.
fn weight(request: &HeaderMap, encoding: &str) -> f32 {
    let mut any = 0.0;
    for entry in list(request, header::ACCEPT_ENCODING) {
        let mut parts = entry.split(';').map(str::trim);
        let coding = parts.next().unwrap_or("");
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        // A weight that is none is taken for a refusal: the plain file is right for everyone.
        let weight = weight.map_or(1.0, |text| text.trim().parse::<f32>().unwrap_or(0.0));
        if coding.eq_ignore_ascii_case(encoding) {
            return weight;
        }
        if coding == "*" {
            any = weight;
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
