//! There and back, by its sentences; and every backup that is not taken.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::command::Backup;
use crate::command::backup::backup;
use crate::config::template;
use landbridge_crypto::seal::{SealKey, SealKeys};
use landbridge_host::key_file;
use landbridge_tenant_core::agents::authority::Authority;
use landbridge_tenant_fixture;
use landbridge_tenant_fixture::{NOW, Tenant, keys, object, user};
use landbridge_tenant_store::tables::digests;
use landbridge_tenant_store::{Reading, Writing};
use landbridge_wire::enroll::Role;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use uuid::Uuid;

/// The host of the tenant that is restored.
fn host() -> url::Host<String> {
    url::Host::Domain("tenant.example.com".to_owned())
}

/// A tenant as `init` leaves it, with a domain and people in it, and room for what is made of it.
struct Place {
    folder: tempfile::TempDir,
    tenant: Tenant,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut tenant = Tenant::new();
        for n in 0..20 {
            tenant.sends(vec![user(n, &format!("password {n}"))]);
        }
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        for name in ["tls", "secrets"] {
            fs::create_dir(data.join(name)).unwrap();
        }
        let now = unix_now();
        let root = Authority::create(Uuid::from_u128(9), &host(), now).unwrap();
        fs::write(data.join("tls/root.pem"), &root.certificate).unwrap();
        key_file::create(&data.join("secrets/ca.key"), root.key.as_bytes()).unwrap();
        let seal = SealKey::from_bytes(1, [7; 32]).to_text();
        key_file::create(&data.join("secrets/seal.key"), seal.as_bytes()).unwrap();
        tenant.store.checkpoint().unwrap();
        drop(std::mem::replace(&mut tenant.store, std::sync::Arc::new(scratch())));
        fs::rename(tenant.path(), data.join("tenant.db")).unwrap();
        tenant.store = std::sync::Arc::new(Store::open(&data.join("tenant.db"), keys()).unwrap());
        let place = Self { folder, tenant };
        let free = "127.0.0.1:0".parse().unwrap();
        let text = template("https://tenant.example.com", free, free, &data);
        fs::write(place.config(), text).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self) -> PathBuf {
        self.path("tenant.toml")
    }

    fn backup(&self, to: &str, keys: Option<&str>) -> Result<String, TenantError> {
        let keys = keys.map(|keys| self.path(keys));
        backup(&self.config(), &Backup { directory: self.path(to), keys })
    }

    fn restore(&self, from: &str, keys: Option<&str>) -> Result<String, TenantError> {
        let keys = keys.map(|keys| self.path(keys));
        restore(&self.config(), &Restore { directory: self.path(from), keys })
    }

    /// The machine is lost; configuration and backups are not.
    fn lose(&self) {
        fs::rename(self.path("data"), self.path("lost")).unwrap();
    }

    /// A backup with its keys, and then nothing else.
    fn only_its_backup() -> Self {
        let place = Self::new();
        place.backup("backup", Some("keys")).unwrap();
        place.lose();
        place
    }

    /// Refused for this, and everything is as it was.
    #[track_caller]
    fn refuses(&self, keys: Option<&str>, why: &str) -> TenantError {
        let before = self.names();
        let error = self.restore("backup", keys).unwrap_err();
        let text = format!("{error}, {}", error.todo().unwrap_or_default());
        assert!(text.contains(why), "{text}");
        assert_eq!(self.names(), before);
        assert!(!self.path("data").exists());
        error
    }

    /// All that lies in the folder.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn scratch() -> Store {
    let folder = tempfile::tempdir().unwrap().keep();
    let store = Store::create(&folder.join("tenant.db"), keys(), Uuid::nil(), NOW).unwrap();
    fs::remove_dir_all(folder).unwrap();
    store
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn edit(database: &Path, sql: &str) {
    rusqlite::Connection::open(database).unwrap().execute_batch(sql).unwrap();
}

/// As a careful forger would: the sums fit again.
fn update_sum(backup: &Path) {
    let mut text = String::new();
    for name in [DATABASE, ROOT] {
        let sum = copy_and_sum(&mut File::open(backup.join(name)).unwrap(), &mut std::io::sink()).unwrap();
        text.push_str(&format!("{sum}  {name}\n"));
    }
    fs::write(backup.join(SUMS), text).unwrap();
}

