// A program for Node.js that signs people in, and one that reads. Standard input: settings and sign-ins as JSON. Standard
// output: whether each sign-in was accepted.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

// The packages are in the folder of the build, not beside this file.
const {
  AndFilter,
  Attribute,
  Change,
  Client,
  EqualityFilter,
  ExtensibleFilter,
  GreaterThanEqualsFilter,
  InvalidCredentialsError,
  LessThanEqualsFilter,
  NoSuchObjectError,
  NotFilter,
  OrFilter,
  PresenceFilter,
  SubstringFilter,
  UnwillingToPerformError,
} = createRequire(process.env.NODE_PACKAGES)('ldapts');

const given = JSON.parse(readFileSync(0, 'utf8'));
const { base } = given;

async function connected() {
  const tlsOptions = { ca: readFileSync(given.ca) };
  const secure = given.url.startsWith('ldaps://');
  const client = new Client(secure ? { url: given.url, tlsOptions } : { url: given.url });
  if (!secure) {
    // Without the host it would expect a certificate of localhost.
    await client.startTLS({ ...tlsOptions, host: new URL(given.url).hostname });
  }
  return client;
}

async function application() {
  const client = await connected();
  await client.bind(given.name, readFileSync(given.secret, 'utf8'));
  return client;
}

async function signIn(name, password) {
  const client = await application();
  try {
    const filter = new EqualityFilter({ attribute: 'uid', value: name });
    const { searchEntries } = await client.search(base, { filter, attributes: ['cn'] });
    if (searchEntries.length !== 1) {
      return false;
    }
    await client.bind(searchEntries[0].dn, password);
    // Who is signed in reads the own entry, and no other.
    const own = await client.search(base, { attributes: ['1.1'] });
    assert.deepEqual(own.searchEntries.map(({ dn }) => dn), [searchEntries[0].dn]);
    return true;
  } catch (why) {
    assert(why instanceof InvalidCredentialsError || (password === '' && why instanceof UnwillingToPerformError), why);
    return false;
  } finally {
    await client.unbind();
  }
}

async function reading() {
  const client = await application();
  const names = async (filter) => {
    const { searchEntries } = await client.search(base, { filter, attributes: ['1.1'] });
    return searchEntries.map(({ dn }) => dn).sort();
  };
  const refused = (promise, kind) => assert.rejects(promise, (why) => why instanceof kind);
  // 1. Pages, by the iterator. Two at a time on one connection.
  const people = new EqualityFilter({ attribute: 'objectClass', value: 'inetOrgPerson' });
  const whole = await names(people);
  assert(whole.length >= given.people);
  const paged = async (pageSize) => {
    const found = [];
    const pages = client.searchPaginated(base, { filter: people, attributes: ['1.1'], paged: { pageSize } });
    for await (const { searchEntries } of pages) {
      assert(searchEntries.length <= pageSize);
      found.push(...searchEntries.map(({ dn }) => dn));
    }
    return found.sort();
  };
  const [small, large] = await Promise.all([paged(7), paged(1000)]);
  assert.deepEqual([small, large, await paged(1)], [whole, whole, whole]);
  // 2. Filters by its classes: each must be what the same filter is as text.
  const users = new SubstringFilter({ attribute: 'uid', initial: 'user', any: ['0'] });
  const zoe = new SubstringFilter({ attribute: 'uid', initial: 'zo' });
  const { searchEntries } = await client.search(base, { filter: people, attributes: ['uidNumber'] });
  const middle = searchEntries.map((one) => Number(one.uidNumber)).sort((a, b) => a - b)[whole.length >> 1];
  const low = new LessThanEqualsFilter({ attribute: 'uidNumber', value: String(middle - 1) });
  const high = new GreaterThanEqualsFilter({ attribute: 'uidNumber', value: String(middle) });
  const enabled = new ExtensibleFilter({
    matchType: 'userAccountControl',
    rule: '1.2.840.113556.1.4.803',
    value: '512',
  });
  const filters = [users, zoe, low, high, enabled, new PresenceFilter({ attribute: 'displayName' })];
  filters.push(new NotFilter({ filter: users }), new OrFilter({ filters: [zoe, low] }));
  filters.push(new AndFilter({ filters: [people, new NotFilter({ filter: new OrFilter({ filters: [zoe, high] }) })] }));
  for (const filter of filters) {
    const found = await names(filter);
    assert(found.length > 0, filter.toString());
    assert.deepEqual(found, await names(filter.toString()), filter.toString());
  }
  assert.equal((await names(low)).length + (await names(high)).length, whole.length);
  // 3. Octets.
  const staff = `cn=Staff,ou=groups,${base}`;
  const one = { scope: 'base', attributes: ['objectGUID', 'member'], explicitBufferAttributes: ['objectGUID'] };
  const [group] = (await client.search(staff, one)).searchEntries;
  assert(Buffer.isBuffer(group.objectGUID) && group.objectGUID.length === 16);
  assert.deepEqual(await names(new EqualityFilter({ attribute: 'objectGUID', value: group.objectGUID })), [staff]);
  // 4. Compare, and what is refused.
  const member = [group.member].flat()[0];
  assert.equal(await client.compare(staff, 'member', member.toUpperCase()), true);
  assert.equal(await client.compare(staff, 'member', `uid=nobody,ou=people,${base}`), false);
  await refused(client.search(`ou=nowhere,${base}`, { scope: 'base' }), NoSuchObjectError);
  const modification = new Attribute({ type: 'description', values: ['x'] });
  await refused(client.modify(staff, new Change({ operation: 'replace', modification })), UnwillingToPerformError);
  await refused(client.del(staff), UnwillingToPerformError);
  await client.unbind();
}

if (given.people) {
  await reading();
}
const accepted = [];
for (const [name, password] of given.sign_ins) {
  accepted.push(await signIn(name, password));
}
console.log(JSON.stringify(accepted));
