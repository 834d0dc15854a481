// A device without a browser by openid-client: it shows a code, and asks for its tokens until a person has answered. Standard
// input: a line of settings, then one when the person has answered. Standard output: "now" with the address and the
// code for the person, and at last what was seen.

import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const found = createRequire(process.env.NODE_PACKAGES);
const client = await import(pathToFileURL(found.resolve('openid-client')));

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const given = JSON.parse((await lines.next()).value);

const proof = given.secret ? client.ClientSecretBasic(given.secret) : client.None();
const config = await client.discovery(new URL(given.issuer), given.client, undefined, proof);
const codes = await client.initiateDeviceAuthorization(config, { scope: 'openid profile offline_access' });
if (given.course === 'begin') {
  console.log(JSON.stringify({ code: codes.user_code, keys: Object.keys(codes).sort().join(' ') }));
  process.exit(0);
}

// What the token endpoint answered so far.
const seen = [];
let waits;
const first = new Promise((resolve) => { waits = resolve; });
config[client.customFetch] = async (url, options) => {
  const answer = await fetch(url, options);
  if (String(url) === config.serverMetadata().token_endpoint) {
    seen.push((await answer.clone().json()).error ?? 'tokens');
    waits();
  }
  return answer;
};
const poll = () =>
  client.pollDeviceAuthorizationGrant(config, codes).then(
    (tokens) => ({ tokens }),
    (why) => ({ error: why.error ?? String(why) }),
  );
let polling;
if (given.course === 'early') {
  // The device has asked once; now it asks too early.
  polling = poll();
  await first;
  const grant = 'urn:ietf:params:oauth:grant-type:device_code';
  await client.genericGrantRequest(config, grant, { device_code: codes.device_code }).catch(() => {});
}
console.log(`now ${codes.verification_uri} ${codes.user_code}`);
await lines.next();
const { tokens, error } = await (polling ?? poll());
if (error) {
  console.log(JSON.stringify({ error, seen }));
} else {
  const who = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  const next = await client.refreshTokenGrant(config, tokens.refresh_token);
  const worth = given.secret && await client.tokenIntrospection(config, next.access_token);
  await client.tokenRevocation(config, next.refresh_token);
  const gone = await client.refreshTokenGrant(config, next.refresh_token).then(() => 'none', (why) => why.error);
  console.log(JSON.stringify({ who, seen, active: worth?.active, gone }));
}
process.exit(0);