#[test]
fn a_restored_tenant_is_the_one_that_was_backed_up_in_another_generation() {
    let place = Place::new();
    let token = [5; 32];
    let store = &place.tenant.store;
    let far = unix_now() + 600;
    store
        .write("test", |writing| {
            landbridge_tenant_store::tables::tokens::insert(writing, &token, Role::Phs, 1, NOW, far)
        })
        .unwrap();
    let (dump, before) = (place.tenant.dump(), store.tenant());
    let said = place.backup("backup", Some("keys")).unwrap();
    for word in ["corp.example.com", "digests: 20 (sealed)", "root.pem", "apart", "keys"] {
        assert!(said.contains(word), "no {word}: {said}");
    }
    place.lose();
    let said = place.restore("backup", Some("keys")).unwrap();
    for word in ["corp.example.com", "revoked", "rotated", "compares in full", "can sign in"] {
        assert!(said.contains(word), "no {word}: {said}");
    }
    let config = Config::load(&place.config()).unwrap();
    let restored =
        Store::open(&config.database_file(), crate::keys::seal_keys(&config.seal_keys, own_uid()).unwrap())
            .unwrap();
    assert_eq!(restored.tenant().id, before.id);
    assert_ne!(restored.tenant().generation, before.generation);
    let spent = restored
        .read(|reading| landbridge_tenant_store::tables::tokens::find(reading, &token))
        .unwrap()
        .unwrap();
    assert!(spent.spent_at.is_some());
    let Place { folder: _folder, tenant } = place;
    let restored = Tenant { store: std::sync::Arc::new(restored), ..tenant };
    assert_eq!(restored.dump(), dump);
    // Until its phs has compared, nobody is told that the domain is synchronised; what was known still is.
    let domain = restored
        .store
        .read(|reading| landbridge_tenant_store::tables::domains::by_id(reading, restored.domain))
        .unwrap()
        .unwrap();
    assert_eq!(domain.acknowledged, None);
    assert!(domain.is_known());
    let actions: Vec<_> = restored.audit().into_iter().map(|(_, action, _)| action).collect();
    assert_eq!(actions[actions.len() - 2..], ["backup-made", "backup-restored"]);
}

#[test]
fn a_backup_is_for_its_owner_alone_and_holds_no_key() {
    let place = Place::new();
    let said = place.backup("backup", None).unwrap();
    assert!(said.contains("contains no keys") && said.contains("--keys"), "{said}");
    place.backup("with keys", Some("keys")).unwrap();
    for folder in ["backup", "with keys", "keys"] {
        assert_eq!(mode(&place.path(folder)), 0o700, "{folder}");
        for entry in fs::read_dir(place.path(folder)).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600, "{folder}");
        }
    }
    let key = "0707070707070707";
    for folder in ["backup", "with keys"] {
        for entry in fs::read_dir(place.path(folder)).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            for secret in [key, "PRIVATE KEY"] {
                assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{folder}");
            }
        }
    }
    let seal = fs::read_to_string(place.path("keys/seal-1.key")).unwrap();
    assert!(seal.contains(key));
    let kept: Vec<_> = place.names().into_iter().filter(|name| name.starts_with('.')).collect();
    assert!(kept.is_empty(), "{kept:?}");
}

#[test]
fn a_backup_is_one_state_of_a_database_that_is_being_written() {
    let place = Place::new();
    let store = place.tenant.store.clone();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let pairs = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut pairs = 0_u32;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let both = |writing: &Writing<'_>| {
                    landbridge_tenant_store::tables::audit::append(
                        writing,
                        NOW,
                        "tenant",
                        "one",
                        "",
                        &"x".repeat(500),
                    )?;
                    landbridge_tenant_store::tables::audit::append(
                        writing,
                        NOW,
                        "tenant",
                        "other",
                        "",
                        &"x".repeat(500),
                    )
                };
                store.write("test", both).unwrap();
                pairs += 1;
            }
            pairs
        });
        for round in 0..10 {
            place.backup(&format!("backup {round}"), None).unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        writing.join().unwrap()
    });
    assert!(pairs > 0);
    for round in 0..10 {
        let copy = rusqlite::Connection::open(place.path(&format!("backup {round}/tenant.db"))).unwrap();
        let count = |action: &str| -> i64 {
            let ask = "SELECT count(*) FROM audit WHERE action = ?1";
            copy.query_row(ask, [action], |row| row.get(0)).unwrap()
        };
        assert_eq!(count("one"), count("other"), "round {round}");
    }
}

