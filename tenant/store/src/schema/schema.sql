-- The tenant's database, version 5 (`upgrade.rs` has what older versions lacked). Times are seconds since 1970; GUIDs are 16 bytes, big-endian
-- (as uuid::Uuid::as_bytes gives them). No column holds a secret in the clear: digests are sealed,
-- tokens and application secrets are hashed.

CREATE TABLE tenant (
    only_row     INTEGER PRIMARY KEY CHECK (only_row = 1),
    id           BLOB NOT NULL,           -- the tenant's id
    generation   BLOB NOT NULL,           -- anew at init and at restore
    created_at   INTEGER NOT NULL,
    name_key     BLOB,                    -- sealed: the key of the hashes of names; NULL: none yet
    changed      INTEGER NOT NULL DEFAULT 0, -- the last number that a change of the directory or of an application got
    forgotten    INTEGER NOT NULL DEFAULT 0  -- that of the last change by which objects lost their rows or their domain
) STRICT;

CREATE TABLE domains (
    id                  INTEGER PRIMARY KEY,
    dns_name            TEXT NOT NULL UNIQUE,      -- lower case
    netbios_name        TEXT NOT NULL UNIQUE,      -- upper case
    sid                 TEXT NOT NULL UNIQUE,
    allow_privileged    INTEGER NOT NULL DEFAULT 0,
    min_iterations      INTEGER NOT NULL,          -- weaker digests are refused
    -- password and lockout policy, each with its stamp as 28 big-endian bytes: version, time, invocation id
    max_pwd_age                 INTEGER, max_pwd_age_stamp                 BLOB,
    lockout_duration            INTEGER, lockout_duration_stamp            BLOB,
    lockout_observation_window  INTEGER, lockout_observation_window_stamp  BLOB,
    lockout_threshold           INTEGER, lockout_threshold_stamp           BLOB,
    -- where its phs stands
    acknowledged        TEXT,
    acknowledged_before TEXT,
    writer              BLOB,                      -- the one phs that writes: its agent id
    added_at            INTEGER NOT NULL,
    -- how its people sign in, as store::domains::SigninPolicy; and whether a new pta-agent waits for a person
    signin_policy       TEXT NOT NULL DEFAULT 'phs',
    approve_agents      INTEGER NOT NULL DEFAULT 0, -- `domains add` writes 1
    reserved_since      INTEGER,                   -- since when its reserved names hold; NULL: not all have arrived
    change_policy       TEXT NOT NULL DEFAULT 'off', -- as rules::model::ChangePolicy
    -- what the domain demands of a new password
    min_pwd_age                 INTEGER, min_pwd_age_stamp                 BLOB,
    min_pwd_length              INTEGER, min_pwd_length_stamp              BLOB,
    pwd_history_length          INTEGER, pwd_history_length_stamp          BLOB,
    pwd_properties              INTEGER, pwd_properties_stamp              BLOB
) STRICT;

