//! What an administrator does to the domain while it runs. `edit.py` makes the changes: one Python process that is
//! kept, because its start takes longer than any change.

use super::domain::Domain;
use super::error::{Doing as _, LabError, failed};
use super::recipe::PYTHON;
use super::script::Script;
use super::view;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// userAccountControl: disabled.
pub const DISABLED: u32 = 0x2;
/// userAccountControl: needs no password.
pub const PASSWORD_NOT_REQUIRED: u32 = 0x20;
/// userAccountControl: an ordinary account.
pub const NORMAL: u32 = 0x200;
/// userAccountControl: its password never expires.
pub const NEVER_EXPIRES: u32 = 0x1_0000;
/// userAccountControl: smart card required.
pub const SMART_CARD: u32 = 0x4_0000;

/// The names of an account: two that never change, and the DN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// objectGUID.
    pub guid: uuid::Uuid,
    /// objectSid, as text.
    pub sid: String,
    /// Distinguished name, which changes with a rename or a move.
    pub dn: String,
}

/// A person's account as the DC has it now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Listed {
    /// objectGUID.
    pub guid: uuid::Uuid,
    /// sAMAccountName.
    #[serde(rename = "sAMAccountName")]
    pub sam: String,
    /// userPrincipalName.
    #[serde(rename = "userPrincipalName")]
    pub upn: Option<String>,
    /// displayName.
    #[serde(rename = "displayName")]
    pub display: Option<String>,
    /// userAccountControl.
    #[serde(rename = "userAccountControl")]
    pub flags: i64,
    /// accountExpires.
    #[serde(rename = "accountExpires")]
    pub ends: Option<i64>,
    /// pwdLastSet.
    #[serde(rename = "pwdLastSet")]
    pub password_set: Option<i64>,
    /// In a protected group, through however many between; by adminCount or primary group; or the built-in one.
    pub privileged: bool,
    /// In Protected Users.
    pub protected_user: bool,
}

/// The kept process.
#[derive(Debug)]
pub(crate) struct Editor(Script);

impl Editor {
    pub(crate) fn start(conf: &Path, log: &Path) -> Result<Self, LabError> {
        let errors = File::create(log).doing("create a log file")?;
        let mut python = view::command(PYTHON)?;
        python.args(["-c", include_str!("edit.py")]).arg(conf);
        Script::start(python, errors.into(), "the editor of the domain").map(Self)
    }

    pub(crate) fn send(&mut self, request: &Value) -> Result<Value, LabError> {
        let step = format!("editing the domain ({})", request["do"]);
        let mut answer = self.0.send(request, &step)?;
        match answer.get("error") {
            Some(error) => Err(failed(&step, error)),
            None => Ok(answer["ok"].take()),
        }
    }
}

impl Domain {
    fn edit(&self, request: &Value) -> Result<Value, LabError> {
        self.editor().send(request)
    }

    /// GUID, SID and DN of an account or a group.
    pub fn identity(&self, sam: &str) -> Result<Identity, LabError> {
        let found = self.edit(&json!({"do": "read", "sam_name": sam}))?;
        let text = |name: &str| found.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let guid = text("guid").parse().map_err(|why| failed("reading an objectGUID", why))?;
        Ok(Identity { guid, sid: text("sid"), dn: text("dn") })
    }

    /// The DN of the password settings object that holds for an account, as the DC computes it.
    pub fn resultant_policy(&self, sam: &str) -> Result<Option<String>, LabError> {
        let found = self.edit(&json!({"do": "resultant_policy", "sam_name": sam}))?;
        Ok(found.as_str().map(str::to_owned))
    }

    /// A reset by an administrator.
    pub fn set_password(&self, sam: &str, password: &str) -> Result<(), LabError> {
        self.edit(&json!({"do": "set_password", "sam_name": sam, "password": password})).map(drop)
    }

    /// A new account; `flags` are userAccountControl, `parent` is relative to the domain (`OU=People`).
    pub fn create(&self, sam: &str, password: &str, flags: u32, parent: &str) -> Result<Identity, LabError> {
        let request =
            json!({"do": "create", "sam_name": sam, "password": password, "flags": flags, "parent": parent});
        self.edit(&request)?;
        self.identity(sam)
    }

    /// Adds any object; its name is relative to the domain. `{"hex": …}` is bytes.
    pub fn add(&self, dn: &str, values: Value) -> Result<(), LabError> {
        self.edit(&json!({"do": "add", "dn": dn, "values": values})).map(drop)
    }

    /// Sets attributes of any object, named relative to the domain; null removes one.
    pub fn set_at(&self, dn: &str, values: Value) -> Result<(), LabError> {
        self.edit(&json!({"do": "set_at", "dn": dn, "values": values})).map(drop)
    }

    /// Sets attributes of an account; null removes one, `{"hex": …}` is bytes.
    pub fn set_attributes(&self, sam: &str, values: Value) -> Result<(), LabError> {
        self.edit(&json!({"do": "set_attributes", "sam_name": sam, "values": values})).map(drop)
    }

