// npm's oidc-provider as an issuer over TLS, for the benchmark: one client, its adapter that keeps everything in memory, tokens
// by ES256. It asks nobody for a password: a request's login_hint is who signs in. Standard input: a line of settings.

import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { createServer } from 'node:https';
import { pathToFileURL } from 'node:url';

// The packages are in the folder of the build, not beside this file.
const found = createRequire(process.env.NODE_PACKAGES);
const { Provider } = await import(pathToFileURL(found.resolve('oidc-provider')));

const given = JSON.parse((await createInterface({ input: process.stdin })[Symbol.asyncIterator]().next()).value);
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const provider = new Provider(given.issuer, {
  clients: [
    {
      client_id: given.client,
      client_secret: given.secret,
      redirect_uris: [given.callback],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      id_token_signed_response_alg: 'ES256',
      token_endpoint_auth_method: 'client_secret_basic',
    },
  ],
  jwks: { keys: [privateKey.export({ format: 'jwk' })] },
  cookies: { keys: [given.secret] },
  claims: {
    openid: ['sub', 'domain', 'domain_sid'],
    profile: ['name', 'given_name', 'family_name', 'preferred_username', 'upn'],
    email: ['email', 'email_verified'],
  },
  // The ID token has the claims of the scopes, as ours has.
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: false } },
  findAccount: (context, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      domain: 'corp.example.com',
      domain_sid: 'S-1-5-21-1-2-3',
      name: `Person ${id} of the harbour`,
      given_name: 'Person',
      family_name: `Number ${id}`,
      preferred_username: id,
      upn: `${id}@corp.example.com`,
      email: `${id}@corp.example.com`,
      email_verified: false,
    }),
  }),
  interactions: { url: (context, interaction) => `/interaction/${interaction.uid}` },
  pkce: { required: () => true },
  // Each refresh token is good once, as ours is.
  rotateRefreshToken: true,
  ttl: { AccessToken: 300, IdToken: 300, AuthorizationCode: 60, Grant: 86400, Interaction: 600, RefreshToken: 86400, Session: 86400 },
});

const issuer = provider.callback();

// Who is named is signed in and has consented.
async function accept(request, response) {
  const { params } = await provider.interactionDetails(request, response);
  const grant = new provider.Grant({ accountId: params.login_hint, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const result = { login: { accountId: params.login_hint }, consent: { grantId: await grant.save() } };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

const server = createServer({ cert: readFileSync(given.certificate), key: readFileSync(given.key) }, (request, response) => {
  if (!request.url.startsWith('/interaction/')) return issuer(request, response);
  return accept(request, response).catch((why) => {
    console.error(why);
    response.writeHead(500).end();
  });
});
// Connections are kept between the rounds.
server.keepAliveTimeout = 3_600_000;
const { hostname } = new URL(given.issuer);
server.listen(Number(new URL(given.issuer).port || 443), hostname);
