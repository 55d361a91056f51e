//! What runs but should be looked at: said once at start and by `check-config`.

use super::network::{is_local_host, is_plain_and_remote};
use super::{AppEnv, ClientAddressSource, Config, DatabaseConfig, DatabaseTls};

/// One sentence each, without secrets.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = config.notes.clone();
    warnings.extend(about_database(config).map(str::to_owned));
    warnings.extend(about_address(config).map(str::to_owned));
    if config.outbound.allow_private {
        warnings.push(
            "OUTBOUND_ALLOW_PRIVATE=true: whoever can set up a channel can have this service send requests into its \
             private network"
                .to_owned(),
        );
    }
    if config.hmac_secret_previous.as_ref() == Some(&config.hmac_secret) {
        warnings.push("HMAC_SECRET_PREVIOUS is the same as HMAC_SECRET: it can be removed".to_owned());
    }
    let rates = [
        ("RATE_LIMIT_PER_MINUTE", config.limits.rate_limit_per_minute),
        ("RATE_LIMIT_PER_IP", config.limits.rate_limit_per_ip),
        ("READ_RATE_LIMIT_PER_IP", config.limits.read_rate_limit_per_ip),
    ];
    if config.app_env == AppEnv::Production {
        let off = rates.iter().filter(|(_, rate)| *rate == 0);
        warnings.extend(off.map(|(name, _)| format!("{name}=0: this limit is off")));
    }
    warnings
}

fn about_database(config: &Config) -> Option<&'static str> {
    let DatabaseConfig::Server { host, socket, tls, .. } = &config.database else {
        let production = config.app_env == AppEnv::Production;
        return production.then_some(
            "no server database: events live in DATA_DIR only, and are lost with it where the host's disk is not kept",
        );
    };
    if socket.is_some() || is_local_host(host) {
        return None;
    }
    match tls {
        DatabaseTls::Verify => None,
        DatabaseTls::Encrypt => Some(
            "the connection to the database is encrypted, but the server's certificate is not checked: \
             anyone in between can pose as it (DATABASE_TLS=verify checks it)",
        ),
        DatabaseTls::Disabled => Some(
            "DATABASE_TLS=disabled: events and the database password travel in the clear to another machine",
        ),
    }
}

fn about_address(config: &Config) -> impl Iterator<Item = &'static str> {
    let production = config.app_env == AppEnv::Production;
    let url = config.public_url.as_deref();
    let absent = (production && url.is_none()).then_some(
        "PUBLIC_URL is not set: cookies are not tied to HTTPS, and links in alerts have no address",
    );
    let plain = (production && url.is_some_and(is_plain_and_remote))
        .then_some("PUBLIC_URL is plain HTTP: keys and the admin token travel in the clear");
    // We speak plain HTTP, so an HTTPS address means that a proxy is in front.
    let proxied = url.is_some_and(|url| url.starts_with("https://"));
    let shared = (proxied && config.client_address == ClientAddressSource::Peer).then_some(
        "PUBLIC_URL is HTTPS, so a proxy is in front and all clients share its address in the limits: set \
         CLIENT_ADDRESS_HEADER or TRUSTED_PROXY_HOPS as your host documents",
    );
    [absent, plain, shared].into_iter().flatten()
}
