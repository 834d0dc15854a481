-- phs's state database, version 1: where the last cycle ended, and the mirror of what incremental replies
-- leave out. GUIDs are 16 bytes, big-endian (uuid::Uuid::as_bytes); times are seconds since 1970; a stamp is
-- 28 bytes: version, time, invocation id. No column holds a secret.

CREATE TABLE watermark (
    only_row    INTEGER PRIMARY KEY CHECK (only_row = 1),
    cursor      BLOB NOT NULL,
    generation  BLOB NOT NULL           -- of the tenant that acknowledged it
) STRICT;

CREATE TABLE objects (
    guid            BLOB PRIMARY KEY,
    parent          BLOB,
    rdn             TEXT,
    kind            TEXT NOT NULL,      -- person, group, computer, other
    sid             TEXT,
    uac             INTEGER NOT NULL,
    admin_count     INTEGER NOT NULL,
    primary_group   INTEGER NOT NULL,   -- a RID; 0: none
    krbtgt          INTEGER NOT NULL,
    deleted         INTEGER NOT NULL,
    sent            TEXT,               -- present, deleted, privileged, out-of-scope, unsure; NULL: never
    protected_user  INTEGER NOT NULL,   -- as sent
    password        BLOB,               -- stamp of the password that the tenant holds
    cycle           BLOB                -- the last full compare that saw it
) STRICT, WITHOUT ROWID;
CREATE INDEX objects_by_sid ON objects(sid) WHERE sid IS NOT NULL;
CREATE INDEX objects_by_sent ON objects(sent) WHERE sent IS NOT NULL;

-- member links
CREATE TABLE edges (
    grp     BLOB NOT NULL,
    member  BLOB NOT NULL,
    PRIMARY KEY (grp, member)
) STRICT, WITHOUT ROWID;

-- objects that could not be carried, and why
CREATE TABLE quarantine (
    guid    BLOB PRIMARY KEY,
    why     TEXT NOT NULL,
    at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
