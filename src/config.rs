//! Every setting of the service, read once from the environment.

use std::path::PathBuf;

/// A secret that doesn't print.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret's characters.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The characters, for the one place that needs them.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

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
    /// Bounds on what clients may send.
    pub limits: Limits,
}