-- Accounts of the domain that nobody uses: agents are tried with wrong passwords for them.
CREATE TABLE canaries (
    object      BLOB PRIMARY KEY,                  -- objectGUID
    domain      INTEGER NOT NULL REFERENCES domains(id),
    added_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a phs tells of: accounts, groups, contacts, password settings objects, and the containers that they are in.
-- The data of an object is found by its number: objects arrive in this order, so new rows are appended. An objectGUID is
-- random, and each new one touches another page.
CREATE TABLE objects (
    number          INTEGER PRIMARY KEY,           -- in the order of arrival
    object          BLOB NOT NULL UNIQUE,          -- objectGUID
    domain          INTEGER NOT NULL REFERENCES domains(id),
    sid             TEXT,                          -- NULL: it has none
    presence        TEXT NOT NULL,                 -- as wire::upload::Presence
    protected_user  INTEGER NOT NULL DEFAULT 0,
    cycle           BLOB,                          -- the last full compare that named it
    changed_at      INTEGER NOT NULL,
    kind            TEXT NOT NULL DEFAULT 'account', -- as wire::upload::Kind
    removed_at      INTEGER,                       -- since when it is deleted or out of scope
    privileged      INTEGER NOT NULL DEFAULT 0,    -- privileged in AD, and carried because phs's administrator named it
    change          INTEGER NOT NULL DEFAULT 0     -- the number of its last change: microseconds since 1970, or more
) STRICT;
CREATE INDEX objects_by_change ON objects(change, object);
CREATE INDEX objects_by_domain ON objects(domain, kind, presence);
-- Primary groups are found by their SID.
CREATE INDEX objects_by_sid ON objects(sid) WHERE kind = 'group';
CREATE INDEX objects_removed ON objects(removed_at) WHERE removed_at IS NOT NULL;

-- The attributes of an object: all of them packed, and those that statements search for.
CREATE TABLE attributes (
    number           INTEGER PRIMARY KEY REFERENCES objects(number),
    primary_group_id INTEGER,
    account_expires  INTEGER,
    group_type       INTEGER,
    packed           BLOB NOT NULL                 -- names, stamps and values, as store::tables::attributes::packed
) STRICT;
-- Who has a group as the primary one is no link.
CREATE INDEX attributes_primary_group ON attributes(primary_group_id) WHERE primary_group_id IS NOT NULL;

-- Values of attributes that are large, such as photos. Only who asks for one reads it.
CREATE TABLE octets (
    number  INTEGER NOT NULL REFERENCES objects(number),
    name    TEXT NOT NULL,                         -- as wire::described
    value   BLOB NOT NULL,
    PRIMARY KEY (number, name)
) STRICT, WITHOUT ROWID;

-- Values of linked attributes. Either end may be an object that is not known, or not yet; so a link belongs to the domain
-- whose phs told it, and counts only for that domain. One that was removed stays, so that its stamp is known.
CREATE TABLE links (
    source  BLOB NOT NULL,                         -- objectGUID of the object that has the attribute
    what    TEXT NOT NULL,                         -- as wire::upload::LinkKind
    target  BLOB NOT NULL,                         -- objectGUID of the object that the value names
    domain  INTEGER NOT NULL REFERENCES domains(id),
    stamp   BLOB NOT NULL,                         -- its creation, then its stamp
    present INTEGER NOT NULL,
    cycle   BLOB,                                  -- the last full compare that named it
    PRIMARY KEY (source, what, target, domain)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_by_target ON links(target, what, domain, present);
CREATE INDEX links_applies_to ON links(domain, target) WHERE what = 'applies-to' AND present = 1;

-- How the members of a group sign in, where it is not as the domain says.
CREATE TABLE group_policies (
    domain  INTEGER NOT NULL REFERENCES domains(id),
    object  BLOB NOT NULL,                         -- objectGUID of the group
    place   INTEGER NOT NULL,                      -- the first that somebody is in decides
    policy  TEXT NOT NULL,                         -- as store::domains::SigninPolicy
    name    TEXT NOT NULL,                         -- what the group was called then
    PRIMARY KEY (domain, object)
) STRICT, WITHOUT ROWID;

-- Names that a person signs in with, folded; derived from attributes. Two objects may hold one name:
-- then it signs nobody in.
CREATE TABLE signin_names (
    name    TEXT NOT NULL,                         -- 'user@domain' or 'DOMAIN\user', folded
    number  INTEGER NOT NULL REFERENCES objects(number),
    hash    BLOB,                                  -- keyed hash of the name
    PRIMARY KEY (name, number)
) STRICT;
CREATE INDEX signin_names_by_number ON signin_names(number);
-- A name that is reserved is known by its hash alone. Hashes are in no order, so the index is of few names: two accounts
-- that have any name in common have one with an @.
CREATE INDEX signin_names_by_hash ON signin_names(hash) WHERE name LIKE '%@%';

-- Sign-in names of accounts that are not carried, as keyed hashes: they sign nobody in.
CREATE TABLE reserved_names (
    domain     INTEGER NOT NULL REFERENCES domains(id),
    object     BLOB NOT NULL,                      -- objectGUID
    attribute  TEXT NOT NULL,                      -- as wire::reserved::ReservedAttribute
    hash       BLOB NOT NULL,                      -- empty: the attribute yields no name
    stamp      BLOB NOT NULL,                      -- of the attribute
    cycle      BLOB,                               -- the last full compare that named it
    PRIMARY KEY (domain, object, attribute, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX reserved_names_by_hash ON reserved_names(hash, domain);

CREATE TABLE digests (
    number      INTEGER PRIMARY KEY REFERENCES objects(number),
    stamp       BLOB NOT NULL,                     -- of unicodePwd
    sealed      BLOB NOT NULL,                     -- crypto::seal over the digest's text, for this objectGUID
    set_at      INTEGER NOT NULL
) STRICT;

-- Counters of the smart lockout: one for each known source with failures, one for all unknown sources.
CREATE TABLE lockouts (
    object          BLOB NOT NULL,                 -- objectGUID, or the pseudonym of a name that no account has
    source          TEXT NOT NULL,                 -- source and caller; empty: all unknown sources
    failures        INTEGER NOT NULL,
    first_at        INTEGER NOT NULL,
    last_at         INTEGER NOT NULL,
    locked_until    INTEGER NOT NULL,
    locks           INTEGER NOT NULL,              -- how often in a row: the lock grows
    unknown_name    INTEGER NOT NULL DEFAULT 0,    -- 1: no account has the name
    PRIMARY KEY (object, source)
) STRICT, WITHOUT ROWID;
-- No index is on a column that each try changes: on a server it would write all indexes of the row at each try.
CREATE INDEX lockouts_of_unknown_names ON lockouts(object) WHERE unknown_name = 1;

-- Where an account was let in from. Without the seal key the rows tell no place.
CREATE TABLE known_sources (
    object      BLOB NOT NULL,                     -- objectGUID
    hash        BLOB NOT NULL,                     -- keyed hash of account, caller and source
    seen_at     INTEGER NOT NULL,                  -- the last success from there, to a day
    PRIMARY KEY (object, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX known_sources_by_time ON known_sources(seen_at);

-- The bad passwords of an account that may have reached AD. Of a name that no account has: those that would have.
CREATE TABLE ad_budget (
    object        BLOB PRIMARY KEY,                -- objectGUID, or the pseudonym of a name that no account has
    known         INTEGER NOT NULL,                -- from known sources
    unknown       INTEGER NOT NULL,                -- from unknown sources
    last_at       INTEGER NOT NULL,
    held_known    INTEGER NOT NULL DEFAULT 0,      -- reserved for questions to agents that are under way
    held_unknown  INTEGER NOT NULL DEFAULT 0,
    asked_until   INTEGER NOT NULL DEFAULT 0,      -- the end of these questions
    unknown_name  INTEGER NOT NULL DEFAULT 0       -- 1: no account has the name
) STRICT, WITHOUT ROWID;
CREATE INDEX ad_budget_of_unknown_names ON ad_budget(object) WHERE unknown_name = 1;

-- What applications have left of their rates, where several nodes serve them.
CREATE TABLE app_rates (
    app         BLOB PRIMARY KEY,                  -- nil: the person's own page
    remaining   INTEGER NOT NULL,                  -- in 1/60000 sign-ins, as core::applications counts them
    filled_at   INTEGER NOT NULL                   -- in milliseconds since 1970
) STRICT, WITHOUT ROWID;

CREATE TABLE agents (
    id              BLOB PRIMARY KEY,
    domain          INTEGER NOT NULL REFERENCES domains(id),
    role            TEXT NOT NULL,                 -- as wire::enroll::Role
    state           TEXT NOT NULL,                 -- pending, approved, revoked, quarantined
    software        TEXT NOT NULL,
    host            TEXT NOT NULL,
    serial          BLOB NOT NULL,                 -- of its newest certificate
    not_after       INTEGER NOT NULL,              -- of its newest certificate
    instance        BLOB,                          -- the newest process that said hello
    seen_at         INTEGER,
    enrolled_at     INTEGER NOT NULL,
    serial_before   BLOB,                          -- of the certificate before: it may still renew
    enrolled_from   TEXT,                          -- its address then; NULL: enrolled before version 4
    key_fingerprint TEXT,                          -- of its newest certificate's key; NULL: of before version 4
    proved_at       INTEGER,                       -- when a process of it first proved a key of its own; NULL: never
    alive_at        INTEGER                        -- when `instance` was certainly alive: milliseconds since 1970
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    hash        BLOB PRIMARY KEY,                  -- SHA-256 of the secret
    role        TEXT NOT NULL,
    domain      INTEGER NOT NULL REFERENCES domains(id),
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    spent_at    INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE apps (
    id              BLOB PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    every_domain    INTEGER NOT NULL,              -- 0: it serves the domains in app_domains alone
    everybody       INTEGER NOT NULL,              -- 0: members of the groups in app_groups alone are assigned to it
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
    object      BLOB NOT NULL,                     -- objectGUID of the group
    name        TEXT NOT NULL,                     -- its name when it was assigned
    PRIMARY KEY (app, object)
) STRICT, WITHOUT ROWID;

-- The networks that an application may send from. Without a row: from everywhere.
CREATE TABLE app_networks (
    app         BLOB NOT NULL REFERENCES apps(id),
    network     TEXT NOT NULL,                     -- as rules::model::Network writes it
    PRIMARY KEY (app, network)
) STRICT, WITHOUT ROWID;

-- How an application reads the directory by LDAP. Without a row it does not.
CREATE TABLE app_ldap (
    app            BLOB PRIMARY KEY REFERENCES apps(id),
    view           TEXT NOT NULL,                  -- as rules::model::LdapView
    tree           TEXT NOT NULL,                  -- as rules::model::LdapTree
    member_of      TEXT NOT NULL,                  -- as rules::model::LdapMemberOf
    people_connect INTEGER NOT NULL,               -- 1: its people connect themselves, from their own addresses
    every_group    INTEGER NOT NULL,               -- 1: it sees all groups of its domains
    attributes     TEXT NOT NULL                   -- what it sees beside the usual: names with a blank between; or *
) STRICT, WITHOUT ROWID;

-- The groups that an application sees by LDAP, beside those that are assigned to it.
CREATE TABLE app_ldap_groups (
    app         BLOB NOT NULL REFERENCES apps(id),
    domain      INTEGER NOT NULL REFERENCES domains(id),
    object      BLOB NOT NULL,                     -- objectGUID of the group
    name        TEXT NOT NULL,                     -- its name when it was named
    PRIMARY KEY (app, object)
) STRICT, WITHOUT ROWID;

-- How an application signs people in by OpenID Connect. Without a row it does not. Its client_id is its name.
CREATE TABLE app_oidc (
    app         BLOB PRIMARY KEY REFERENCES apps(id),
    kind        TEXT NOT NULL,                     -- as rules::model::OidcKind
    pkce        INTEGER NOT NULL,                  -- 1: each request has a code challenge
    algorithm   TEXT NOT NULL,                     -- as rules::model::SigningAlgorithm
    subject     TEXT NOT NULL,                     -- as rules::model::SubjectKind
    every_group INTEGER NOT NULL,                  -- 1: `groups` may name all groups of its domains
    salt        BLOB NOT NULL,                     -- random; a pairwise `sub` is hashed with it
    client_credentials INTEGER NOT NULL,           -- 1: it gets access tokens of its own
    introspects_others INTEGER NOT NULL,           -- 1: it may introspect the access tokens of other clients
    pushed_requests_only INTEGER NOT NULL,         -- 1: it must push its authorization requests
    device_codes INTEGER NOT NULL                  -- 1: devices without a browser sign people in by codes
) STRICT, WITHOUT ROWID;

CREATE TABLE app_uris (
    app         BLOB NOT NULL REFERENCES apps(id),
    what        TEXT NOT NULL,                     -- 'code': people return with a code; 'signed-out': after a sign-out
    uri         TEXT NOT NULL,
    PRIMARY KEY (app, what, uri)
) STRICT, WITHOUT ROWID;

-- The public keys by which a client proves itself.
CREATE TABLE app_keys (
    app         BLOB NOT NULL REFERENCES apps(id),
    kid         TEXT NOT NULL,                     -- what its signatures name it by
    algorithm   TEXT NOT NULL,                     -- as rules::model::SigningAlgorithm
    public      BLOB NOT NULL,                     -- a point that is not compressed, or PKCS #1
    PRIMARY KEY (app, kid)
) STRICT, WITHOUT ROWID;

-- The groups that `groups` may name, beside those that are assigned to the application.
CREATE TABLE app_oidc_groups (
    app         BLOB NOT NULL REFERENCES apps(id),
    domain      INTEGER NOT NULL REFERENCES domains(id),
    object      BLOB NOT NULL,                     -- objectGUID of the group
    name        TEXT NOT NULL,                     -- its name when it was named
    PRIMARY KEY (app, object)
) STRICT, WITHOUT ROWID;

CREATE TABLE app_roles (
    app         BLOB NOT NULL REFERENCES apps(id),
    role        TEXT NOT NULL,                     -- what `roles` says of the members of the group
    domain      INTEGER NOT NULL REFERENCES domains(id),
    object      BLOB NOT NULL,                     -- objectGUID of the group
    name        TEXT NOT NULL,                     -- its name when it was named
    PRIMARY KEY (app, role, object)
) STRICT, WITHOUT ROWID;

-- The keys that sign tokens. A key is published before it signs, and as long as what it signed may be in use.
CREATE TABLE signing_keys (
    kid         TEXT PRIMARY KEY,                  -- its thumbprint (RFC 7638)
    algorithm   TEXT NOT NULL,                     -- as rules::model::SigningAlgorithm
    sealed      BLOB NOT NULL,                     -- crypto::seal over PKCS #8
    made_at     INTEGER NOT NULL,
    signs_at    INTEGER,                           -- since when it signs; NULL: it comes next
    retired_at  INTEGER                            -- since when another one signs
) STRICT, WITHOUT ROWID;

-- Passwords that were changed by way of the tenant: which digests are of a password before the change. A row goes when the
-- digest of the new password arrives.
CREATE TABLE password_changes (
    object      BLOB PRIMARY KEY,                  -- objectGUID
    stamp       BLOB,                              -- of the digest that was dropped; NULL: there was none
    set_at      INTEGER,                           -- pwdLastSet after the change, in seconds since 1601; NULL: not known
    expected    INTEGER NOT NULL,                  -- 1: a digest was dropped, so phs has to bring one
    doubted     INTEGER NOT NULL,                  -- 1: it did not within an hour, and the audit log says so
    wanted_at   INTEGER,                           -- since when the digest that holds is requested from phs; NULL: it is not
    changed_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- People who are signed in at the pages.
CREATE TABLE web_sessions (
    id           BLOB PRIMARY KEY,                 -- what lists and grants name it by
    hash         BLOB NOT NULL UNIQUE,             -- SHA-256 of the cookie's secret
    object       BLOB NOT NULL,                    -- objectGUID of the account
    password_set INTEGER,                          -- pwdLastSet at the sign-in: another one ends the session
    made_at      INTEGER NOT NULL,
    seen_at      INTEGER NOT NULL,                 -- the last use, to a minute
    ends_at      INTEGER NOT NULL,
    device       TEXT NOT NULL,                    -- browser and system, as the browser says
    address      TEXT NOT NULL,
    awaits_until INTEGER                           -- until when the change that was made in it may take to arrive by phs
) STRICT, WITHOUT ROWID;
CREATE INDEX web_sessions_by_object ON web_sessions(object);
CREATE INDEX web_sessions_by_end ON web_sessions(ends_at);

-- What a person allowed an application, from the redemption of a code on. A code that waits is sealed, and is no row.
CREATE TABLE grants (
    id           BLOB PRIMARY KEY,
    app          BLOB NOT NULL REFERENCES apps(id),
    object       BLOB NOT NULL,                    -- objectGUID of the account
    session      BLOB NOT NULL,                    -- of web_sessions; it ends with it
    scopes       TEXT NOT NULL,                    -- with a blank between
    nonce        TEXT,
    signed_in_at INTEGER NOT NULL,                 -- auth_time
    hash         BLOB NOT NULL,                    -- SHA-256 of the newest refresh token's secret
    ends_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX grants_by_session ON grants(session);

-- What a client may use once, and has used: it is refused until it ends by itself.
CREATE TABLE spent (
    app         BLOB NOT NULL REFERENCES apps(id),
    hash        BLOB NOT NULL,                     -- SHA-256 of what was used; of a code: the id of its grant
    ends_at     INTEGER NOT NULL,
    PRIMARY KEY (app, hash)
) STRICT, WITHOUT ROWID;

-- Authorization requests that clients have pushed, until a browser brings their names.
CREATE TABLE pushed_requests (
    hash        BLOB PRIMARY KEY,                  -- SHA-256 of the secret in the request_uri
    app         BLOB NOT NULL REFERENCES apps(id),
    sealed      BLOB NOT NULL,                     -- crypto::seal over the request's query
    ends_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX pushed_requests_by_app ON pushed_requests(app, ends_at);

-- Devices without a browser that wait until a person types their codes at the page.
CREATE TABLE device_requests (
    id          BLOB PRIMARY KEY,                  -- a part of the device code; later the id of the grant
    hash        BLOB NOT NULL,                     -- SHA-256 of the device code's secret
    user_hash   BLOB NOT NULL UNIQUE,              -- keyed hash of the code that the person types
    app         BLOB NOT NULL REFERENCES apps(id),
    scopes      TEXT NOT NULL,                     -- with a blank between
    address     TEXT NOT NULL,                     -- where the request came from
    made_at     INTEGER NOT NULL,
    ends_at     INTEGER NOT NULL,
    polled_at   INTEGER,                           -- when the device last asked for its tokens and was not too early
    wait_seconds INTEGER NOT NULL,                 -- seconds that it must wait between two times
    answer      TEXT,                              -- NULL: none yet; 'allowed'; 'refused'
    object      BLOB,                              -- objectGUID of the account that allowed it
    session     BLOB                               -- of web_sessions: the one in which it was allowed
) STRICT, WITHOUT ROWID;
CREATE INDEX device_requests_by_app ON device_requests(app, ends_at);
CREATE INDEX device_requests_by_end ON device_requests(ends_at);

-- Wrong codes that were typed at the page for devices, by where they came from.
CREATE TABLE device_guesses (
    source      TEXT PRIMARY KEY,                  -- an address or a network; 'all': the sum
    wrong       INTEGER NOT NULL,
    ends_at     INTEGER NOT NULL                   -- when counting starts again
) STRICT, WITHOUT ROWID;

CREATE TABLE app_secrets (
    app         BLOB NOT NULL REFERENCES apps(id),
    number      INTEGER NOT NULL,                  -- 1 or 2
    hash        BLOB NOT NULL,                     -- SHA-256 of the secret
    created_at  INTEGER NOT NULL,
    ends_at     INTEGER,                           -- NULL: it does not end by itself
    used_at     INTEGER,                           -- the first second of a day on which it was last used
    PRIMARY KEY (app, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    actor   TEXT NOT NULL,                         -- 'uid 0 (root)', 'agent <id>', 'app <name>', 'tenant', 'a stranger'
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail  TEXT NOT NULL
) STRICT;
-- The last sign-ins of an account.
CREATE INDEX audit_by_subject ON audit(subject, id);

-- Accounts that an administrator blocked: they sign in by no road, whatever their domain's phs sends.
CREATE TABLE blocks (
    object      BLOB PRIMARY KEY,                  -- objectGUID; stays while the object is unknown
    domain      INTEGER NOT NULL REFERENCES domains(id),
    blocked_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The domain that an objectGUID belongs to for ever, of an object that was erased. Until then `objects` says it.
CREATE TABLE homes (
    object      BLOB PRIMARY KEY,                  -- objectGUID
    domain      INTEGER NOT NULL REFERENCES domains(id)
) STRICT, WITHOUT ROWID;

-- Objects that a domain uploaded although they belong to another domain.
CREATE TABLE refused_objects (
    domain      INTEGER NOT NULL REFERENCES domains(id), -- the one that uploaded it
    object      BLOB NOT NULL,                     -- objectGUID
    first_at    INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    PRIMARY KEY (domain, object)
) STRICT, WITHOUT ROWID;

-- The UPN suffixes that a domain declares, beside its own names. More than one domain: the suffix is shared.
CREATE TABLE upn_suffixes (
    suffix      TEXT NOT NULL,                     -- folded
    domain      INTEGER NOT NULL REFERENCES domains(id),
    PRIMARY KEY (suffix, domain)
) STRICT, WITHOUT ROWID;

-- The last members of groups that have left and have the sign-in policy 'refuse': they stay refused.
CREATE TABLE refused_members (
    domain        INTEGER NOT NULL REFERENCES domains(id),
    policy_group  BLOB NOT NULL,                   -- objectGUID of the group
    object        BLOB NOT NULL,                   -- objectGUID of the account
    PRIMARY KEY (domain, policy_group, object)
) STRICT, WITHOUT ROWID;

-- Clients that have learned of a session and are to be notified of its end (OpenID Connect Back-Channel Logout 1.0).
CREATE TABLE session_clients (
    session     BLOB NOT NULL,                     -- of web_sessions; it ends with it
    app         BLOB NOT NULL REFERENCES apps(id),
    PRIMARY KEY (session, app)
) STRICT, WITHOUT ROWID;

-- Ends of sessions that a client is to be notified of. The transaction that ends the session writes them.
CREATE TABLE logout_notices (
    session     BLOB NOT NULL,                     -- it has ended, and has no row any more
    app         BLOB NOT NULL REFERENCES apps(id),
    object      BLOB NOT NULL,                     -- objectGUID of the account
    made_at     INTEGER NOT NULL,
    next_at     INTEGER NOT NULL,                  -- when it is tried next
    tries       INTEGER NOT NULL,
    PRIMARY KEY (session, app)
) STRICT, WITHOUT ROWID;
CREATE INDEX logout_notices_by_app ON logout_notices(app, next_at);

-- The processes that serve this tenant, each from a data directory of its own. From a file only one can.
CREATE TABLE nodes (
    id            BLOB PRIMARY KEY,                -- random, in the data directory as well
    name          TEXT NOT NULL UNIQUE,
    url           TEXT NOT NULL UNIQUE,            -- where agents connect to it
    added_at      INTEGER NOT NULL,
    invitation    BLOB,                            -- SHA-256 of the bundle that it may join with; NULL: it has joined
    invited_until INTEGER,                         -- until when; NULL: it has joined
    seen_at       INTEGER,                         -- when it served last; NULL: it never has
    software      TEXT NOT NULL DEFAULT '',        -- and which version that was
    schema        INTEGER                          -- the version of the tables that it uses; NULL: it never has
) STRICT, WITHOUT ROWID;