#[test]
fn what_was_erased_is_in_no_page_of_a_backup() {
    let place = Place::new();
    let sealed = |n: u128| -> Vec<u8> {
        let ask = "SELECT sealed FROM digests JOIN objects USING (number) WHERE object = ?1";
        let read = |reading: &Reading<'_>| {
            Ok(reading.raw().query_row(ask, [object(n).as_bytes()], |row| row.get(0))?)
        };
        place.tenant.store.read(read).unwrap()
    };
    let (erased, kept) = (sealed(1), sealed(2));
    place.tenant.store.write("test", |writing| digests::erase(writing, object(1))).unwrap();
    place.backup("backup", None).unwrap();
    let bytes = fs::read(place.path("backup/tenant.db")).unwrap();
    let holds = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
    assert!(holds(&kept) && !holds(&erased));
}

#[test]
fn nothing_is_overwritten_by_a_backup_or_a_restore() {
    let place = Place::new();
    place.backup("backup", Some("keys")).unwrap();
    fs::create_dir(place.path("empty")).unwrap();
    for (to, keys) in [
        ("backup", None),
        ("empty", None),
        ("other", Some("keys")),
        ("tenant.toml", None),
        ("gone/backup", None),
    ] {
        let before = place.names();
        let error = place.backup(to, keys).unwrap_err();
        assert_eq!(error.exit_code(), 3, "{error}");
        assert_eq!(place.names(), before);
    }
    for (to, keys) in [("one", "one"), ("one", "one/keys"), ("one/backup", "one")] {
        let error = place.backup(to, Some(keys)).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
    }
    let before = fs::read(place.path("data/tenant.db")).unwrap();
    let error = place.restore("backup", Some("keys")).unwrap_err();
    assert!(error.to_string().contains("something in the data directory already"), "{error}");
    assert_eq!(fs::read(place.path("data/tenant.db")).unwrap(), before);
    // An empty one is as good as none.
    place.lose();
    fs::create_dir(place.path("data")).unwrap();
    place.restore("backup", Some("keys")).unwrap();
}

#[test]
fn a_backup_that_was_touched_is_refused_wherever_it_was_touched() {
    let place = Place::only_its_backup();
    for name in [DATABASE, ROOT] {
        let path = place.path("backup").join(name);
        let whole = fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(whole.len() / 40) {
            let mut touched = whole.clone();
            touched[at] ^= 1;
            fs::write(&path, touched).unwrap();
            place.refuses(Some("keys"), "damaged");
        }
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        place.refuses(Some("keys"), "damaged");
        fs::remove_file(&path).unwrap();
        place.refuses(Some("keys"), "a directory that `landbridge-tenant backup` created");
        fs::write(&path, whole).unwrap();
    }
    place.restore("backup", Some("keys")).unwrap();
}

#[test]
fn pages_that_contradict_each_other_are_found_even_where_the_sums_fit() {
    let place = Place::only_its_backup();
    let path = place.path("backup/tenant.db");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096 * 3..].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    update_sum(&place.path("backup"));
    place.refuses(Some("keys"), "damaged");
    fs::write(&path, "no database").unwrap();
    update_sum(&place.path("backup"));
    place.refuses(Some("keys"), "not a complete database");
}

