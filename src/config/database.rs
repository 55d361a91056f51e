//! Where events are kept: `DATABASE_URL`, or `DB_HOST` and its companions, or nothing for the embedded default.
//!
//! Half a configuration is a problem, never a silent fall back to the embedded database. A connection to another
//! machine is encrypted and checked unless `DATABASE_TLS` or `ssl-mode` says otherwise, and plain only by
//! `DATABASE_TLS=disabled`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::database_url;
use super::network::is_local_host;
use super::problem::quoted;
use super::reader::Reader;
use super::secret::Secret;
use super::setting::{
    DATABASE_TLS, DATABASE_TLS_CA, DATABASE_URL, DB_HOST, DB_NAME, DB_PASS, DB_PORT, DB_USER, Setting,
};
use super::{DatabaseConfig, DatabaseTls};

/// Most of a certificate file that is read, in bytes.
const MAX_CA_BYTES: u64 = 1024 * 1024;

/// Longest database name MySQL takes, in characters.
pub(super) const MAX_NAME_CHARS: usize = 64;

/// Longest user name any of the servers takes (`MariaDB`), in characters.
pub(super) const MAX_USER_CHARS: usize = 128;

/// A server database as it was named, before its protection is settled.
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) socket: Option<PathBuf>,
    pub(super) name: String,
    pub(super) user: String,
    pub(super) password: Secret,
    /// What `ssl-mode` in the address asks for.
    pub(super) ssl_mode: Option<DatabaseTls>,
}

/// Reads the database; `None` when it can't be told which is meant (a problem was noted).
pub(super) fn read(reader: &mut Reader<'_>) -> Option<DatabaseConfig> {
    // Not DB_PORT: it has a default, and says nothing without a host.
    let parts = [DB_HOST, DB_NAME, DB_USER, DB_PASS];
    let parts: Vec<&str> = parts.iter().filter(|part| reader.is_set(part)).map(|part| part.name).collect();
    let port = reader.number(&DB_PORT);
    let word = reader.word(&DATABASE_TLS);
    let ca = certificate(reader);
    let target = match (reader.is_set(&DATABASE_URL), parts.is_empty()) {
        (false, true) => {
            if word.is_some() || ca.is_some() {
                reader.note("DATABASE_TLS and DATABASE_TLS_CA do nothing without a server database");
            }
            return Some(DatabaseConfig::Embedded);
        }
        (true, true) => database_url::read(reader),
        (false, false) => from_parts(reader, &parts, port),
        (true, false) => {
            reader.problem(
                DATABASE_URL.name,
                format!("is set together with {}", parts.join(", ")),
                "keep one way to name the database and remove the other",
            );
            None
        }
    }?;
    let tls = protection(reader, &target, word, ca.is_some());
    Some(DatabaseConfig::Server {
        host: target.host,
        port: target.port,
        socket: target.socket,
        name: target.name,
        user: target.user,
        password: target.password,
        tls,
        tls_ca: ca,
    })
}

/// `DB_HOST` and its companions, of which those in `set` have a value.
fn from_parts(reader: &mut Reader<'_>, set: &[&str], port: u16) -> Option<Target> {
    let host = required(reader, &DB_HOST, set).and_then(|text| host(reader, text));
    let name = required(reader, &DB_NAME, set);
    let user = required(reader, &DB_USER, set);
    let password = reader.raw(&DB_PASS).map_or("", |found| found.text);
    for (setting, text, max) in [(DB_NAME, name, MAX_NAME_CHARS), (DB_USER, user, MAX_USER_CHARS)] {
        if text.is_some_and(|text| text.chars().count() > max) {
            reader.problem(setting.name, "is too long", format!("set it to {}", setting.accepts));
        }
    }
    let (host, name, user) = (host?, name?.to_owned(), user?.to_owned());
    let socket = host.starts_with('/').then(|| PathBuf::from(&host));
    let host = if socket.is_some() { "localhost".to_owned() } else { host };
    Some(Target { host, port, socket, name, user, password: Secret::new(password), ssl_mode: None })
}

