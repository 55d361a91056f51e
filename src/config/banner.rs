//! What the embedded default prints when it starts: where it is, the admin token, and a signed request to paste.
//!
//! This is the one text that shows secrets on purpose: the admin token at every start, as the contract says, a
//! project's key and signing secret once. It goes to stdout for a person, never into our logs, and only on the embedded
//! default.

use std::net::SocketAddr;

use super::Config;

/// The text, ended by a newline. `project` is the API key and the signing secret of the project `demo` when it was
/// just made; without it the text says how to make another key. The commands are for any POSIX shell.
#[must_use]
pub fn banner(config: &Config, local_addr: SocketAddr, project: Option<(&str, &str)>) -> String {
    let base = format!("http://localhost:{}", local_addr.port());
    let version = env!("CARGO_PKG_VERSION");
    let token = config.admin_token.expose();
    let start = format!(
        "Tekno Logger {version}: {base}/ui/\nADMIN_TOKEN={token}\nEvents are kept in {}.\n",
        config.data_dir.display()
    );
    match project {
        Some((api_key, signing_secret)) => start + &signed_request(&base, api_key, signing_secret),
        None => {
            start
                + "To make another key for the project demo:\n\n\
                   tekno-logger project rotate-key demo\n"
        }
    }
}

/// The commands that send one signed event. Nothing in them needs quoting beyond what is there: keys are base32,
/// secrets hexadecimal, and the body has no single quote.
fn signed_request(base: &str, api_key: &str, signing_secret: &str) -> String {
    format!(
        r#"A project named demo is ready. Its key and signing secret are shown this once; paste this to send an event:

KEY='{api_key}'
SECRET='{signing_secret}'
BODY='[{{"level":"error","message":"first event from the shell","source":"shell"}}]'
TS=$(date +%s)
SIG=$(printf '%s.%s' "$TS" "$BODY" | openssl dgst -sha256 -hmac "$SECRET" | sed 's/^.* //')
curl -sS {base}/log -H 'Content-Type: application/json' -H "X-Project-Key: $KEY" -H "X-Timestamp: $TS" -H "X-Signature: sha256=$SIG" --data-binary "$BODY"
"#
    )
}