#[test]
fn keys_that_are_not_those_of_the_backup_are_refused() {
    let place = Place::only_its_backup();
    let path = place.path("keys/seal-1.key");
    let right = fs::read(&path).unwrap();
    for (wrong, why) in [
        (SealKey::generate(1).to_text().to_string(), "20 of 20 digests"),
        (SealKey::generate(2).to_text().to_string(), "20 of 20 digests"),
        ("no key".to_owned(), "not a seal key"),
    ] {
        fs::write(&path, wrong).unwrap();
        let error = place.refuses(Some("keys"), why);
        assert!(error.to_string().contains("seal-1.key"), "{error}");
    }
    fs::write(&path, &right).unwrap();
    let ca = place.path("keys/ca.key");
    let right_ca = fs::read(&ca).unwrap();
    fs::write(&ca, Authority::create(Uuid::nil(), &host(), unix_now()).unwrap().key.as_bytes()).unwrap();
    place.refuses(Some("keys"), "not the one of the root certificate");
    fs::write(&ca, &right_ca).unwrap();
    fs::set_permissions(&ca, fs::Permissions::from_mode(0o644)).unwrap();
    place.refuses(Some("keys"), "others can read this key file");
    fs::set_permissions(&ca, fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(&ca).unwrap();
    place.refuses(Some("keys"), "ca.key");
    fs::write(&ca, &right_ca).unwrap();
    // Directories taken for one another, and no keys at all.
    place.refuses(Some("backup"), "the directory holds 0 seal keys");
    place.refuses(None, "secrets/ca.key");
    fs::copy(&path, place.path("keys/seal-2.key")).unwrap();
    place.refuses(Some("keys"), "the directory holds 2 seal keys, and the configuration names 1");
}

#[test]
fn keys_that_are_in_their_place_already_are_proved_and_left_there() {
    let place = Place::only_its_backup();
    let (ca, seal) = (place.path("keys/ca.key"), place.path("keys/seal-1.key"));
    let text = fs::read_to_string(place.config()).unwrap();
    let named = format!("ca_key = {:?}\nseal_keys = [{:?}]\n\n[signin]", ca.display(), seal.display());
    fs::write(place.config(), text.replace("\n[signin]", &named)).unwrap();
    let right = fs::read(&seal).unwrap();
    fs::write(&seal, SealKey::generate(1).to_text().as_str()).unwrap();
    place.refuses(None, "do not open");
    fs::write(&seal, right).unwrap();
    // With --keys they would be written over themselves.
    place.refuses(Some("keys"), "never overwritten");
    place.restore("backup", None).unwrap();
    assert!(!place.path("data/secrets/ca.key").exists());
}

/// As root copies the keys of a tenant that serves as a user of its own.
#[test]
fn root_copies_the_keys_of_the_user_that_owns_the_database_and_nobody_elses() {
    let place = Place::new();
    let own =
        |name: &str, uid| std::os::unix::fs::chown(place.path("data").join(name), Some(uid), None).unwrap();
    for name in ["secrets/ca.key", "secrets/seal.key", "tenant.db"] {
        own(name, 4711);
    }
    place.backup("backup", Some("keys")).unwrap();
    own("secrets/ca.key", 4712);
    let error = place.backup("another", Some("other keys")).unwrap_err();
    assert!(error.to_string().contains("belongs to uid 4712"), "{error}");
}

#[test]
fn a_systemd_credential_is_not_written_and_the_way_around_is_named() {
    let place = Place::only_its_backup();
    let text = fs::read_to_string(place.config()).unwrap();
    let named = "ca_key = \"credential:ca.key\"\n\n[signin]";
    fs::write(place.config(), text.replace("\n[signin]", named)).unwrap();
    place.refuses(Some("keys"), "CREDENTIALS_DIRECTORY");
}

#[test]
fn a_backup_of_an_older_schema_is_upgraded_and_a_newer_one_is_refused() {
    let place = Place::only_its_backup();
    let (backup, database) = (place.path("backup"), place.path("backup/tenant.db"));
    edit(&database, &format!("PRAGMA user_version = {}", SCHEMA_VERSION + 1));
    update_sum(&backup);
    place.refuses(Some("keys"), "a newer one");
    // As version 1 was.
    landbridge_tenant_fixture::as_version_1(&database);
    update_sum(&backup);
    let said = place.restore("backup", Some("keys")).unwrap();
    assert!(said.contains(&format!("schema version 1, upgraded to {SCHEMA_VERSION}")), "{said}");
    let config = Config::load(&place.config()).unwrap();
    let restored = Store::open(&config.database_file(), SealKeys::new(Vec::new())).unwrap();
    assert_eq!(restored.read(landbridge_tenant_store::tables::domains::all).unwrap().len(), 1);
}

#[test]
fn an_older_database_is_backed_up_as_it_is_before_its_upgrade() {
    let place = Place::new();
    let data = place.path("data/tenant.db");
    let mut place = place;
    place.tenant.store = std::sync::Arc::new(scratch());
    landbridge_tenant_fixture::as_version_1(&data);
    let said = place.backup("backup", None).unwrap();
    assert!(said.contains("schema version 1"), "{said}");
    let copy = rusqlite::Connection::open(place.path("backup/tenant.db")).unwrap();
    let version = copy.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(version, 1);
}

#[test]
fn what_a_killed_backup_left_in_the_making_goes_with_the_next_one_and_what_is_being_made_stays() {
    let place = Place::new();
    let left = place.path(".landbridge-tenant.left");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("tenant.db"), "half of it").unwrap();
    let being_made = NewDirectory::begin_at(&place.path("being made")).unwrap();
    place.backup("backup", None).unwrap();
    assert!(!left.exists());
    assert!(being_made.path().exists());
    being_made.finish().unwrap();
    assert!(place.path("being made").is_dir());
}

#[test]
fn a_restore_without_keys_says_so_where_they_would_lie_in_the_data_directory() {
    let place = Place::only_its_backup();
    place.refuses(None, "--keys");
}
