-- phs's state database, version 4: where the last cycle ended, and the mirror of what incremental replies
-- leave out. GUIDs are 16 bytes, big-endian (uuid::Uuid::as_bytes); times are seconds since 1970; a stamp is
-- 28 bytes: version, time, invocation id. No column holds a secret.

CREATE TABLE watermark (
    only_row    INTEGER PRIMARY KEY CHECK (only_row = 1),
    cursor      BLOB NOT NULL,
    generation  BLOB NOT NULL           -- of the tenant that acknowledged it; nil: staged
) STRICT;

CREATE TABLE objects (
    guid            BLOB PRIMARY KEY,
    parent          BLOB,
    rdn             TEXT,
    kind            TEXT NOT NULL,      -- person, group, contact, policy, computer, other
    sid             TEXT,
    sam             TEXT,               -- sAMAccountName
    upn             TEXT,               -- userPrincipalName
    host            TEXT,               -- dNSHostName of a computer
    uac             INTEGER NOT NULL,
    admin_count     INTEGER NOT NULL,
    primary_group   INTEGER NOT NULL,   -- a RID; 0: none
    krbtgt          INTEGER NOT NULL,
    kdc_number      INTEGER NOT NULL,   -- msDS-SecondaryKrbTgtNumber; 0: none
    critical        INTEGER NOT NULL,   -- isCriticalSystemObject
    workstations    INTEGER NOT NULL,   -- whether userWorkstations has a value
    deleted         INTEGER NOT NULL,
    terms           INTEGER NOT NULL,   -- which terms of the scope's attribute filter hold: bits
    filtered        INTEGER NOT NULL,   -- the filter says no
    sent            TEXT,               -- present, deleted, privileged, out-of-scope, unsure, container; NULL: never
    told_at         INTEGER,            -- when the tenant was last told something
    left_at         INTEGER,            -- when it was told that it left the scope
    protected_user  INTEGER NOT NULL,   -- as sent
    carries         INTEGER NOT NULL,   -- whether its password is carried, as sent
    password        BLOB,               -- stamp of the password that the tenant holds
    password_at     INTEGER,            -- since when
    cycle           BLOB,               -- the last full compare that saw it
    rdn_type        TEXT,               -- of kind other: the type of the first part of its name (OU)
    named           BLOB                -- and the stamp of its value, which a move writes too
) STRICT, WITHOUT ROWID;
CREATE INDEX objects_by_sid ON objects(sid) WHERE sid IS NOT NULL;
CREATE INDEX objects_by_left_at ON objects(left_at) WHERE left_at IS NOT NULL;
CREATE INDEX containers_by_parent ON objects(parent) WHERE kind = 'other';
-- enabled people whose password is carried and of whom the directory has no NT hash
CREATE INDEX objects_without_hash ON objects(guid)
    WHERE kind = 'person' AND sent = 'present' AND carries AND password IS NULL AND NOT deleted AND uac & 2 = 0;

-- values of linked attributes
CREATE TABLE links (
    what    TEXT NOT NULL,              -- member, manager, applies-to, authentication-policy
    source  BLOB NOT NULL,
    target  BLOB NOT NULL,
    stamp   BLOB NOT NULL,              -- 8 bytes of its creation (0: before 2003), then its stamp
    until   INTEGER,                    -- when it ends by itself; NULL: it does not
    PRIMARY KEY (what, source, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_by_target ON links(target);
CREATE INDEX links_by_end ON links(until) WHERE until IS NOT NULL;

-- what the entries of the scope name: kept, so that a renamed OU or group stays what it was
CREATE TABLE entries (
    dn      TEXT PRIMARY KEY,           -- the configured name in its one spelling, in lower case
    guid    BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- accounts and groups that can read or set every password of the domain, by the descriptor of the domain's head
CREATE TABLE holders (
    sid     TEXT PRIMARY KEY,
    rights  TEXT NOT NULL               -- in words
) STRICT, WITHOUT ROWID;

-- what was last worked by: fingerprints of the scope, the last confirmation of removals,
-- the account that phs reads with
CREATE TABLE facts (
    name    TEXT PRIMARY KEY,
    value   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- what cannot be read or carried of the directory as it is: for people, nothing is decided by it
CREATE TABLE flaws (
    guid        BLOB NOT NULL,
    attribute   TEXT NOT NULL,          -- lDAPDisplayName; '': the object as a whole, or one of its links
    dn          TEXT NOT NULL,          -- as last read; '': unknown
    sam         TEXT,                   -- sAMAccountName and userPrincipalName, where the object could not be read
    upn         TEXT,
    why         TEXT NOT NULL,
    quarantine  INTEGER NOT NULL,       -- 1: the object is in quarantine; 0: it is carried without this
    since       INTEGER NOT NULL,
    seen        INTEGER NOT NULL,       -- when it was last found
    PRIMARY KEY (guid, attribute)
) STRICT, WITHOUT ROWID;
