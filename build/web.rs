//! The page's files made ready to be sent: stripped, hashed, and compressed once with the best each encoding can do.
//!
//! They are written to the build's own folder beside a list of them (`web.rs`), which src/http/assets.rs includes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::link::link;
use crate::sheet;

/// The page's sheets in the order of their layers, served as one file to save requests.
const STYLESHEETS: [&str; 6] =
    ["css/tokens.css", "css/base.css", "css/layout.css", "css/parts.css", "css/board.css", "css/alerts.css"];
const STYLESHEET: &str = "app.css";
const PAGE: &str = "index.html";
/// Stands for the build hash in the page.
const BUILD_MARK: &str = "{build}";
/// Hexadecimal digits of a SHA-256 used in addresses and tags.
const HASH_DIGITS: usize = 16;
const BROTLI_QUALITY: u32 = 11;
/// Windows of 256 KiB: larger than any file.
const BROTLI_WINDOW_BITS: u32 = 18;

/// Prepares all files of `source` into `target`.
pub fn prepare(source: &Path, target: &Path) {
    let mut files = BTreeMap::new();
    collect(source, source, &mut files);
    join_scripts(&mut files);
    let page = files.remove(PAGE).expect("web/index.html is there");
    join_sheets(&mut files);
    let hash = hash_of(&page, &files);
    let page = page.replace(BUILD_MARK, &hash);
    let folder = target.join("web");
    fs::create_dir_all(&folder).expect("the build's folder can be written");
    let mut list = format!("static BUILD: Build = Build {{\n    hash: {hash:?},\n    page: ");
    list.push_str(&asset(&folder, PAGE, page.as_bytes()));
    list.push_str(",\n    assets: &[\n");
    for (name, text) in &files {
        let _ = writeln!(list, "        ({name:?}, {}),", asset(&folder, name, text.as_bytes()));
    }
    list.push_str("    ],\n};\n");
    fs::write(target.join("web.rs"), list).expect("the build's folder can be written");
}

/// Reads what is served: scripts, sheets without what need not travel, pictures and the page. Tests and settings are not.
fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("web/ can be read") {
        let path = entry.expect("web/ can be read").path();
        let name = path.strip_prefix(root).expect("it is below").to_string_lossy().replace('\\', "/");
        if path.is_dir() {
            if name != "tests" && name != "node_modules" {
                collect(root, &path, files);
            }
            continue;
        }
        let extension = path.extension().and_then(|extension| extension.to_str());
        let strip = match extension {
            Some("css") => sheet::strip,
            Some("js" | "svg" | "html" | "txt") => |text: &str| Ok(text.to_owned()),
            _ => continue,
        };
        let text = fs::read_to_string(&path).expect("a file of web/ is text");
        let sent = strip(&text).unwrap_or_else(|why| panic!("web/{name}, {why}"));
        files.insert(name, sent);
    }
}

fn join_scripts(files: &mut BTreeMap<String, String>) {
    let names: Vec<String> = files.keys().filter(|name| has_extension(name, "js")).cloned().collect();
    let modules = names.into_iter().filter_map(|name| files.remove_entry(&name)).collect();
    files.extend(link(&modules).unwrap_or_else(|why| panic!("web/{why}")));
}

fn join_sheets(files: &mut BTreeMap<String, String>) {
    let sheet = |name: &str| files.remove(name).unwrap_or_else(|| panic!("web/{name} is missing"));
    let style: String = STYLESHEETS.map(sheet).concat();
    let is_said = |name: &str| files.values().any(|text| text.contains(name));
    let style = sheet::shorten(&style, is_said);
    files.insert(STYLESHEET.to_owned(), style);
    let stray = files.keys().find(|name| has_extension(name, "css") && *name != STYLESHEET);
    assert!(stray.is_none(), "name {stray:?} among the sheets in build/web.rs");
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|own| own == extension)
}

fn hash_of(page: &str, files: &BTreeMap<String, String>) -> String {
    let mut all = Sha256::new();
    all.update(digest_of(page.as_bytes()));
    for (name, text) in files {
        all.update(name);
        all.update(digest_of(text.as_bytes()));
    }
    shorten(&all.finalize())
}

/// Writes a file in its encodings and gives the expression that names them. An encoding that would not be smaller is left out.
fn asset(folder: &Path, name: &str, body: &[u8]) -> String {
    let tag = digest_of(body);
    let flat = name.replace('/', "+");
    let variant = |suffix: &str, bytes: Option<Vec<u8>>| {
        let Some(bytes) = bytes.filter(|bytes| suffix.is_empty() || bytes.len() < body.len()) else {
            return "None".to_owned();
        };
        let file = format!("{flat}{suffix}");
        fs::write(folder.join(&file), bytes).expect("the build's folder can be written");
        let (place, tag) = (format!("/web/{file}"), format!("\"{tag}{suffix}\""));
        let body = format!("include_bytes!(concat!(env!(\"OUT_DIR\"), {place:?}))");
        let shown = format!("Variant {{ body: {body}, tag: {tag:?} }}");
        if suffix.is_empty() { shown } else { format!("Some({shown})") }
    };
    let plain = variant("", Some(body.to_vec()));
    let gzip = variant("-gzip", Some(gzip(body)));
    let brotli = variant("-br", Some(brotli(body)));
    format!("Asset {{ plain: {plain}, gzip: {gzip}, brotli: {brotli} }}")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    zopfli::compress(zopfli::Options::default(), zopfli::Format::Gzip, bytes, &mut packed)
        .expect("memory takes all");
    packed
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let settings = brotli::enc::BrotliEncoderParams {
        quality: BROTLI_QUALITY.cast_signed(),
        lgwin: BROTLI_WINDOW_BITS.cast_signed(),
        size_hint: bytes.len(),
        mode: brotli::enc::backward_references::BrotliEncoderMode::BROTLI_MODE_TEXT,
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &bytes[..], &mut packed, &settings).expect("memory takes all");
    packed
}

fn digest_of(bytes: &[u8]) -> String {
    shorten(&Sha256::digest(bytes))
}

fn shorten(digest: &[u8]) -> String {
    digest.iter().take(HASH_DIGITS / 2).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
