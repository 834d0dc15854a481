// An application by openid-client, and by oauth4webapi underneath, with a browser as far as it needs one: cookies, one form,
// redirects that are read and not followed. Standard input: a line of settings, then lines that answer. Standard output: "now"
// when it is time for what the test does meanwhile, and at last what was seen.

import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

// The packages are in the folder of the build, not beside this file.
const found = createRequire(process.env.NODE_PACKAGES);
const client = await import(pathToFileURL(found.resolve('openid-client')));
const oauth = await import(pathToFileURL(found.resolve('oauth4webapi')));

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const given = JSON.parse((await lines.next()).value);
const { callback, who } = given;

class Browser {
  cookies = new Map();

  async load(url, form) {
    const headers = { cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
    const answer = await fetch(url, {
      method: form ? 'POST' : 'GET',
      body: form && new URLSearchParams(form),
      headers,
      redirect: 'manual',
    });
    for (const cookie of answer.headers.getSetCookie()) {
      assert.match(cookie, /; Secure; HttpOnly; SameSite=Lax/);
      const [name, value] = cookie.split(';')[0].split('=');
      if (cookie.includes('Max-Age=0')) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    const to = answer.headers.get('location');
    return { status: answer.status, to: to && new URL(to), text: await answer.text() };
  }

  async type(page, name, password) {
    const field = (of) => page.text.match(new RegExp(`name="${of}" value="([^"]*)"`))[1].replaceAll(/&#38;|&amp;/g, '&');
    const form = { csrf: field('csrf'), request: field('request'), name, password };
    return this.load(new URL('/sign-in', given.issuer), form);
  }
}

const config = await client.discovery(new URL(given.issuer), given.client, given.secret);

async function request(more = {}) {
  const verifier = client.randomPKCECodeVerifier();
  const [state, nonce] = [client.randomState(), client.randomNonce()];
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: callback,
    scope: 'openid profile email groups offline_access',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...more,
  });
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
  return { url, redeem: (to) => client.authorizationCodeGrant(config, to, checks) };
}

async function privateKey() {
  const der = Buffer.from(given.key.pkcs8, 'base64');
  const kind = given.key.alg === 'ES256' ? { name: 'ECDSA', namedCurve: 'P-256' } : { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  return crypto.subtle.importKey('pkcs8', der, kind, false, ['sign']);
}

const error = async (failing) => {
  try {
    await failing;
    return 'none';
  } catch (why) {
    return why.error ?? why.cause?.error ?? String(why.status ?? why.cause?.status ?? why);
  }
};

const browser = new Browser();
const asked = await request();
const page = await browser.load(asked.url);
assert.equal(page.status, 200);
const after = await browser.type(page, who.user, who.password);

if (given.course === 'page') {
  const words = after.text.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');
  console.log(JSON.stringify({ page: after.to?.searchParams.has('code') ? 'code' : `${after.status} ${words}` }));
} else if (given.course === 'secrets') {
  const tokens = await asked.redeem(after.to);
  const next = await client.refreshTokenGrant(config, tokens.refresh_token);
  await client.fetchUserInfo(config, next.access_token, tokens.claims().sub);
  // One of each that is refused.
  const [used, late] = [await error(asked.redeem(after.to)), await error(client.refreshTokenGrant(config, 'nonsense'))];
  assert.deepEqual([used, late], ['invalid_grant', 'invalid_grant']);
  const secrets = {
    'a code': after.to.searchParams.get('code'),
    'an access token': tokens.access_token,
    'the next access token': next.access_token,
    'an ID token': tokens.id_token,
    'a refresh token': tokens.refresh_token,
    'the next refresh token': next.refresh_token,
    'the secret of a refresh token': next.refresh_token.split('.')[1],
    'a proof of a form': page.text.match(/name="csrf" value="([^"]*)"/)[1],
  };
  // What clients send without a browser. Each assertion is searched by its signature, which no other text has.
  const proof = client.PrivateKeyJwt({ key: await privateKey(), kid: given.key.kid });
  const byKey = await client.discovery(new URL(given.issuer), given.client, undefined, proof);
  byKey[client.customFetch] = (url, options) => {
    const assertion = new URLSearchParams(options.body).get('client_assertion');
    if (assertion) secrets[`the assertion for ${new URL(url).pathname}`] = assertion.split('.')[2];
    return fetch(url, options);
  };
  const machine = await client.clientCredentialsGrant(byKey);
  secrets['an access token of the client itself'] = machine.access_token;
  assert.equal((await client.tokenIntrospection(byKey, machine.access_token)).active, true);
  await client.tokenRevocation(byKey, machine.access_token);
  assert.equal((await client.tokenIntrospection(byKey, machine.access_token)).active, false);
  const verifier = client.randomPKCECodeVerifier();
  const pushed = await client.buildAuthorizationUrlWithPAR(byKey, {
    redirect_uri: callback,
    scope: 'openid',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state: 'x',
  });
  secrets['a request_uri'] = pushed.searchParams.get('request_uri').split(':').at(-1);
  const { to } = await browser.load(pushed);
  const byPush = await client.authorizationCodeGrant(byKey, to, { pkceCodeVerifier: verifier, expectedState: 'x' });
  secrets['a code of a pushed request'] = to.searchParams.get('code');
  secrets['a verifier'] = verifier;
  secrets['an access token of a pushed request'] = byPush.access_token;
  // A device, whose code is typed wrong and right, and a code that is of no use.
  const codes = await client.initiateDeviceAuthorization(byKey, { scope: 'openid offline_access' });
  secrets['a code of a device'] = codes.device_code;
  secrets['the secret of a code of a device'] = codes.device_code.split('.')[1];
  secrets['the code that the person types'] = codes.user_code;
  secrets['the letters of that code'] = codes.user_code.replace('-', '');
  secrets['the same in small letters'] = codes.user_code.replace('-', '').toLowerCase();
  const at = (path) => new URL(path, given.issuer);
  const proofOf = (text, action) => text.match(new RegExp(`action="${action}">\\s*<input type="hidden" name="csrf" value="([^"]*)"`))[1];
  const form = await browser.load(at('/device'));
  for (const [code, status] of [['BBBB-BBBB', 403], [secrets['the same in small letters'], 200]]) {
    const csrf = proofOf(form.text, '/device');
    const question = await browser.load(at('/device'), { csrf, code });
    assert.equal(question.status, status);
    if (status !== 200) continue;
    const answer = { csrf: proofOf(question.text, '/allow-device'), request: codes.user_code };
    secrets['a proof of an answer'] = answer.csrf;
    assert.equal((await browser.load(at('/allow-device'), answer)).status, 200);
  }
  const onDevice = await client.pollDeviceAuthorizationGrant(byKey, codes);
  secrets['an access token of a device'] = onDevice.access_token;
  secrets['a refresh token of a device'] = onDevice.refresh_token;
  const renewed = await client.refreshTokenGrant(byKey, onDevice.refresh_token);
  secrets['the next refresh token of a device'] = renewed.refresh_token;
  assert.equal(await error(client.pollDeviceAuthorizationGrant(byKey, codes)), 'invalid_grant');
  for (const [name, value] of browser.cookies) secrets[`the cookie ${name}`] = value;
  console.log(JSON.stringify({ secrets }));
} else if (given.course === 'machine') {
  // What clients call without a browser: by a secret, by a key, and by another client that is an API.
  const steps = [];
  const tokens = await asked.redeem(after.to);
  const sub = tokens.claims().sub;
  const proof = client.PrivateKeyJwt({ key: await privateKey(), kid: given.key.kid });
  const byKey = await client.discovery(new URL(given.issuer), given.client, undefined, proof);
  const api = await client.discovery(new URL(given.issuer), given.api.client, given.api.secret);
  const worth = (of, token) => client.tokenIntrospection(of, token);
  for (const own of [config, byKey]) {
    const machine = await client.clientCredentialsGrant(own);
    assert.equal(machine.expires_in, 300);
    const said = await worth(own, machine.access_token);
    assert.deepEqual([said.active, said.client_id, said.sub, said.scope], [true, given.client, undefined, undefined]);
    assert.equal((await worth(api, machine.access_token)).active, true);
    assert.match(await error(client.fetchUserInfo(own, machine.access_token, sub)), /invalid_token|401/);
    await client.tokenRevocation(own, machine.access_token);
    assert.deepEqual(await worth(api, machine.access_token), { active: false });
  }
  steps.push('own tokens');
  for (const [by, token, active] of [
    [config, tokens.access_token, true],
    [byKey, tokens.refresh_token, true],
    [api, tokens.access_token, true],
    [api, tokens.refresh_token, false],
    [config, 'nonsense', false],
  ]) {
    const said = await worth(by, token);
    assert.equal(said.active, active);
    if (active) assert.equal(said.sub, sub);
    else assert.deepEqual(said, { active: false });
  }
  steps.push('introspected');
  const next = await client.refreshTokenGrant(byKey, tokens.refresh_token);
  assert.equal(next.claims().sub, sub);
  steps.push('refreshed by a key');
  await client.tokenRevocation(api, next.refresh_token);
  assert.equal((await worth(config, next.access_token)).active, true);
  await client.tokenRevocation(byKey, next.refresh_token);
  for (const token of [next.access_token, next.refresh_token]) assert.equal((await worth(config, token)).active, false);
  assert.equal(await error(client.refreshTokenGrant(byKey, next.refresh_token)), 'invalid_grant');
  steps.push('revoked');
  // The request is pushed, by a secret and by a key; the browser brings its name.
  for (const by of [config, byKey]) {
    const [verifier, state] = [client.randomPKCECodeVerifier(), client.randomState()];
    const url = await client.buildAuthorizationUrlWithPAR(by, {
      redirect_uri: callback,
      scope: 'openid',
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
    });
    assert.deepEqual([...url.searchParams.keys()].sort(), ['client_id', 'request_uri']);
    const { to } = await browser.load(url);
    const got = await client.authorizationCodeGrant(by, to, { pkceCodeVerifier: verifier, expectedState: state });
    assert.equal(got.claims().sub, sub);
    assert.equal((await browser.load(url)).status, 400);
  }
  steps.push('pushed');
  console.log(JSON.stringify({ steps: steps.join(', ') }));
} else if (given.course === 'disabled') {
  const tokens = await asked.redeem(after.to);
  console.log('now');
  await lines.next();
  const silent = await browser.load((await request({ prompt: 'none' })).url);
  const seen = [
    silent.to.searchParams.get('error'),
    await error(client.refreshTokenGrant(config, tokens.refresh_token)),
    await error(client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)),
  ];
  seen[2] = seen[2].includes('invalid_token') || seen[2].includes('401') ? '401' : seen[2];
  console.log(JSON.stringify({ after: seen.join(', ') }));
} else if (given.course === 'rotated') {
  const jwks = await (await fetch(config.serverMetadata().jwks_uri)).json();
  const keyOf = (token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).kid;
  const checked = async (tokens) => {
    const server = config.serverMetadata();
    const response = new Response(JSON.stringify(tokens), { headers: { 'content-type': 'application/json' } });
    const options = { expectedNonce: tokens.claims().nonce };
    await oauth.processAuthorizationCodeResponse(server, { client_id: given.client }, response, options);
    // With the keys that were read at the beginning, until one is missing.
    await oauth.validateApplicationLevelSignature(server, response, { [oauth.jwksCache]: cache });
  };
  const cache = { jwks, uat: Math.floor(Date.now() / 1000) };
  const first = await asked.redeem(after.to);
  await checked(first);
  console.log('now');
  await lines.next();
  const next = await request({ prompt: 'none' });
  const second = await next.redeem((await browser.load(next.url)).to);
  await checked(second);
  assert.notEqual(keyOf(second.id_token), keyOf(first.id_token));
  assert.ok(jwks.keys.some((key) => key.kid === keyOf(second.id_token)), 'the key was published before it signed');
  // What the older key has signed is good until it is over.
  await checked(first);
  await client.fetchUserInfo(config, first.access_token, first.claims().sub);
  const url = client.buildEndSessionUrl(config, {
    id_token_hint: first.id_token,
    post_logout_redirect_uri: given.signed_out,
  });
  assert.equal((await browser.load(url)).to.href, given.signed_out);
  console.log(JSON.stringify({ steps: 'followed' }));
} else {
  const steps = ['signed in'];
  const tokens = await asked.redeem(after.to);
  const claims = tokens.claims();
  // oauth4webapi checks the signature by the published keys, which openid-client leaves out for tokens that come by TLS.
  const server = await oauth.processDiscoveryResponse(
    new URL(given.issuer),
    await oauth.discoveryRequest(new URL(given.issuer)),
  );
  const response = new Response(JSON.stringify({ ...tokens }), { headers: { 'content-type': 'application/json' } });
  const options = { expectedNonce: claims.nonce };
  await oauth.processAuthorizationCodeResponse(server, { client_id: given.client }, response, options);
  await oauth.validateApplicationLevelSignature(server, response);
  const next = await client.refreshTokenGrant(config, tokens.refresh_token);
  steps.push('refreshed');
  const info = await client.fetchUserInfo(config, next.access_token, claims.sub);
  assert.equal(info.preferred_username, who.sam);
  // A second course for what ends the first one.
  const again = await request({ prompt: 'none' });
  const silent = await browser.load(again.url);
  const others = await again.redeem(silent.to);
  assert.equal(await error(client.refreshTokenGrant(config, tokens.refresh_token)), 'invalid_grant');
  assert.equal(await error(client.refreshTokenGrant(config, next.refresh_token)), 'invalid_grant');
  steps.push('reuse refused', 'who', 'silent');
  const url = client.buildEndSessionUrl(config, {
    id_token_hint: others.id_token,
    post_logout_redirect_uri: given.signed_out,
    state: 's',
  });
  const out = await browser.load(url);
  assert.equal(out.to.href, `${given.signed_out}?state=s`);
  assert.equal((await browser.load((await request()).url)).status, 200);
  assert.equal(await error(client.refreshTokenGrant(config, others.refresh_token)), 'invalid_grant');
  steps.push('signed out');
  console.log(JSON.stringify({ ...claims, steps: steps.join(', ') }));
}
process.exit(0);