fn required<'a>(reader: &mut Reader<'a>, setting: &Setting, set: &[&str]) -> Option<&'a str> {
    let found = reader.text(setting);
    if found.is_none() && !reader.is_set(setting) {
        reader.problem(
            setting.name,
            format!("is not set, but {} is", set.join(", ")),
            "set it too, or unset all of DB_* for the embedded database",
        );
    }
    found.map(|found| found.text)
}

fn host(reader: &mut Reader<'_>, text: &str) -> Option<String> {
    let socket = text.starts_with('/');
    let address = unbracketed(text);
    if socket || is_host(address) {
        return Some(address.to_owned());
    }
    let remedy = if text.contains("://") {
        "set DATABASE_URL to an address like this, or DB_HOST to its host alone".to_owned()
    } else if text.contains(':') {
        "set it to the host alone and the port in DB_PORT".to_owned()
    } else {
        format!("set it to {}", DB_HOST.accepts)
    };
    reader.problem(DB_HOST.name, format!("is {}", quoted(text)), remedy);
    None
}

/// A host without the brackets of an IPv6 address in a URL.
pub(super) fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

/// True for an IP address or a name of at most 253 letters, digits, `.`, `-` and `_`.
pub(super) fn is_host(text: &str) -> bool {
    let name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    (name && (1..=253).contains(&text.len())) || text.parse::<std::net::IpAddr>().is_ok()
}

/// `DATABASE_TLS_CA`: the path of a readable file that has a certificate.
fn certificate(reader: &mut Reader<'_>) -> Option<PathBuf> {
    let found = reader.text(&DATABASE_TLS_CA)?;
    let shape = match pem_text(Path::new(found.text)) {
        Ok(text) if text.contains("-----BEGIN CERTIFICATE-----") => None,
        Ok(_) => Some(format!("is {}, which holds no PEM certificate", quoted(found.text))),
        Err(error) => Some(format!("is {}, which can't be read: {error}", quoted(found.text))),
    };
    if let Some(shape) = shape {
        reader.problem(found.name, shape, format!("set it to the {}", DATABASE_TLS_CA.accepts));
    }
    Some(PathBuf::from(found.text))
}

fn pem_text(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_CA_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Settles how the connection is protected: `DATABASE_TLS`, else `ssl-mode`, else by where the server is. A given
/// certificate authority means verify, unless another protection is asked for by name.
fn protection(reader: &mut Reader<'_>, target: &Target, word: Option<&str>, has_ca: bool) -> DatabaseTls {
    let local = target.socket.is_some() || is_local_host(&target.host);
    let tls = match (word, target.ssl_mode) {
        (Some("verify"), _) => DatabaseTls::Verify,
        (Some("encrypt"), _) => DatabaseTls::Encrypt,
        (Some(_), _) => DatabaseTls::Disabled,
        (None, Some(DatabaseTls::Encrypt)) if has_ca => DatabaseTls::Verify,
        (None, Some(mode)) => mode,
        (None, None) if local && !has_ca => DatabaseTls::Disabled,
        (None, None) => DatabaseTls::Verify,
    };
    if word.is_none() && tls == DatabaseTls::Disabled && !local {
        reader.problem(
            DATABASE_URL.name,
            "asks for a plain connection to another machine (ssl-mode=DISABLED)",
            "remove ssl-mode, or confirm it with DATABASE_TLS=disabled if the network between is yours",
        );
    } else if has_ca && tls != DatabaseTls::Verify {
        reader.problem(
            DATABASE_TLS_CA.name,
            "is set, but certificates are not checked",
            "set DATABASE_TLS=verify, or remove it",
        );
    } else if target.socket.is_some() && tls != DatabaseTls::Disabled {
        reader.problem(
            DATABASE_TLS.name,
            "asks for TLS on a Unix socket",
            "a socket doesn't leave this machine: unset DATABASE_TLS, DATABASE_TLS_CA and ssl-mode",
        );
    }
    tls
}
