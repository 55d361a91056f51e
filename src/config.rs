//! Every setting of the service, read once from the environment.
//!
//! [`Config::from_env`] is the only place that looks at the process environment; it hands a map to
//! [`Config::parse`], which reads every setting and lists all problems at once, each with a remedy.
//! [`setting::all`] describes each variable, its default and its range. Secrets don't print.

mod alerts;
mod banner;
mod database;
mod database_url;
mod effective;
mod network;
mod problem;
mod reader;
mod secret;
mod secret_file;
pub mod setting;
#[cfg(test)]
mod tests;
mod warning;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use alerts::{AlertConfig, OutboundConfig};
pub use banner::banner;
pub use effective::effective;
pub use problem::{ConfigError, Problem};
pub use secret::{MIN_SECRET_CHARS, Secret, SecretOrigin};
pub use secret_file::{FILE_NAME as SECRET_FILE_NAME, KeptSecrets, peek, read_or_make};

pub(crate) use database_url::percent_decoded;
use reader::Reader;

/// How our own logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppEnv {
    /// JSON logs.
    Production,
    /// Readable logs.
    Development,
}

/// How the connection to a server database is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseTls {
    /// TLS with certificate and host name checked.
    Verify,
    /// TLS without a check of the certificate.
    Encrypt,
    /// Plain.
    Disabled,
}

/// Where events are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseConfig {
    /// `SQLite` in `DATA_DIR`.
    Embedded,
    /// MySQL, `MariaDB` or a kin of theirs.
    Server {
        /// Host name or address.
        host: String,
        /// TCP port.
        port: u16,
        /// Unix socket path instead of host and port.
        socket: Option<PathBuf>,
        /// Database (schema) name.
        name: String,
        /// User.
        user: String,
        /// Password, possibly empty.
        password: Secret,
        /// Protection of the connection.
        tls: DatabaseTls,
        /// PEM file of the authority to trust instead of the public ones; only with [`DatabaseTls::Verify`].
        tls_ca: Option<PathBuf>,
    },
}

/// How the client's address is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAddressSource {
    /// The peer of the connection; every forwarding header is ignored.
    Peer,
    /// `CLIENT_ADDRESS_HEADER`: this header (lower case) has exactly the address.
    Header(String),
    /// `TRUSTED_PROXY_HOPS=n`: n-th from the right of X-Forwarded-For.
    ForwardedHops(u8),
}

/// Bounds on what clients may send; 0 in a rate means no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `MAX_PAYLOAD_BYTES`, as sent.
    pub max_payload_bytes: usize,
    /// `MAX_INFLATED_BYTES`, after Content-Encoding.
    pub max_inflated_bytes: usize,
    /// `MAX_EVENTS_PER_POST`.
    pub max_events_per_post: usize,
    /// `RATE_LIMIT_PER_MINUTE`: events per project.
    pub rate_limit_per_minute: u32,
    /// `RATE_LIMIT_PER_IP`: ingest requests per client address and minute.
    pub rate_limit_per_ip: u32,
    /// `READ_RATE_LIMIT_PER_IP`: reads and admin requests per client address and minute.
    pub read_rate_limit_per_ip: u32,
    /// `MAX_CONNECTIONS` at once.
    pub max_connections: usize,
    /// `SEARCH_MAX_BYTES`: compressed bytes a page of a search may fetch.
    pub search_max_bytes: u64,
}

/// All settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `APP_ENV` (or `NODE_ENV`).
    pub app_env: AppEnv,
    /// `PORT`; 0 lets the system choose (tests).
    pub port: u16,
    /// `DATABASE_URL` or `DB_*`.
    pub database: DatabaseConfig,
    /// `DATA_DIR`.
    pub data_dir: PathBuf,
    /// `HMAC_SECRET`.
    pub hmac_secret: Secret,
    /// `HMAC_SECRET_PREVIOUS`.
    pub hmac_secret_previous: Option<Secret>,
    /// `ADMIN_TOKEN`.
    pub admin_token: Secret,
    /// `METRICS_TOKEN`.
    pub metrics_token: Option<Secret>,
    /// `PUBLIC_URL` (or `RENDER_EXTERNAL_URL`): scheme, host and optional port, without a path or trailing slash.
    pub public_url: Option<String>,
    /// `CLIENT_ADDRESS_HEADER` or `TRUSTED_PROXY_HOPS`.
    pub client_address: ClientAddressSource,
    /// `DEFAULT_RETENTION_DAYS`.
    pub default_retention_days: u16,
    /// `SPOOL_MAX_BYTES`; 0 is none.
    pub spool_max_bytes: u64,
    /// Bounds on what clients may send.
    pub limits: Limits,
    /// Channels for alerts.
    pub alerts: AlertConfig,
    /// What may be reached.
    pub outbound: OutboundConfig,
    /// `LOG_LEVEL`: directives that [`crate::telemetry::parse_filter`] accepts.
    pub log_level: String,
    /// Where `hmac_secret` came from.
    pub hmac_secret_origin: SecretOrigin,
    /// Where `admin_token` came from.
    pub admin_token_origin: SecretOrigin,
    /// What was found or done while reading that the operator should know; part of [`Config::warnings`].
    pub notes: Vec<String>,
}

