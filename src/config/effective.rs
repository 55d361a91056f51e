//! The settings as they came out, for `check-config`: one line each, secrets masked.

use super::setting::{self, Setting};
use super::{
    AlertConfig, AppEnv, ClientAddressSource, Config, DatabaseConfig, DatabaseTls, OutboundConfig,
    SECRET_FILE_NAME, Secret, SecretOrigin,
};

const UNSET: &str = "(unset)";

/// `NAME=value` for every setting in the order of [`setting::all`], each line ended. The database is shown in its
/// parts, however it was named.
#[must_use]
pub fn effective(config: &Config) -> String {
    let lines = setting::all().map(|setting| [setting.name, "=", &value(config, setting), "\n"].concat());
    lines.collect()
}

fn value(config: &Config, setting: &Setting) -> String {
    let limits = &config.limits;
    match setting.name {
        "APP_ENV" => app_env(config.app_env).to_owned(),
        "PORT" => config.port.to_string(),
        "PUBLIC_URL" => config.public_url.clone().unwrap_or_else(|| UNSET.to_owned()),
        "LOG_LEVEL" => config.log_level.clone(),
        "DATA_DIR" => config.data_dir.display().to_string(),
        "HMAC_SECRET" => origin_and_size(&config.hmac_secret, config.hmac_secret_origin),
        "HMAC_SECRET_PREVIOUS" => masked(config.hmac_secret_previous.as_ref()),
        "ADMIN_TOKEN" => origin_and_size(&config.admin_token, config.admin_token_origin),
        "METRICS_TOKEN" => masked(config.metrics_token.as_ref()),
        "CLIENT_ADDRESS_HEADER" => match &config.client_address {
            ClientAddressSource::Header(name) => name.clone(),
            ClientAddressSource::Peer | ClientAddressSource::ForwardedHops(_) => UNSET.to_owned(),
        },
        "TRUSTED_PROXY_HOPS" => match config.client_address {
            ClientAddressSource::ForwardedHops(hops) => hops.to_string(),
            ClientAddressSource::Peer | ClientAddressSource::Header(_) => UNSET.to_owned(),
        },
        "DEFAULT_RETENTION_DAYS" => config.default_retention_days.to_string(),
        "MAX_PAYLOAD_BYTES" => limits.max_payload_bytes.to_string(),
        "MAX_INFLATED_BYTES" => limits.max_inflated_bytes.to_string(),
        "MAX_EVENTS_PER_POST" => limits.max_events_per_post.to_string(),
        "RATE_LIMIT_PER_MINUTE" => limits.rate_limit_per_minute.to_string(),
        "RATE_LIMIT_PER_IP" => limits.rate_limit_per_ip.to_string(),
        "READ_RATE_LIMIT_PER_IP" => limits.read_rate_limit_per_ip.to_string(),
        "SPOOL_MAX_BYTES" => config.spool_max_bytes.to_string(),
        "SEARCH_MAX_BYTES" => limits.search_max_bytes.to_string(),
        "MAX_CONNECTIONS" => limits.max_connections.to_string(),
        name => database_value(&config.database, name)
            .or_else(|| alert_value(&config.alerts, name))
            .or_else(|| outbound_value(&config.outbound, name))
            .unwrap_or_else(|| UNSET.to_owned()),
    }
}

fn database_value(database: &DatabaseConfig, name: &str) -> Option<String> {
    let DatabaseConfig::Server { host, port, socket, name: schema, user, password, tls, tls_ca } = database
    else {
        return None;
    };
    match name {
        "DATABASE_URL" => Some("(see its parts below)".to_owned()),
        "DB_HOST" => Some(socket.as_ref().map_or_else(|| host.clone(), |path| path.display().to_string())),
        "DB_PORT" => Some(port.to_string()),
        "DB_NAME" => Some(schema.clone()),
        "DB_USER" => Some(user.clone()),
        // Not its length, which a short password could be guessed by.
        "DB_PASS" => (!password.expose().is_empty()).then(|| "(set)".to_owned()),
        "DATABASE_TLS" => Some(database_tls(*tls).to_owned()),
        "DATABASE_TLS_CA" => tls_ca.as_ref().map(|path| path.display().to_string()),
        _ => None,
    }
}

/// Addresses of webhooks are secrets themselves.
fn alert_value(alerts: &AlertConfig, name: &str) -> Option<String> {
    let set = |secret: &Option<Secret>| secret.as_ref().map(|_| "(set)".to_owned());
    match name {
        "DISCORD_WEBHOOK_URL" => set(&alerts.discord_webhook_url),
        "SLACK_WEBHOOK_URL" => set(&alerts.slack_webhook_url),
        "PAGERDUTY_ROUTING_KEY" => set(&alerts.pagerduty_routing_key),
        "PAGERDUTY_URL" => alerts.pagerduty_url.clone(),
        "ALERT_WEBHOOK_URL" => set(&alerts.webhook_url),
        "ALERT_WEBHOOK_SECRET" => set(&alerts.webhook_secret),
        "SMTP_URL" => set(&alerts.smtp_url),
        "ALERT_EMAIL_TO" => (!alerts.email_to.is_empty()).then(|| alerts.email_to.join(", ")),
        "ALERT_EMAIL_FROM" => alerts.email_from.clone(),
        "MAIL_API_KEY" => set(&alerts.mail_api_key),
        "MAIL_API_URL" => alerts.mail_api_url.clone(),
        _ => None,
    }
}

fn outbound_value(outbound: &OutboundConfig, name: &str) -> Option<String> {
    match name {
        "OUTBOUND_ALLOW_PRIVATE" => Some(outbound.allow_private.to_string()),
        "OUTBOUND_TLS_CA" => outbound.tls_ca.as_ref().map(|path| path.display().to_string()),
        _ => None,
    }
}

fn app_env(app_env: AppEnv) -> &'static str {
    match app_env {
        AppEnv::Production => "production",
        AppEnv::Development => "development",
    }
}

fn database_tls(tls: DatabaseTls) -> &'static str {
    match tls {
        DatabaseTls::Verify => "verify",
        DatabaseTls::Encrypt => "encrypt",
        DatabaseTls::Disabled => "disabled",
    }
}

fn masked(secret: Option<&Secret>) -> String {
    secret.map_or_else(|| UNSET.to_owned(), |secret| origin_and_size(secret, SecretOrigin::Environment))
}

fn origin_and_size(secret: &Secret, origin: SecretOrigin) -> String {
    match origin {
        SecretOrigin::Environment => format!("(set, {} characters)", secret.expose().chars().count()),
        SecretOrigin::DataDir => format!("(kept in DATA_DIR/{SECRET_FILE_NAME})"),
        SecretOrigin::NotYetMade => format!("(made at the first start, in DATA_DIR/{SECRET_FILE_NAME})"),
    }
}
