// Commands to paste into a shell.

/**
 * A signed batch of one event, sent with curl and openssl: the MAC is over `<timestamp>.<body>`.
 * @param {string} origin where the service answers, without a slash at the end
 * @param {string} apiKey
 * @param {string} secret
 */
export function curlSnippet(origin, apiKey, secret) {
  return `KEY=${quote(apiKey)}
SECRET=${quote(secret)}
BODY='[{"level":"info","message":"hello from curl"}]'
TIME=$(date +%s)
MAC=$(printf '%s.%s' "$TIME" "$BODY" | openssl dgst -sha256 -hmac "$SECRET" | sed 's/^.* //')
curl -sS ${quote(`${origin}/log`)} \\
  -H 'Content-Type: application/json' \\
  -H "X-Project-Key: $KEY" \\
  -H "X-Timestamp: $TIME" \\
  -H "X-Signature: sha256=$MAC" \\
  --data-binary "$BODY"
`;
}

/**
 * A word a POSIX shell takes as it is.
 * @param {string} text
 */
export function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
