//! The list of every setting: name, default, what it accepts and what it is for.
//!
//! The parser takes defaults and ranges from here, `check-config` prints in this order, and a test holds the names,
//! defaults and bounds of `.env.template` to it.

use std::fmt;

/// Declares settings, each as a constant of its own, and the list of them in this order: name and second name, default, what
/// it accepts, what it is for.
macro_rules! settings {
    ($(#[$about_list:meta])* $list:ident; $($name:ident $((or $alias:literal))? = $default:literal, $accepts:expr, $about:literal;)+) => {
        $(
            #[doc = concat!("`", stringify!($name), "`." $(, " Or `", $alias, "`.")?)]
            pub const $name: Setting = Setting {
                name: stringify!($name),
                alias: settings!(@alias $($alias)?),
                default: $default,
                accepts: $accepts,
                about: $about,
            };
        )+
        $(#[$about_list])*
        pub(super) const $list: &[Setting] = &[$($name),+];
    };
    (@alias) => { None };
    (@alias $alias:literal) => { Some($alias) };
}

mod outgoing;

pub use outgoing::*;

/// One environment variable.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Name of the variable.
    pub name: &'static str,
    /// A second name, read when the first is unset: what a host or a neighbour sets.
    pub alias: Option<&'static str>,
    /// Default as it would be written; empty when there is none or when it depends (then `about` says on what).
    pub default: &'static str,
    /// Values it takes.
    pub accepts: Accepts,
    /// What it is for, in one or two sentences.
    pub about: &'static str,
}

/// The values a setting takes.
#[derive(Clone, Copy, Debug)]
pub enum Accepts {
    /// A whole number between both bounds, which are allowed.
    Number {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// One of these words, in any case.
    OneOf(&'static [&'static str]),
    /// A text described by these words.
    Text(&'static str),
    /// A secret: at least [`super::secret::MIN_SECRET_CHARS`] characters, never printed.
    Secret,
    /// A password or an address that holds one: any text, never printed.
    Private(&'static str),
}

impl fmt::Display for Accepts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::OneOf(words) => write!(f, "one of {}", words.join(", ")),
            Self::Text(what) | Self::Private(what) => f.write_str(what),
            Self::Secret => {
                write!(f, "at least {} random characters", super::secret::MIN_SECRET_CHARS)
            }
        }
    }
}

const fn numbers(min: u64, max: u64) -> Accepts {
    Accepts::Number { min, max }
}