    /// Writes an attribute past all of the DC's checks, and past its replication: a full compare alone sees it.
    pub fn force_attribute(&self, sam: &str, name: &str, value: &str) -> Result<(), LabError> {
        self.force_values(sam, name, &json!(value))
    }

    /// The same with one value or several; `{"hex": …}` is bytes.
    pub fn force_values(&self, sam: &str, name: &str, values: &Value) -> Result<(), LabError> {
        self.edit(&json!({"do": "force_attribute", "sam_name": sam, "name": name, "value": values})).map(drop)
    }

    /// What the editor writes from now on follows an option of Samba's.
    pub(super) fn set_editor_option(&self, name: &str, value: &str) -> Result<(), LabError> {
        self.edit(&json!({"do": "option", "name": name, "value": value})).map(drop)
    }

    /// What a proper restore of the DC does: its writes carry a new invocation id. Only while it does not run.
    pub fn set_new_invocation_id(&self) -> Result<(), LabError> {
        self.edit(&json!({"do": "new_invocation_id"})).map(drop)
    }

    /// Lets others read from the DC, or not (`repadmin /options +DISABLE_OUTBOUND_REPL`). Only while it does not run.
    pub fn set_outbound_replication(&self, allowed: bool) -> Result<(), LabError> {
        self.edit(&json!({"do": "outbound_replication", "allowed": allowed})).map(drop)
    }

    /// Sets attributes of the domain's head: its policy.
    pub fn set_policy(&self, values: Value) -> Result<(), LabError> {
        self.edit(&json!({"do": "set_domain", "values": values})).map(drop)
    }

    /// Must change the password at the next logon.
    pub fn must_change(&self, sam: &str) -> Result<(), LabError> {
        self.set_attributes(sam, json!({"pwdLastSet": 0}))
    }

    /// Sets the time of the last password change to this many days ago.
    pub fn age_password(&self, sam: &str, days: i64) -> Result<(), LabError> {
        let then = filetime(-days * 24 * 3600);
        self.edit(&json!({"do": "set_pwd_last_set", "sam_name": sam, "filetime": then})).map(drop)
    }

    /// Lets the account expire in this many seconds; a negative number lies in the past.
    pub fn account_ends_in(&self, sam: &str, seconds: i64) -> Result<(), LabError> {
        self.set_attributes(sam, json!({"accountExpires": filetime(seconds)}))
    }

    /// Sets and clears bits of userAccountControl.
    pub fn change_flags(&self, sam: &str, add: u32, remove: u32) -> Result<(), LabError> {
        self.edit(&json!({"do": "flags", "sam_name": sam, "add": add, "remove": remove})).map(drop)
    }

    /// Disables the account, or enables it.
    pub fn set_enabled(&self, sam: &str, enabled: bool) -> Result<(), LabError> {
        let (add, remove) = if enabled { (0, DISABLED) } else { (DISABLED, 0) };
        self.change_flags(sam, add, remove)
    }

    /// A new group in `CN=Users`.
    pub fn create_group(&self, name: &str) -> Result<(), LabError> {
        self.edit(&json!({"do": "create_container", "kind": "group", "name": name, "parent": "CN=Users"}))
            .map(drop)
    }

    /// A new organizational unit under the domain's head.
    pub fn create_unit(&self, name: &str) -> Result<(), LabError> {
        let request =
            json!({"do": "create_container", "kind": "organizationalUnit", "name": name, "parent": ""});
        self.edit(&request).map(drop)
    }

    /// Renames or moves a container; both relative to the domain (`OU=People`).
    pub fn rename_container(&self, old: &str, new: &str) -> Result<(), LabError> {
        self.edit(&json!({"do": "rename_container", "old": old, "new": new})).map(drop)
    }

    /// Moves the account under another container, relative to the domain.
    pub fn move_to(&self, sam: &str, parent: &str) -> Result<(), LabError> {
        self.edit(&json!({"do": "move", "sam_name": sam, "parent": parent})).map(drop)
    }

    /// Makes it a member of the group, or no longer.
    pub fn set_member(&self, group: &str, sam: &str, present: bool) -> Result<(), LabError> {
        self.edit(&json!({"do": "members", "group": group, "names": [sam], "present": present})).map(drop)
    }

    /// The same for many at once.
    pub fn set_members(&self, group: &str, sams: &[String], present: bool) -> Result<(), LabError> {
        self.edit(&json!({"do": "members", "group": group, "names": sams, "present": present})).map(drop)
    }

    /// Deletes the account.
    pub fn delete(&self, sam: &str) -> Result<(), LabError> {
        self.edit(&json!({"do": "delete", "sam_name": sam})).map(drop)
    }

    /// Renames the account: RDN, sAMAccountName and userPrincipalName.
    pub fn rename(&self, sam: &str, to: &str) -> Result<(), LabError> {
        self.edit(&json!({"do": "rename", "sam_name": sam, "to": to})).map(drop)
    }

