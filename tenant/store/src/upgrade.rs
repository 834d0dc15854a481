//! Upgrades a database of an older version to the present one, step by step, in one transaction. What SQL cannot say
//! follows in Rust. An upgrade cannot be undone: `docs/tenant/backup.md` tells operators to copy the file first.
//! Neighbours: [`super::file`] calls this before anything else is written.

mod attributes_before;

use crate::engine::Connection;
use crate::error::StoreError;
use crate::schema::SCHEMA_VERSION;
use crate::tables::{attributes, domains, numbers, objects, suffixes};
use crate::transaction::Writing;
use attributes_before::pack_attributes;
use landbridge_tenant_rules::names::names_of;
use landbridge_wire::upload::Kind;

/// The statements of each step. The first one leads from version 1 to 2.
const STEPS: [&str; 4] = [
    // To version 2: sign-in policy, approval of agents, canaries, the serial number of the previous certificate.
    "ALTER TABLE domains ADD COLUMN signin_policy TEXT NOT NULL DEFAULT 'phs';
     ALTER TABLE domains ADD COLUMN approve_agents INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE agents ADD COLUMN serial_before BLOB;
     CREATE TABLE canaries (
         object      BLOB PRIMARY KEY,
         domain      INTEGER NOT NULL REFERENCES domains(id),
         added_at    INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;",
    // To version 3: groups, contacts and password settings objects beside accounts, and links between them.
    "DROP INDEX accounts_by_domain;
     ALTER TABLE accounts RENAME TO objects;
     ALTER TABLE objects ALTER COLUMN sid DROP NOT NULL;
     ALTER TABLE objects ADD COLUMN kind TEXT NOT NULL DEFAULT 'account';
     ALTER TABLE objects ADD COLUMN removed_at INTEGER;
     UPDATE objects SET removed_at = changed_at WHERE presence IN ('deleted', 'out-of-scope');
     CREATE INDEX objects_by_domain ON objects(domain, kind, presence);
     CREATE INDEX objects_by_sid ON objects(sid);
     CREATE INDEX objects_removed ON objects(removed_at) WHERE removed_at IS NOT NULL;
     CREATE INDEX attributes_primary_group ON attributes(value, object) WHERE name = 'primary_group_id';
     CREATE TABLE links (
         source  BLOB NOT NULL,
         what    TEXT NOT NULL,
         target  BLOB NOT NULL,
         domain  INTEGER NOT NULL REFERENCES domains(id),
         stamp   BLOB NOT NULL,
         present INTEGER NOT NULL,
         cycle   BLOB,
         PRIMARY KEY (source, what, target, domain)
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX links_by_target ON links(target, what, domain, present);
     CREATE INDEX links_applies_to ON links(domain, target) WHERE what = 'applies-to' AND present = 1;
     CREATE TABLE group_policies (
         domain  INTEGER NOT NULL REFERENCES domains(id),
         object  BLOB NOT NULL,
         place   INTEGER NOT NULL,
         policy  TEXT NOT NULL,
         name    TEXT NOT NULL,
         PRIMARY KEY (domain, object)
     ) STRICT, WITHOUT ROWID;",
    // To version 4: accounts that an administrator blocked; last members of groups that refused; known sources, and a
    // table of its own for AD's budget. The counter over all sources becomes that of unknown sources; no source is
    // known yet. New pta-agents wait for approval in every domain, and what a person needs to recognise one; when an
    // agent first proved its process. Every object belongs to the domain that it is in. UPN suffixes and names: see
    // `declare_suffixes` and `derive_names`. Reserved names hold once a phs has sent all of them. Applications may have
    // several domains and two secrets, and groups that are assigned to them; those of before serve everybody. Changes of
    // the directory are numbered, and applications may read it by LDAP and sign people in by OpenID Connect. Passwords may
    // be changed by way of the tenant, in no domain of before.
    "CREATE TABLE blocks (
         object      BLOB PRIMARY KEY,
         domain      INTEGER NOT NULL REFERENCES domains(id),
         blocked_at  INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE refused_members (
         domain        INTEGER NOT NULL REFERENCES domains(id),
         policy_group  BLOB NOT NULL,
         object        BLOB NOT NULL,
         PRIMARY KEY (domain, policy_group, object)
     ) STRICT, WITHOUT ROWID;
     ALTER TABLE objects ADD COLUMN privileged INTEGER NOT NULL DEFAULT 0;
     UPDATE domains SET approve_agents = 1;
     ALTER TABLE agents ADD COLUMN enrolled_from TEXT;
     ALTER TABLE agents ADD COLUMN key_fingerprint TEXT;
     ALTER TABLE agents ADD COLUMN proved_at INTEGER;
     CREATE TABLE known_sources (
         object      BLOB NOT NULL,
         hash        BLOB NOT NULL,
         seen_at     INTEGER NOT NULL,
         PRIMARY KEY (object, hash)
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX known_sources_by_time ON known_sources(seen_at);
     CREATE TABLE ad_budget (
         object      BLOB PRIMARY KEY,
         known       INTEGER NOT NULL,
         unknown     INTEGER NOT NULL,
         last_at     INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;
     INSERT INTO ad_budget (object, known, unknown, last_at)
         SELECT object, 0, failures, last_at FROM lockouts WHERE source = '\n';
     DELETE FROM lockouts WHERE source <> '';
     CREATE TABLE homes (
         object      BLOB PRIMARY KEY,
         domain      INTEGER NOT NULL REFERENCES domains(id)
     ) STRICT, WITHOUT ROWID;
     INSERT INTO homes (object, domain) SELECT object, domain FROM objects;
     CREATE TABLE refused_objects (
         domain      INTEGER NOT NULL REFERENCES domains(id),
         object      BLOB NOT NULL,
         first_at    INTEGER NOT NULL,
         last_at     INTEGER NOT NULL,
         PRIMARY KEY (domain, object)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE upn_suffixes (
         suffix      TEXT NOT NULL,
         domain      INTEGER NOT NULL REFERENCES domains(id),
         PRIMARY KEY (suffix, domain)
     ) STRICT, WITHOUT ROWID;
     ALTER TABLE tenant ADD COLUMN name_key BLOB;
     ALTER TABLE domains ADD COLUMN reserved_since INTEGER;
     ALTER TABLE domains ADD COLUMN change_policy TEXT NOT NULL DEFAULT 'off';
     ALTER TABLE domains ADD COLUMN min_pwd_age INTEGER;
     ALTER TABLE domains ADD COLUMN min_pwd_age_stamp BLOB;
     ALTER TABLE domains ADD COLUMN min_pwd_length INTEGER;
     ALTER TABLE domains ADD COLUMN min_pwd_length_stamp BLOB;
     ALTER TABLE domains ADD COLUMN pwd_history_length INTEGER;
     ALTER TABLE domains ADD COLUMN pwd_history_length_stamp BLOB;
     ALTER TABLE domains ADD COLUMN pwd_properties INTEGER;
     ALTER TABLE domains ADD COLUMN pwd_properties_stamp BLOB;
     CREATE TABLE password_changes (
         object      BLOB PRIMARY KEY,
         stamp       BLOB,
         set_at      INTEGER,
         expected    INTEGER NOT NULL,
         doubted     INTEGER NOT NULL,
         wanted_at   INTEGER,
         changed_at  INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;
     ALTER TABLE signin_names ADD COLUMN hash BLOB;
     CREATE INDEX signin_names_by_hash ON signin_names(hash);
     CREATE TABLE reserved_names (
         domain     INTEGER NOT NULL REFERENCES domains(id),
         object     BLOB NOT NULL,
         attribute  TEXT NOT NULL,
         hash       BLOB NOT NULL,
         stamp      BLOB NOT NULL,
         cycle      BLOB,
         PRIMARY KEY (domain, object, attribute, hash)
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX reserved_names_by_hash ON reserved_names(hash, domain);
     ALTER TABLE apps RENAME TO apps_before;
     CREATE TABLE apps (
         id              BLOB PRIMARY KEY,
         name            TEXT NOT NULL UNIQUE,
         every_domain    INTEGER NOT NULL,
         everybody       INTEGER NOT NULL,
         rate_per_minute INTEGER NOT NULL,
         created_at      INTEGER NOT NULL,
         revoked_at      INTEGER
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE app_domains (
         app         BLOB NOT NULL REFERENCES apps(id),
         domain      INTEGER NOT NULL REFERENCES domains(id),
         PRIMARY KEY (app, domain)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE app_groups (
         app         BLOB NOT NULL REFERENCES apps(id),
         domain      INTEGER NOT NULL REFERENCES domains(id),
         object      BLOB NOT NULL,
         name        TEXT NOT NULL,
         PRIMARY KEY (app, object)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE app_networks (
         app         BLOB NOT NULL REFERENCES apps(id),
         network     TEXT NOT NULL,
         PRIMARY KEY (app, network)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE app_secrets (
         app         BLOB NOT NULL REFERENCES apps(id),
         number      INTEGER NOT NULL,
         hash        BLOB NOT NULL,
         created_at  INTEGER NOT NULL,
         ends_at     INTEGER,
         used_at     INTEGER,
         PRIMARY KEY (app, number)
     ) STRICT, WITHOUT ROWID;
     INSERT INTO apps (id, name, every_domain, everybody, rate_per_minute, created_at, revoked_at)
         SELECT id, name, domain IS NULL, 1, rate_per_minute, created_at, revoked_at FROM apps_before;
     INSERT INTO app_domains (app, domain) SELECT id, domain FROM apps_before WHERE domain IS NOT NULL;
     INSERT INTO app_secrets (app, number, hash, created_at)
         SELECT id, 1, hash, coalesce(rotated_at, created_at) FROM apps_before WHERE revoked_at IS NULL;
     DROP TABLE apps_before;
     ALTER TABLE tenant ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE tenant ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE objects ADD COLUMN change INTEGER NOT NULL DEFAULT 0;
     UPDATE objects SET change = changed_at * 1000000;
     UPDATE tenant SET changed = coalesce((SELECT max(change) FROM objects), 0);
     CREATE INDEX objects_by_change ON objects(change);
     CREATE TABLE app_ldap (
         app            BLOB PRIMARY KEY REFERENCES apps(id),
         view           TEXT NOT NULL,
         tree           TEXT NOT NULL,
         member_of      TEXT NOT NULL,
         people_connect INTEGER NOT NULL,
         every_group    INTEGER NOT NULL,
         attributes     TEXT NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE app_ldap_groups (
         app         BLOB NOT NULL REFERENCES apps(id),
         domain      INTEGER NOT NULL REFERENCES domains(id),
         object      BLOB NOT NULL,
         name        TEXT NOT NULL,
         PRIMARY KEY (app, object)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE app_oidc (
         app         BLOB PRIMARY KEY REFERENCES apps(id),
         kind        TEXT NOT NULL,
         pkce        INTEGER NOT NULL,
         algorithm   TEXT NOT NULL,
         subject     TEXT NOT NULL,
         every_group INTEGER NOT NULL,
         salt        BLOB NOT NULL,
         client_credentials INTEGER NOT NULL,
         introspects_others INTEGER NOT NULL,
         pushed_requests_only INTEGER NOT NULL,
         device_codes INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE app_uris (
         app         BLOB NOT NULL REFERENCES apps(id),
         what        TEXT NOT NULL,
         uri         TEXT NOT NULL,
         PRIMARY KEY (app, what, uri)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE app_keys (
         app         BLOB NOT NULL REFERENCES apps(id),
         kid         TEXT NOT NULL,
         algorithm   TEXT NOT NULL,
         public      BLOB NOT NULL,
         PRIMARY KEY (app, kid)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE app_oidc_groups (
         app         BLOB NOT NULL REFERENCES apps(id),
         domain      INTEGER NOT NULL REFERENCES domains(id),
         object      BLOB NOT NULL,
         name        TEXT NOT NULL,
         PRIMARY KEY (app, object)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE app_roles (
         app         BLOB NOT NULL REFERENCES apps(id),
         role        TEXT NOT NULL,
         domain      INTEGER NOT NULL REFERENCES domains(id),
         object      BLOB NOT NULL,
         name        TEXT NOT NULL,
         PRIMARY KEY (app, role, object)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE signing_keys (
         kid         TEXT PRIMARY KEY,
         algorithm   TEXT NOT NULL,
         sealed      BLOB NOT NULL,
         made_at     INTEGER NOT NULL,
         signs_at    INTEGER,
         retired_at  INTEGER
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX audit_by_subject ON audit(subject, id);
     CREATE TABLE web_sessions (
         id           BLOB PRIMARY KEY,
         hash         BLOB NOT NULL UNIQUE,
         object       BLOB NOT NULL,
         password_set INTEGER,
         made_at      INTEGER NOT NULL,
         seen_at      INTEGER NOT NULL,
         ends_at      INTEGER NOT NULL,
         device       TEXT NOT NULL,
         address      TEXT NOT NULL,
         awaits_until INTEGER
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX web_sessions_by_object ON web_sessions(object);
     CREATE INDEX web_sessions_by_end ON web_sessions(ends_at);
     CREATE TABLE grants (
         id           BLOB PRIMARY KEY,
         app          BLOB NOT NULL REFERENCES apps(id),
         object       BLOB NOT NULL,
         session      BLOB NOT NULL,
         scopes       TEXT NOT NULL,
         nonce        TEXT,
         redirect_uri TEXT NOT NULL,
         challenge    TEXT,
         signed_in_at INTEGER NOT NULL,
         hash         BLOB NOT NULL,
         code_until   INTEGER,
         ends_at      INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX grants_by_session ON grants(session);
     CREATE INDEX grants_by_end ON grants(ends_at);
     CREATE TABLE spent (
         app         BLOB NOT NULL REFERENCES apps(id),
         hash        BLOB NOT NULL,
         ends_at     INTEGER NOT NULL,
         PRIMARY KEY (app, hash)
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX spent_by_end ON spent(ends_at);
     CREATE TABLE pushed_requests (
         hash        BLOB PRIMARY KEY,
         app         BLOB NOT NULL REFERENCES apps(id),
         sealed      BLOB NOT NULL,
         ends_at     INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX pushed_requests_by_app ON pushed_requests(app, ends_at);
     CREATE TABLE session_clients (
         session     BLOB NOT NULL,
         app         BLOB NOT NULL REFERENCES apps(id),
         PRIMARY KEY (session, app)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE logout_notices (
         session     BLOB NOT NULL,
         app         BLOB NOT NULL REFERENCES apps(id),
         object      BLOB NOT NULL,
         made_at     INTEGER NOT NULL,
         next_at     INTEGER NOT NULL,
         tries       INTEGER NOT NULL,
         PRIMARY KEY (session, app)
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX logout_notices_by_app ON logout_notices(app, next_at);
     CREATE TABLE device_requests (
         id          BLOB PRIMARY KEY,
         hash        BLOB NOT NULL,
         user_hash   BLOB NOT NULL UNIQUE,
         app         BLOB NOT NULL REFERENCES apps(id),
         scopes      TEXT NOT NULL,
         address     TEXT NOT NULL,
         made_at     INTEGER NOT NULL,
         ends_at     INTEGER NOT NULL,
         polled_at   INTEGER,
         wait_seconds INTEGER NOT NULL,
         answer      TEXT,
         object      BLOB,
         session     BLOB
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX device_requests_by_app ON device_requests(app, ends_at);
     CREATE INDEX device_requests_by_end ON device_requests(ends_at);
     CREATE TABLE device_guesses (
         source      TEXT PRIMARY KEY,
         wrong       INTEGER NOT NULL,
         ends_at     INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;",
    // To version 5: objects have numbers, by which their data is found, and the attributes of an object are packed into
    // one row, see `pack_attributes`. The row of an object says which domain it belongs to, `homes` that of erased ones. The
    // processes that serve are rows. A code that waits is no row any more, and what only codes needed is gone. Names that no
    // account has are counted in rows.
    "ALTER TABLE agents ADD COLUMN alive_at INTEGER;
     CREATE TABLE nodes (
         id            BLOB PRIMARY KEY,
         name          TEXT NOT NULL UNIQUE,
         url           TEXT NOT NULL UNIQUE,
         added_at      INTEGER NOT NULL,
         invitation    BLOB,
         invited_until INTEGER,
         seen_at       INTEGER,
         software      TEXT NOT NULL DEFAULT '',
         schema        INTEGER
     ) STRICT, WITHOUT ROWID;
     ALTER TABLE lockouts ADD COLUMN unknown_name INTEGER NOT NULL DEFAULT 0;
     CREATE INDEX lockouts_of_unknown_names ON lockouts(object) WHERE unknown_name = 1;
     ALTER TABLE ad_budget ADD COLUMN held_known INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE ad_budget ADD COLUMN held_unknown INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE ad_budget ADD COLUMN asked_until INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE ad_budget ADD COLUMN unknown_name INTEGER NOT NULL DEFAULT 0;
     CREATE INDEX ad_budget_of_unknown_names ON ad_budget(object) WHERE unknown_name = 1;
     CREATE TABLE app_rates (
         app         BLOB PRIMARY KEY,
         remaining   INTEGER NOT NULL,
         filled_at   INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;
     DROP INDEX grants_by_end;
     DROP INDEX spent_by_end;
     DROP INDEX objects_by_change;
     DROP INDEX objects_by_domain;
     DROP INDEX objects_by_sid;
     DROP INDEX objects_removed;
     DROP INDEX attributes_primary_group;
     DROP INDEX signin_names_by_object;
     DROP INDEX signin_names_by_hash;
     ALTER TABLE objects RENAME TO objects_before;
     ALTER TABLE attributes RENAME TO attributes_before;
     ALTER TABLE signin_names RENAME TO signin_names_before;
     ALTER TABLE digests RENAME TO digests_before;
     CREATE TABLE objects (
         number          INTEGER PRIMARY KEY,
         object          BLOB NOT NULL UNIQUE,
         domain          INTEGER NOT NULL REFERENCES domains(id),
         sid             TEXT,
         presence        TEXT NOT NULL,
         protected_user  INTEGER NOT NULL DEFAULT 0,
         cycle           BLOB,
         changed_at      INTEGER NOT NULL,
         kind            TEXT NOT NULL DEFAULT 'account',
         removed_at      INTEGER,
         privileged      INTEGER NOT NULL DEFAULT 0,
         change          INTEGER NOT NULL DEFAULT 0
     ) STRICT;
     INSERT INTO objects (object, domain, sid, presence, protected_user, cycle, changed_at, kind, removed_at, privileged,
             change)
         SELECT object, domain, sid, presence, protected_user, cycle, changed_at, kind, removed_at, privileged, change
         FROM objects_before ORDER BY object;
     CREATE INDEX objects_by_change ON objects(change, object);
     CREATE INDEX objects_by_domain ON objects(domain, kind, presence);
     CREATE INDEX objects_by_sid ON objects(sid) WHERE kind = 'group';
     CREATE INDEX objects_removed ON objects(removed_at) WHERE removed_at IS NOT NULL;
     CREATE TABLE attributes (
         number           INTEGER PRIMARY KEY REFERENCES objects(number),
         primary_group_id INTEGER,
         account_expires  INTEGER,
         group_type       INTEGER,
         packed           BLOB NOT NULL
     ) STRICT;
     CREATE INDEX attributes_primary_group ON attributes(primary_group_id) WHERE primary_group_id IS NOT NULL;
     CREATE TABLE octets (
         number  INTEGER NOT NULL REFERENCES objects(number),
         name    TEXT NOT NULL,
         value   BLOB NOT NULL,
         PRIMARY KEY (number, name)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE signin_names (
         name    TEXT NOT NULL,
         number  INTEGER NOT NULL REFERENCES objects(number),
         hash    BLOB,
         PRIMARY KEY (name, number)
     ) STRICT;
     INSERT INTO signin_names (name, number, hash)
         SELECT n.name, o.number, n.hash FROM signin_names_before n JOIN objects o ON o.object = n.object;
     CREATE INDEX signin_names_by_number ON signin_names(number);
     CREATE INDEX signin_names_by_hash ON signin_names(hash) WHERE name LIKE '%@%';
     CREATE TABLE digests (
         number      INTEGER PRIMARY KEY REFERENCES objects(number),
         stamp       BLOB NOT NULL,
         sealed      BLOB NOT NULL,
         set_at      INTEGER NOT NULL
     ) STRICT;
     INSERT INTO digests (number, stamp, sealed, set_at)
         SELECT o.number, d.stamp, d.sealed, d.set_at FROM digests_before d JOIN objects o ON o.object = d.object;
     DROP TABLE signin_names_before;
     DROP TABLE digests_before;
     DELETE FROM homes WHERE EXISTS (SELECT 1 FROM objects o WHERE o.object = homes.object);
     DELETE FROM grants WHERE code_until IS NOT NULL;
     ALTER TABLE grants DROP COLUMN code_until;
     ALTER TABLE grants DROP COLUMN redirect_uri;
     ALTER TABLE grants DROP COLUMN challenge;",
];

/// The oldest version that can be upgraded: the first schema.
pub(super) const OLDEST: i64 = 1;

/// The first version in which domains declare their UPN suffixes, and letters of names are compared as AD compares
/// them.
const NAMES_SINCE: i64 = 4;

/// The first version in which the attributes of an object are packed into one row.
const PACKED_SINCE: i64 = 5;

/// Applies every step from version `found` on. `found` is between [`OLDEST`] and the present version.
pub(super) fn upgrade(connection: &mut rusqlite::Connection, found: i64) -> Result<(), StoreError> {
    if found >= SCHEMA_VERSION {
        return Ok(());
    }
    // What a step deletes is overwritten with zeros: who is erased later has left no copy in an unused page.
    connection.pragma_update(None, "secure_delete", true)?;
    let done = usize::try_from(found.saturating_sub(OLDEST)).unwrap_or_default();
    let transaction = connection.transaction()?;
    let writing = Writing::of(Connection::Sqlite(&transaction));
    for step in STEPS.iter().skip(done) {
        writing.run_commands(step)?;
    }
    if found < PACKED_SINCE {
        pack_attributes(&transaction, &writing)?;
    }
    if found < NAMES_SINCE {
        declare_suffixes(&writing)?;
        derive_names(&writing)?;
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()?;
    tracing::info!(from = found, to = SCHEMA_VERSION, "the database was upgraded");
    Ok(())
}

/// Declares for each domain the suffixes of the names that its present accounts have, so that nobody loses a name by the
/// upgrade. What several domains use becomes shared by them. In Rust, because SQL cannot fold letters as names are.
fn declare_suffixes(writing: &Writing<'_>) -> Result<(), StoreError> {
    for domain in domains::all(writing)? {
        for suffix in suffixes::in_use(writing, domain.id)?.into_keys() {
            if !suffixes::is_name_of(&domain, &suffix) {
                suffixes::add(writing, domain.id, &suffix)?;
            }
        }
    }
    Ok(())
}

/// Derives the names of all present accounts again. Older versions took more letters as equal, such as K (Kelvin) and
/// k, and fewer, such as σ and ς. The names have no hash until the key of names is made, at the end of this opening.
fn derive_names(writing: &Writing<'_>) -> Result<(), StoreError> {
    writing.execute("DELETE FROM signin_names", ())?;
    let mut insert = writing.prepare_cached("INSERT INTO signin_names (name, number) VALUES (?1, ?2)")?;
    for domain in domains::all(writing)? {
        for object in objects::present(writing, domain.id, Kind::Account, usize::MAX)? {
            let names = names_of(&domain, &attributes::of(writing, object)?);
            for name in suffixes::divide(writing, &domain, names)?.0 {
                insert.execute((name, numbers::of(writing, object)?))?;
            }
        }
    }
    Ok(())
}
