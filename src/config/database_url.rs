//! `DATABASE_URL` taken apart: `mysql://user:password@host:port/database?ssl-mode=…&socket=…`.
//!
//! User, password and database name are percent-decoded. Whatever isn't understood is refused, never ignored:
//! a parameter that is dropped silently may have been the one that asked for TLS. No piece of an address that
//! could be part of a password is shown.

use std::path::PathBuf;

use url::Url;

use super::DatabaseTls;
use super::database::{MAX_NAME_CHARS, MAX_USER_CHARS, Target, is_host, unbracketed};
use super::problem::quoted;
use super::reader::Reader;
use super::secret::Secret;
use super::setting::DATABASE_URL;

/// Port of MySQL where the address has none.
const DEFAULT_PORT: u16 = 3306;

const ENCODE: &str = "percent-encode special characters in user and password: @ is %40, : is %3A, / is %2F, ? is %3F, \
                      # is %23, % is %25";

/// What is wrong with the address, and what to do.
struct Fault {
    shape: String,
    remedy: String,
}

fn fault(shape: impl Into<String>, remedy: impl Into<String>) -> Fault {
    Fault { shape: shape.into(), remedy: remedy.into() }
}

/// Reads `DATABASE_URL`; `None` when it is unset or has a problem, which is noted.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Target> {
    let found = reader.text(&DATABASE_URL)?;
    match take_apart(found.text) {
        Ok(target) => Some(target),
        Err(faults) => {
            for Fault { shape, remedy } in faults {
                reader.problem(found.name, shape, remedy);
            }
            None
        }
    }
}

fn take_apart(text: &str) -> Result<Target, Vec<Fault>> {
    let url = parse(text).map_err(|fault| vec![fault])?;
    let mut faults = Vec::new();
    let (ssl_mode, socket) = parameters(&url, &mut faults);
    let user = decoded(url.username(), "user", MAX_USER_CHARS, &mut faults);
    let password = decoded(url.password().unwrap_or(""), "password", usize::MAX, &mut faults);
    let name = url.path().strip_prefix('/').unwrap_or(url.path());
    let name = decoded(name, "database name", MAX_NAME_CHARS, &mut faults);
    let host = match unbracketed(url.host_str().unwrap_or("")) {
        "" if socket.is_some() => "localhost",
        host => host,
    };
    if !is_host(host) {
        faults.push(fault("has no host, or one that is neither a name nor an address", ENCODE));
    }
    if url.port() == Some(0) {
        faults.push(fault("has port 0", "set the port of the server, usually 3306"));
    }
    if user.is_empty() {
        faults.push(fault("has no user", "put user:password@ before the host"));
    }
    if name.is_empty() || name.contains('/') {
        faults.push(fault(
            "has no single database name",
            "end it with /name after the host, without a further /",
        ));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Target {
        host: host.to_owned(),
        port: url.port().unwrap_or(DEFAULT_PORT),
        socket,
        name,
        user,
        password: Secret::new(password),
        ssl_mode,
    })
}

/// The address of a supported kind of database.
fn parse(text: &str) -> Result<Url, Fault> {
    let (scheme, _) = text.split_once(':').unwrap_or(("", text));
    match scheme.to_ascii_lowercase().as_str() {
        "mysql" | "mariadb" => {}
        "sqlite" => {
            return Err(fault(
                "is the address of a SQLite file",
                "unset it: the embedded database is SQLite and lives in DATA_DIR",
            ));
        }
        "postgres" | "postgresql" => {
            return Err(fault(
                "is the address of a PostgreSQL database",
                "use MySQL, MariaDB or TiDB: mysql://…",
            ));
        }
        _ => {
            let remedy = format!("set it to {}", DATABASE_URL.accepts);
            return Err(fault("doesn't begin with mysql:// or mariadb://", remedy));
        }
    }
    let url = Url::parse(text).map_err(|error| fault(format!("can't be read as a URL: {error}"), ENCODE))?;
    // An @ this late is a password that had a ? or # in it; nothing of the rest can be trusted or shown.
    let late_at = url.query().is_some_and(|query| query.contains('@'));
    if late_at || url.fragment().is_some() || url.path().contains('@') {
        return Err(fault("has a # or an @ behind the host", ENCODE));
    }
    Ok(url)
}

/// `ssl-mode` and `socket`; any other parameter is a fault.
fn parameters(url: &Url, faults: &mut Vec<Fault>) -> (Option<DatabaseTls>, Option<PathBuf>) {
    let (mut ssl_mode, mut socket) = (None, None);
    for (name, value) in url.query_pairs() {
        match &*name {
            "ssl-mode" => match value.to_ascii_uppercase().as_str() {
                "DISABLED" => ssl_mode = Some(DatabaseTls::Disabled),
                "REQUIRED" => ssl_mode = Some(DatabaseTls::Encrypt),
                "VERIFY_CA" | "VERIFY_IDENTITY" => ssl_mode = Some(DatabaseTls::Verify),
                _ => faults.push(fault(
                    format!("has ssl-mode={}", quoted(&value)),
                    "use DISABLED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY (PREFERRED would fall back to plain)",
                )),
            },
            "socket" if value.starts_with('/') => socket = Some(PathBuf::from(&*value)),
            "socket" => faults.push(fault("has a socket that isn't an absolute path", "start it with /")),
            _ => faults.push(fault(
                format!("has the unknown parameter {}", quoted(&name)),
                "remove it; ssl-mode and socket are known, and DATABASE_TLS sets the protection",
            )),
        }
    }
    (ssl_mode, socket)
}

/// A percent-decoded piece of the address; a fault when it doesn't decode, is too long or has control characters.
fn decoded(piece: &str, what: &str, max_chars: usize, faults: &mut Vec<Fault>) -> String {
    let text = percent_decoded(piece)
        .filter(|text| text.chars().count() <= max_chars && !text.contains(char::is_control));
    text.unwrap_or_else(|| {
        faults.push(fault(format!("has a {what} that is too long or wrongly percent-encoded"), ENCODE));
        // Not empty, so that it isn't called missing as well.
        "?".to_owned()
    })
}

/// Undoes `%XX`; `None` for a `%` without two hexadecimal digits or a result that isn't UTF-8.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
            decoded.push(high * 16 + low);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}