settings! {
    /// What comes in and how it is kept.
    SERVICE;

    APP_ENV (or "NODE_ENV") = "", Accepts::OneOf(&["production", "development"]),
        "How our own logs are written: production is JSON, development is readable. Default: production with \
         a server database, else development. NODE_ENV counts when it is one of both.";

    PORT = "3000", numbers(0, 65_535),
        "TCP port to listen on; 0 lets the system choose a free one.";

    PUBLIC_URL (or "RENDER_EXTERNAL_URL") = "",
        Accepts::Text("http:// or https://, a host and possibly a port, nothing after it"),
        "Address clients and browsers use. It is never taken from the Host header. Default: \
         RENDER_EXTERNAL_URL, which Render sets.";

    LOG_LEVEL = "info",
        Accepts::Text("off, error, warn, info, debug, trace, or directives such as \
                       info,tekno_logger::write=debug"),
        "How much our own logs say.";

    DATA_DIR = "./data", Accepts::Text("a directory that can be written; it is made if missing"),
        "Holds the embedded database and its secrets; with a server database, the spool.";

    DATABASE_URL = "",
        Accepts::Private("mysql://user:password@host:port/database (or mariadb://), user and password \
                          percent-encoded"),
        "Server database. Query parameters: ssl-mode (DISABLED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY) and \
         socket (path of a Unix socket). Without it and without DB_HOST events are kept in DATA_DIR.";

    DB_HOST = "", Accepts::Text("a host name, an IP address, or the path of a Unix socket starting with /"),
        "Server database, in parts instead of DATABASE_URL. Needs DB_NAME and DB_USER.";

    DB_PORT = "3306", numbers(1, 65_535),
        "TCP port of DB_HOST.";

    DB_NAME = "", Accepts::Text("1 to 64 characters"),
        "Name of the database (schema) at DB_HOST.";

    DB_USER = "", Accepts::Text("1 to 128 characters"),
        "User at DB_HOST.";

    DB_PASS = "", Accepts::Private("any text"),
        "Password of DB_USER.";

    DATABASE_TLS = "", Accepts::OneOf(&["verify", "encrypt", "disabled"]),
        "Protection of the connection to a server database: verify checks certificate and host name, encrypt \
         checks neither, disabled is plain. It goes before ssl-mode in DATABASE_URL. Default: verify, but \
         disabled for this machine (localhost, loopback addresses, Unix sockets) unless DATABASE_TLS_CA is \
         set.";

    DATABASE_TLS_CA = "", Accepts::Text("path of a PEM file of at most 1 MiB"),
        "Certificate authority to trust instead of the public ones when DATABASE_TLS is verify.";

    HMAC_SECRET = "", Accepts::Secret,
        "Project keys and signing secrets are derived from it: keep it, and use the same for every instance. \
         Required with a server database; else made at the first start and kept in DATA_DIR/secrets.";

    HMAC_SECRET_PREVIOUS = "", Accepts::Secret,
        "The HMAC_SECRET before the present one: keys made with it still work while it is set.";

    ADMIN_TOKEN = "", Accepts::Secret,
        "Opens the pages and the admin routes. Required with a server database; else made at the first \
         start, kept in DATA_DIR/secrets and printed at start.";

    METRICS_TOKEN = "", Accepts::Secret,
        "Opens GET /metrics and nothing else, as a bearer token. Unset, only an admin can read it.";

    CLIENT_ADDRESS_HEADER = "",
        Accepts::Text("the name of a header that holds one address, such as CF-Connecting-IP"),
        "Header the proxy in front sets to the client's address, whatever the client sent. Default: the \
         address of the connection.";

    TRUSTED_PROXY_HOPS = "", numbers(1, 10),
        "Instead of CLIENT_ADDRESS_HEADER: the client is the n-th address from the right of X-Forwarded-For.";

    DEFAULT_RETENTION_DAYS = "3", numbers(*crate::project::RETENTION_DAYS.start() as u64, *crate::project::RETENTION_DAYS.end() as u64),
        "Days a new project keeps its events.";

    MAX_PAYLOAD_BYTES = "524288", numbers(1024, 8_388_608),
        "Largest request body as sent, in bytes.";

    MAX_INFLATED_BYTES = "8388608", numbers(1024, 33_554_432),
        "Largest request body after its Content-Encoding is undone, in bytes.";

    MAX_EVENTS_PER_POST = "250", numbers(1, 10_000),
        "Most events in one request.";

    RATE_LIMIT_PER_MINUTE = "5000", numbers(0, 1_000_000_000),
        "Events a project may send a minute, unless it has its own cap; 0 = no limit.";

    RATE_LIMIT_PER_IP = "100", numbers(0, 1_000_000_000),
        "Ingest requests a client address may make a minute; 0 = no limit.";

    READ_RATE_LIMIT_PER_IP = "600", numbers(0, 1_000_000_000),
        "Reads and admin requests a client address may make a minute; 0 = no limit.";

    MAX_CONNECTIONS = "512", numbers(16, 10_000),
        "Client connections open at once; further ones wait.";

    SEARCH_MAX_BYTES = "268435456", numbers(1_048_576, 1_099_511_627_776),
        "Compressed bytes a page of a search may fetch from the database before it answers with what it has. \
         Less where the database charges for what it sends.";

    SPOOL_MAX_BYTES = "268435456", numbers(0, 1_099_511_627_776),
        "Most bytes of DATA_DIR/spool.db, which takes events while the server database is away; 0 = no \
         spool. Less than 1 MiB holds next to nothing. The embedded database has no spool.";
}

/// Every setting, in the order of `.env.template` and of `check-config`.
pub fn all() -> impl Iterator<Item = &'static Setting> {
    SERVICE.iter().chain(outgoing::OUTGOING)
}
