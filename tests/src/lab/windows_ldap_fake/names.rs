//! An account, and the eleven forms of its name in a simple bind, in the order in which a Windows domain controller
//! tries them (MS-ADTS 5.1.1.1.1). `<GUID=…>` is none of them.

use super::super::population::{DOMAIN, NETBIOS};
use uuid::Uuid;

/// The DN of the domain's head.
pub(super) const BASE: &str = "DC=corp,DC=example,DC=com";

/// An account.
#[derive(Debug, Clone, Default)]
pub struct FakeAccount {
    /// Distinguished name.
    pub dn: String,
    /// sAMAccountName.
    pub sam: String,
    /// userPrincipalName.
    pub upn: Option<String>,
    /// displayName.
    pub display: Option<String>,
    /// objectGUID.
    pub guid: Uuid,
    /// objectSid, as text.
    pub sid: String,
    /// sIDHistory, as text.
    pub sid_history: Vec<String>,
    /// servicePrincipalName.
    pub spns: Vec<String>,
    /// SIDs of its groups, through others too.
    pub groups: Vec<String>,
    /// The password.
    pub password: String,
    /// The code of a refusal after the right password, such as 533; none: it is accepted.
    pub refusal: Option<&'static str>,
    /// badPwdCount.
    pub bad_passwords: u32,
}

impl FakeAccount {
    /// canonicalName: the domain's DNS name and the names of the containers, from the top.
    fn canonical(&self) -> String {
        let above = self.dn.strip_suffix(BASE).unwrap_or(&self.dn).trim_end_matches(',');
        let names = above.split(',').rev().filter_map(|part| part.split_once('=')).map(|(_, name)| name);
        std::iter::once(DOMAIN).chain(names).collect::<Vec<_>>().join("/")
    }
}

/// Whom a name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Nobody,
    /// The account with this number.
    One(usize),
    Several,
}

/// The first form that leads to an account or to several is the last that is tried.
pub(super) fn find(accounts: &[FakeAccount], name: &str) -> Found {
    let same = |value: &str| value.eq_ignore_ascii_case(name);
    let newlined = |canonical: &str| {
        canonical.rsplit_once('/').map(|(above, last)| format!("{above}\n{last}")).unwrap_or_default()
    };
    let forms: [&dyn Fn(&FakeAccount) -> bool; 11] = [
        // 1. The distinguished name.
        &|one| same(&one.dn),
        // 2. The userPrincipalName, or the one that AD makes of sAMAccountName and domain.
        &|one| one.upn.as_deref().is_some_and(same) || same(&format!("{}@{DOMAIN}", one.sam)),
        // 3. NetBIOS name of the domain, backslash, sAMAccountName.
        &|one| same(&format!("{NETBIOS}\\{}", one.sam)),
        // 4. The canonical name.
        &|one| same(&one.canonical()),
        // 5. The objectGUID, dashed, in braces.
        &|one| same(&format!("{{{}}}", one.guid)),
        // 6. The displayName.
        &|one| one.display.as_deref().is_some_and(same),
        // 7. A servicePrincipalName.
        &|one| one.spns.iter().any(|spn| same(spn)),
        // 8. What sPNMappings of the forest make a servicePrincipalName of.
        &|one| {
            one.spns.iter().any(|spn| spn.strip_prefix("host/").is_some_and(|at| same(&format!("http/{at}"))))
        },
        // 9. The objectSid, as a string.
        &|one| same(&one.sid),
        // 10. A value of sIDHistory, as a string.
        &|one| one.sid_history.iter().any(|sid| same(sid)),
        // 11. The canonical name with a newline for its last slash.
        &|one| same(&newlined(&one.canonical())),
    ];
    for form in forms {
        let mut found = accounts.iter().enumerate().filter(|(_, one)| form(one)).map(|(at, _)| at);
        match (found.next(), found.next()) {
            (Some(at), None) => return Found::One(at),
            (Some(_), Some(_)) => return Found::Several,
            (None, _) => {}
        }
    }
    Found::Nobody
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(sam: &str, n: u128) -> FakeAccount {
        FakeAccount {
            dn: format!("CN={sam},OU=People,DC=corp,DC=example,DC=com"),
            sam: sam.to_owned(),
            upn: Some(format!("{sam}@example.com")),
            display: Some(format!("The {sam}")),
            guid: Uuid::from_u128(n),
            sid: format!("S-1-5-21-1-2-3-{n}"),
            spns: vec![format!("host/{sam}.example.com")],
            sid_history: vec![format!("S-1-5-21-9-9-9-{n}")],
            ..FakeAccount::default()
        }
    }

    #[test]
    fn each_of_the_eleven_forms_leads_to_the_account_and_other_spellings_of_its_names_to_nobody() {
        let all = [account("ada", 1105), account("bob", 1106)];
        for name in [
            "CN=bob,OU=People,DC=corp,DC=example,DC=com",
            "bob@example.com",
            "bob@corp.example.com",
            "CORP\\bob",
            "corp.example.com/People/bob",
            "{00000000-0000-0000-0000-000000000452}",
            "The bob",
            "host/bob.example.com",
            "http/bob.example.com",
            "S-1-5-21-1-2-3-1106",
            "S-1-5-21-9-9-9-1106",
            "corp.example.com/People\nbob",
        ] {
            assert_eq!(find(&all, name), Found::One(1), "{name:?}");
        }
        for name in [
            "<GUID=00000000-0000-0000-0000-000000000452>",
            "<SID=S-1-5-21-1-2-3-1106>",
            "00000000-0000-0000-0000-000000000452",
            "bob",
            "S-1-5-21-1-2-3-1107",
            "",
        ] {
            assert_eq!(find(&all, name), Found::Nobody, "{name:?}");
        }
    }

    #[test]
    fn an_earlier_form_hides_a_later_one_and_a_form_that_fits_two_accounts_is_the_last() {
        let mut all = [account("ada", 1105), account("bob", 1106), account("eve", 1107)];
        all[2].display = Some(all[0].sid.clone());
        assert_eq!(find(&all, "S-1-5-21-1-2-3-1105"), Found::One(2), "the display name comes before the SID");
        all[1].display = Some(all[0].sid.clone());
        assert_eq!(find(&all, "S-1-5-21-1-2-3-1105"), Found::Several);
    }
}
