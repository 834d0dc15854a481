// A native application by openid-client: it listens at a free port of 127.0.0.1, has the system's browser open the issuer's
// page, and redeems what the browser brings (RFC 8252). Standard input: a line of settings, then one
// when the browser shows the application's answer. Standard output: "now" with the
// URL for the browser and where the browser returns, and at last what was seen.

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';

const found = createRequire(process.env.NODE_PACKAGES);
const client = await import(pathToFileURL(found.resolve('openid-client')));

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const given = JSON.parse((await lines.next()).value);

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const callback = `http://127.0.0.1:${server.address().port}/callback`;

const config = await client.discovery(new URL(given.issuer), given.client, undefined, client.None());
const verifier = client.randomPKCECodeVerifier();
const [state, nonce] = [client.randomState(), client.randomNonce()];
const url = client.buildAuthorizationUrl(config, {
  redirect_uri: callback,
  scope: 'openid profile',
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  state,
  nonce,
});
console.log(`now ${url.href} ${callback}`);

const [request, answer] = await once(server, 'request');
const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
const tokens = await client.authorizationCodeGrant(config, new URL(request.url, callback), checks);
answer.setHeader('content-type', 'text/html; charset=utf-8');
answer.end('<!DOCTYPE html><html lang="en"><title>Back</title><link rel="icon" href="data:,"><h1>Close this window</h1>');
await lines.next();
console.log(JSON.stringify(tokens.claims()));
process.exit(0);
