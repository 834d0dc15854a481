//! The account that a request names: the name of a bind as this account, the base of the search for its entry, and the
//! key under which its failed binds are counted. Pure.
//!
//! A simple bind accepts eleven forms of name, tried in order (MS-ADTS 5.1.1.1.1). The SID is the ninth; Windows
//! documents it and Samba 4.17 accepts it. `<GUID=…>` is not one of the eleven, but Samba accepts it. It is used for a
//! tenant of version 0.1, which sends no SID.
//! Before it on the road: `link` reads the request. After it: [`super::bind`].

use super::failed_binds::{BindKey, NOBODYS_RIDS};
use uuid::Uuid;

/// The start of every SID of a domain.
const OF_DOMAINS: &str = "S-1-5-21-";

/// The SID of an account of one domain, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSid {
    text: String,
    rid: u32,
}

impl AccountSid {
    /// Reads a SID in its only valid spelling (MS-DTYP 2.4.2.1). None: it is malformed, or not of the domain with the
    /// SID `domain`.
    pub fn of_domain(text: &str, domain: &str) -> Option<Self> {
        let rid = text.strip_prefix(domain)?.strip_prefix('-')?;
        let spelled = rid.bytes().all(|b| b.is_ascii_digit()) && (rid == "0" || !rid.starts_with('0'));
        if !spelled || !domain.starts_with(OF_DOMAINS) {
            return None;
        }
        Some(Self { text: text.to_owned(), rid: rid.parse().ok()? })
    }

    /// A SID that no account has: its relative id is random, and larger than those that AD assigns. The domain's SID is
    /// known from the enrolment; without it that part is random as well.
    pub fn nobody(domain: Option<&str>) -> Self {
        let random = Uuid::new_v4().as_u128().to_be_bytes();
        let more = Uuid::new_v4().as_u128().to_be_bytes();
        let number = |of: &[u8; 16]| of.first_chunk().copied().map_or(0, u32::from_be_bytes);
        let rid = number(&random) | NOBODYS_RIDS;
        let made_up = || format!("{OF_DOMAINS}{}-1-1", number(&more));
        let domain = domain.map_or_else(made_up, str::to_owned);
        Self { text: format!("{domain}-{rid}"), rid }
    }

    /// The SID.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The relative id: its last number, which differs for every account of the domain.
    pub fn rid(&self) -> u32 {
        self.rid
    }
}

/// The account that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedAccount {
    /// objectGUID.
    pub object: Uuid,
    /// Its SID. None: a tenant of version 0.1 sends none.
    pub sid: Option<AccountSid>,
}

impl RequestedAccount {
    /// The account with these names of a request to an agent of the domain with the SID `domain`. None: the SID is
    /// malformed or of another domain.
    pub fn new(object: Uuid, sid: Option<&str>, domain: &str) -> Option<Self> {
        let sid = match sid {
            Some(sid) => Some(AccountSid::of_domain(sid, domain)?),
            None => None,
        };
        Some(Self { object, sid })
    }

    /// The name of a bind as this account.
    pub(super) fn bind_name(&self) -> String {
        match &self.sid {
            Some(sid) => sid.text.clone(),
            None => format!("<GUID={}>", self.object),
        }
    }

    /// The base of a search for this account's entry (MS-ADTS 3.1.1.3.1.2.4).
    pub(super) fn entry(&self) -> String {
        match &self.sid {
            Some(sid) => format!("<SID={}>", sid.text),
            None => format!("<GUID={}>", self.object),
        }
    }

    /// The key under which its failed binds are counted.
    pub fn key(&self) -> BindKey {
        match &self.sid {
            Some(sid) => BindKey::Rid(sid.rid),
            None => BindKey::Object(self.object),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const DOMAIN: &str = "S-1-5-21-1-2-3";

    #[test]
    fn a_sid_of_another_domain_or_oddly_spelled_is_no_account() {
        for odd in [
            "",
            "S-1-5-21-1-2-3",
            "S-1-5-21-1-2-3-",
            "S-1-5-21-1-2-3-01105",
            "S-1-5-21-1-2-3-+1105",
            "S-1-5-21-1-2-3--1105",
            "S-1-5-21-1-2-3-1105 ",
            " S-1-5-21-1-2-3-1105",
            "s-1-5-21-1-2-3-1105",
            "S-1-5-21-1-2-3-1105-1",
            "S-1-5-21-1-2-3-4294967296",
            "S-1-5-21-1-2-33-1105",
            "S-1-5-21-1-2-4-1105",
            "S-1-5-21-1-2-1105",
            "S-1-5-32-544",
            "S-1-5-18",
            "<SID=S-1-5-21-1-2-3-1105>",
            "S-1-5-21-1-2-3-0x451",
            "S-1-5-21-1-2-3-١",
            "Administrator@corp.example.com",
        ] {
            assert_eq!(AccountSid::of_domain(odd, DOMAIN), None, "{odd:?}");
            assert_eq!(RequestedAccount::new(Uuid::nil(), Some(odd), DOMAIN), None, "{odd:?}");
        }
        // An identity without a domain's SID accepts none.
        for domain in ["", "S-1-5", "S-1-5-32"] {
            assert_eq!(AccountSid::of_domain(&format!("{domain}-544"), domain), None, "{domain:?}");
        }
        let sound = AccountSid::of_domain("S-1-5-21-1-2-3-4294967295", DOMAIN).unwrap();
        assert_eq!((sound.as_str(), sound.rid()), ("S-1-5-21-1-2-3-4294967295", u32::MAX));
    }

    #[test]
    fn a_request_with_a_sid_binds_and_counts_by_it_and_one_without_by_the_objectguid() {
        let object = Uuid::from_u128(7);
        let new = RequestedAccount::new(object, Some("S-1-5-21-1-2-3-1105"), DOMAIN).unwrap();
        assert_eq!(new.bind_name(), "S-1-5-21-1-2-3-1105");
        assert_eq!((new.entry(), new.key()), ("<SID=S-1-5-21-1-2-3-1105>".to_owned(), BindKey::Rid(1105)));
        let old = RequestedAccount::new(object, None, DOMAIN).unwrap();
        assert_eq!(old.bind_name(), format!("<GUID={object}>"));
        assert_eq!((old.entry(), old.key()), (old.bind_name(), BindKey::Object(object)));
        // Many objectGUIDs with one SID are one account.
        let other = RequestedAccount { object: Uuid::from_u128(8), ..new.clone() };
        assert_eq!(other.key(), new.key());
    }

    #[test]
    fn nobodys_sid_is_another_each_time_and_beyond_all_that_ad_gives() {
        for domain in [Some(DOMAIN), None] {
            let (one, other) = (AccountSid::nobody(domain), AccountSid::nobody(domain));
            assert_ne!(one, other);
            assert!(one.rid() >= 1 << 31 && other.rid() >= 1 << 31);
            assert!(one.as_str().starts_with(domain.unwrap_or(OF_DOMAINS)), "{one:?}");
            let numbers = one.as_str().split('-').count();
            assert_eq!(numbers, 8, "{one:?}");
        }
    }
}