    /// Renames the RDN alone, which is no name to sign in with.
    pub fn rename_rdn(&self, sam: &str, to: &str) -> Result<(), LabError> {
        self.edit(&json!({"do": "rename_rdn", "sam_name": sam, "to": to})).map(drop)
    }

    /// A fine-grained policy that locks after three wrong passwords: its precedence, and the accounts that it applies
    /// to, by their sAMAccountNames.
    pub fn create_password_settings(&self, name: &str, precedence: u32, to: &[&str]) -> Result<(), LabError> {
        let to: Result<Vec<String>, LabError> = to.iter().map(|sam| Ok(self.identity(sam)?.dn)).collect();
        self.add(
            &format!("CN={name},CN=Password Settings Container,CN=System"),
            json!({
                "objectClass": "msDS-PasswordSettings",
                "msDS-PasswordSettingsPrecedence": precedence.to_string(),
                "msDS-PasswordReversibleEncryptionEnabled": "FALSE",
                "msDS-PasswordHistoryLength": "0",
                "msDS-PasswordComplexityEnabled": "FALSE",
                "msDS-MinimumPasswordLength": "0",
                "msDS-MinimumPasswordAge": "0",
                "msDS-MaximumPasswordAge": "-864000000000",
                "msDS-LockoutThreshold": "3",
                "msDS-LockoutObservationWindow": "-18000000000",
                "msDS-LockoutDuration": "-18000000000",
                "msDS-PSOAppliesTo": to?,
            }),
        )
    }

    /// Adds an attribute to the forest's schema and to users, groups and contacts: a single text, or what `values` of its
    /// attributeSchema object say. Returns the number (`msDS-IntId`) that AD chose for it; not `numbered`, it has none. The
    /// DC knows it once it has started again.
    pub fn extend_schema(&self, name: &str, values: Value, numbered: bool) -> Result<Option<i64>, LabError> {
        let request = json!({"do": "extend_schema", "name": name, "values": values, "numbered": numbered});
        Ok(self.edit(&request)?.as_i64())
    }

    /// Switches the recycle bin on, for good.
    pub fn enable_recycle_bin(&self) -> Result<(), LabError> {
        self.edit(&json!({"do": "recycle_bin"})).map(drop)
    }

    /// Makes a deleted account an account again, under this name and without a password; `parent` is relative to the
    /// domain.
    pub fn reanimate(&self, guid: uuid::Uuid, sam: &str, parent: &str) -> Result<(), LabError> {
        self.edit(&json!({"do": "reanimate", "guid": guid, "sam_name": sam, "parent": parent})).map(drop)
    }

    /// Every person's account, read from the DC's database.
    pub fn people_now(&self) -> Result<Vec<Listed>, LabError> {
        serde_json::from_value(self.edit(&json!({"do": "people"}))?)
            .map_err(|why| failed("reading the people of the domain", why))
    }

    /// For each account, which of the candidates is its password; none when no candidate is. The editor compares them
    /// with the DC's database, and no hash leaves it.
    pub fn which_passwords(
        &self,
        candidates: &BTreeMap<uuid::Uuid, Vec<String>>,
    ) -> Result<BTreeMap<uuid::Uuid, Option<usize>>, LabError> {
        serde_json::from_value(self.edit(&json!({"do": "which_password", "candidates": candidates}))?)
            .map_err(|why| failed("asking the domain for passwords", why))
    }

    /// Grants or revokes the two replication rights at the root of the domain.
    pub fn set_replication_rights(&self, sam: &str, granted: bool) -> Result<(), LabError> {
        self.edit(&json!({"do": "rights", "sam_name": sam, "granted": granted})).map(drop)
    }

    /// Adds an entry to the access list of the domain's head: SDDL, with `{sid}` for the account or group.
    pub fn grant_at_head(&self, sam: &str, ace: &str) -> Result<(), LabError> {
        self.edit(&json!({"do": "grant", "sam_name": sam, "ace": ace})).map(drop)
    }

    /// Tries this many wrong passwords by LDAP, so that AD counts them.
    pub fn try_wrong_passwords(&self, upn: &str, tries: u32) -> Result<(), LabError> {
        for _ in 0..tries {
            let tried = view::command("ldapwhoami")?
                .args(["-x", "-H", &format!("ldaps://{}", self.address()), "-D", upn, "-w", "not this one"])
                .env("LDAPTLS_CACERT", self.folder().join("tls/ca.pem"))
                .output()
                .doing("run ldapwhoami")?;
            // 49: invalid credentials.
            if tried.status.code() != Some(49) {
                return Err(failed("a bind with a wrong password", String::from_utf8_lossy(&tried.stderr)));
            }
        }
        Ok(())
    }

    /// Writes a keytab with the present keys of the account.
    pub fn write_keytab(&self, sam: &str, path: &Path) -> Result<(), LabError> {
        self.edit(&json!({"do": "keytab", "sam_name": sam, "path": path})).map(drop)
    }
}

/// The FILETIME this many seconds from now.
fn filetime(seconds: i64) -> i64 {
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    (now + seconds + 11_644_473_600) * 10_000_000
}
