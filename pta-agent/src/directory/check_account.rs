//! Checks whether a domain controller accepts a right password, and by the name that sign-ins use: `check --as`.
//!
//! The first bind uses the name that the administrator gave. Only after a success a second bind uses the account's SID,
//! so the check costs at most one bad password. Then it reads what a sign-in reads.
//! Neighbours: [`super::check`] found the domain controller; [`super::bind`] does the same for the tenant.

use super::account::Sid;
use super::check::{Finding, Usable};
use super::controller::Connection;
use super::requested::{AccountSid, RequestedAccount};
use super::verdict::{BindAnswer, NoVerdict};
use landbridge_crypto::secret::Password;
use landbridge_wire::signin::DirectoryVerdict;
use std::fmt;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Limit on all binds and reads together.
const PATIENCE: Duration = Duration::from_secs(15);
/// The remedy if a domain controller refuses the form of name that sign-ins use.
const REPORT: &str =
    "sign-ins through agents bind by the SID and will fail at this domain controller: report it";

/// The name of an account, as an administrator types it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountName {
    /// Its SID.
    Sid(AccountSid),
    /// `user@suffix` or `DOMAIN\\user`.
    Name(String),
}

impl AccountName {
    /// Reads a name in one of the forms that AD documents for a bind and that name one account. The error lists the
    /// forms. `domain_sid` is the SID of the agent's domain. None: the agent is not enrolled.
    pub fn parse(text: &str, domain_sid: Option<&str>) -> Result<Self, &'static str> {
        if text.starts_with("S-1-") {
            let domain = domain_sid.ok_or("a SID can be checked after the enrolment: give user@suffix")?;
            let sid = AccountSid::of_domain(text, domain)
                .ok_or("it is not the SID of an account of this domain")?;
            return Ok(Self::Sid(sid));
        }
        let parts = text.split_once('\\').or_else(|| text.rsplit_once('@'));
        let is_whole = parts.is_some_and(|(before, after)| !before.is_empty() && !after.is_empty());
        let is_plain = !text.contains(['\0', '=', '/', '<', '{']);
        if is_whole && is_plain {
            Ok(Self::Name(text.to_owned()))
        } else {
            Err("give the account as user@suffix, DOMAIN\\user or S-1-5-21-…")
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Sid(sid) => sid.as_str(),
            Self::Name(name) => name,
        }
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Binds as the account. `head` is the DN of the domain's head.
pub(super) async fn check(head: &str, at: &Usable, name: &AccountName, password: &Password) -> Finding {
    let what = format!("sign-in as {name} at {}", at.0.name());
    let outcome = tried(head, at, name, password).await;
    let outcome = outcome.unwrap_or_else(|_| {
        let why = at.0.health().why.unwrap_or_default();
        Err((format!("a request was not answered: {why}"), "look into the log of the domain controller"))
    });
    match outcome {
        Ok(found) => Finding::good(&what, found),
        Err((found, todo)) => Finding::bad(&what, found, todo),
    }
}

/// The finding, or the fault and its remedy. The error: the domain controller did not answer.
async fn tried(
    head: &str,
    at: &Usable,
    name: &AccountName,
    password: &Password,
) -> Result<Result<String, (String, &'static str)>, NoVerdict> {
    let by = Instant::now() + PATIENCE;
    let wrong = |found: &str, todo| Ok(Err((found.to_owned(), todo)));
    // 1. One bind by the name that was given. A bind without a password is an anonymous one, and succeeds.
    if password.is_empty() || password.lend(|text| text.contains('\0')) {
        return wrong(
            "not tried: no password was given, or one with a zero byte",
            "give the account's password",
        );
    }
    let Ok(connection) = at.0.connection().await else {
        return wrong("not tried: there is no connection any more", "run `check` again");
    };
    let (answer, mut connection) = connection.bind(name.as_str(), password, by).await?;
    if answer != BindAnswer::Verdict(DirectoryVerdict::Valid) {
        let todo = "try an account that may sign in, and look at this one's lockout before you try it again";
        return Ok(Err((answer.in_words(), todo)));
    }
    // 2. The account's SID, by the connection that is bound as it.
    let Some(sid) = own_sid(&mut connection, head, name, by).await? else {
        return wrong(
            "the password is accepted, and the domain controller does not show whose it is",
            REPORT,
        );
    };
    // 3. A bind by the SID, as sign-ins bind. The password is known to be right.
    if let AccountName::Name(_) = name {
        let (answer, bound) = connection.bind(sid.as_str(), password, by).await?;
        connection = bound;
        let is_same = connection.bound_as(by).await?.iter().any(|bound| bound.to_string() == sid.as_str());
        if answer != BindAnswer::Verdict(DirectoryVerdict::Valid) || !is_same {
            let found =
                format!("accepted as {name}, and not by its SID {}: {}", sid.as_str(), answer.in_words());
            return Ok(Err((found, REPORT)));
        }
    }
    // 4. What a sign-in reads.
    let requested = RequestedAccount { object: Uuid::nil(), sid: Some(sid) };
    let own = connection.own_entry(&requested, by).await?;
    connection.keep();
    Ok(match own {
        None => Err((
            "accepted, and its own entry shows no objectGUID or groups: to the tenant each password is wrong"
                .to_owned(),
            "let accounts read objectGUID, objectSid and tokenGroups of themselves, as AD does by default",
        )),
        Some(own) if own.protected => Ok(
            "accepted, by the SID as well; the account is protected, so to the tenant each password is wrong"
                .to_owned(),
        ),
        Some(_) => Ok("accepted, by the SID as sign-ins bind, and its own entry can be read".to_owned()),
    })
}

/// The SID of the account that the connection is bound as and that has this name. None: the directory does not show it.
async fn own_sid(
    connection: &mut Connection,
    head: &str,
    name: &AccountName,
    by: Instant,
) -> Result<Option<AccountSid>, NoVerdict> {
    let bound_as = connection.bound_as(by).await?;
    let is_own = |sid: &str| bound_as.iter().any(|bound| bound.to_string() == sid);
    Ok(match name {
        AccountName::Sid(sid) => is_own(sid.as_str()).then(|| sid.clone()),
        AccountName::Name(name) => {
            let found = connection.sids_of(head, &filter(name), by).await;
            let own = found.iter().map(Sid::to_string).find(|sid| is_own(sid));
            own.and_then(|sid| AccountSid::of_domain(&sid, sid.rsplit_once('-')?.0))
        }
    })
}

/// The search filter for a name: by userPrincipalName, or by sAMAccountName, which AD accepts before `@` as well.
fn filter(name: &str) -> String {
    let escaped = |text: &str| ldap3::ldap_escape(text).into_owned();
    match (name.split_once('\\'), name.rsplit_once('@')) {
        (Some((_, sam)), _) => format!("(sAMAccountName={})", escaped(sam)),
        (None, Some((sam, _))) => {
            format!("(|(userPrincipalName={})(sAMAccountName={}))", escaped(name), escaped(sam))
        }
        (None, None) => format!("(userPrincipalName={})", escaped(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: Option<&str> = Some("S-1-5-21-1-2-3");

    #[test]
    fn a_name_is_accepted_in_the_forms_that_name_one_account_and_no_other_form_reaches_a_controller() {
        for name in
            ["ada@corp.example.com", "CORP\\ada", "corp.example.com\\ada", "o'neil x@corp", "a@b@corp"]
        {
            assert_eq!(AccountName::parse(name, DOMAIN), Ok(AccountName::Name(name.to_owned())), "{name}");
        }
        let sid = AccountName::parse("S-1-5-21-1-2-3-1105", DOMAIN);
        assert!(matches!(sid, Ok(AccountName::Sid(sid)) if sid.as_str() == "S-1-5-21-1-2-3-1105"));
        for odd in [
            "",
            "ada",
            "@corp.example.com",
            "ada@",
            "CORP\\",
            "\\ada",
            "CN=ada,DC=corp",
            "corp.example.com/People/ada",
            "<GUID=x>@y",
            "{guid}@x",
            "a\0b@corp",
            "S-1-5-21-1-2-4-1105",
            "S-1-5-32-544",
        ] {
            assert!(AccountName::parse(odd, DOMAIN).is_err(), "{odd:?}");
        }
        assert!(AccountName::parse("S-1-5-21-1-2-3-1105", None).is_err(), "the domain is not known");
    }

    #[test]
    fn a_name_cannot_change_the_search_for_it() {
        assert_eq!(filter("CORP\\a*)(x=y"), "(sAMAccountName=a\\2a\\29\\28x=y)");
        assert_eq!(filter("a*@b"), "(|(userPrincipalName=a\\2a@b)(sAMAccountName=a\\2a))");
    }
}
