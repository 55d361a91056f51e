// Checks a webhook with the public library: reads {"secret", "headers", "body"} from standard input, exits 0 if it is
// right, and says why not otherwise.
import { readFileSync } from 'node:fs';
import { Webhook } from 'standardwebhooks';

const { secret, headers, body } = JSON.parse(readFileSync(0, 'utf8'));
try {
  new Webhook(secret).verify(body, headers);
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
}