impl Config {
    /// Reads the process environment. On the embedded default the first call makes `DATA_DIR/secrets`.
    ///
    /// # Errors
    /// Everything that is wrong with the settings.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::parse(&environment(), &read_or_make)
    }

    /// Reads the process environment and changes nothing on disk: for `check-config`.
    ///
    /// # Errors
    /// Everything that is wrong with the settings.
    pub fn check_env() -> Result<Self, ConfigError> {
        Self::parse(&environment(), &peek)
    }

    /// Reads the settings from a map of variables. `kept` gives the secrets of the embedded default for a data
    /// directory; it is asked only when `HMAC_SECRET` or `ADMIN_TOKEN` is unset and no server database is named.
    /// An empty value counts as unset; names that aren't settings are passed over.
    ///
    /// # Errors
    /// Everything that is wrong with the settings.
    pub fn parse(
        variables: &BTreeMap<String, String>,
        kept: &dyn Fn(&Path) -> Result<KeptSecrets, Problem>,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(variables);
        let app_env = app_env(&mut reader);
        let port = reader.number(&setting::PORT);
        let public_url = network::public_url(&mut reader);
        let log_level = log_level(&mut reader);
        let data_dir = reader.text(&setting::DATA_DIR).map_or(setting::DATA_DIR.default, |found| found.text);
        let data_dir = PathBuf::from(data_dir);
        // With a problem in it, it was meant to be a server database.
        let database = database::read(&mut reader);
        let embedded = database == Some(DatabaseConfig::Embedded);
        let secrets = secret::read(&mut reader, embedded, &data_dir, kept);
        let client_address = network::client_address(&mut reader);
        let default_retention_days = reader.number(&setting::DEFAULT_RETENTION_DAYS);
        let limits = limits(&mut reader);
        let spool_max_bytes = reader.number(&setting::SPOOL_MAX_BYTES);
        let outbound = alerts::outbound(&mut reader);
        let alerts = alerts::alerts(&mut reader, &outbound, public_url.as_deref());
        let app_env = app_env.unwrap_or(if embedded { AppEnv::Development } else { AppEnv::Production });
        let notes = reader.take_notes();
        reader.finish(Self {
            app_env,
            port,
            database: database.unwrap_or(DatabaseConfig::Embedded),
            data_dir,
            hmac_secret: secrets.hmac_secret,
            hmac_secret_previous: secrets.hmac_secret_previous,
            admin_token: secrets.admin_token,
            metrics_token: secrets.metrics_token,
            public_url,
            client_address,
            default_retention_days,
            spool_max_bytes,
            limits,
            alerts,
            outbound,
            log_level,
            hmac_secret_origin: secrets.hmac_secret_origin,
            admin_token_origin: secrets.admin_token_origin,
            notes,
        })
    }

    /// What the operator should know at start though the service runs: one sentence each, without secrets.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        warning::warnings(self)
    }
}

/// The variables that are settings, with broken UTF-8 marked so that the reader refuses it.
fn environment() -> BTreeMap<String, String> {
    let names = setting::all().flat_map(|setting| [Some(setting.name), setting.alias]).flatten();
    names
        .filter_map(|name| {
            #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
            let value = std::env::var_os(name)?;
            Some((name.to_owned(), value.to_string_lossy().into_owned()))
        })
        .collect()
}

/// `APP_ENV`, or `NODE_ENV` if it is a word we know. Other tools give that one values of their own (`test`), which
/// must not keep us from starting.
fn app_env(reader: &mut Reader<'_>) -> Option<AppEnv> {
    let found = reader.text(&setting::APP_ENV)?;
    match found.text.to_ascii_lowercase().as_str() {
        "production" => return Some(AppEnv::Production),
        "development" => return Some(AppEnv::Development),
        _ if found.name == setting::APP_ENV.name => reader.refuse(&setting::APP_ENV, found),
        _ => reader.note("NODE_ENV is neither production nor development and is passed over: set APP_ENV"),
    }
    None
}

fn log_level(reader: &mut Reader<'_>) -> String {
    let Some(found) = reader.text(&setting::LOG_LEVEL) else { return setting::LOG_LEVEL.default.to_owned() };
    if crate::telemetry::parse_filter(found.text).is_none() {
        reader.refuse(&setting::LOG_LEVEL, found);
    }
    found.text.to_owned()
}

fn limits(reader: &mut Reader<'_>) -> Limits {
    Limits {
        max_payload_bytes: reader.number(&setting::MAX_PAYLOAD_BYTES),
        max_inflated_bytes: reader.number(&setting::MAX_INFLATED_BYTES),
        max_events_per_post: reader.number(&setting::MAX_EVENTS_PER_POST),
        rate_limit_per_minute: reader.number(&setting::RATE_LIMIT_PER_MINUTE),
        rate_limit_per_ip: reader.number(&setting::RATE_LIMIT_PER_IP),
        read_rate_limit_per_ip: reader.number(&setting::READ_RATE_LIMIT_PER_IP),
        max_connections: reader.number(&setting::MAX_CONNECTIONS),
        search_max_bytes: reader.number(&setting::SEARCH_MAX_BYTES),
    }
}
