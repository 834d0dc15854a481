//! Names of accounts and services.

use crate::asn1::{PrincipalName, Text};
use crate::error::Error;
use std::fmt;

/// KRB_NT_PRINCIPAL, KRB_NT_SRV_INST, KRB_NT_ENTERPRISE (RFC 4120 6.2, RFC 6806 5)
const PRINCIPAL: i32 = 1;
const SERVICE: i32 = 2;
const ENTERPRISE: i32 = 10;
/// Most bytes of a name or a realm: DNS names end at 255, UPNs of Active Directory at 1,024.
const MAX_NAME: usize = 1_024;

/// A name in a realm.
#[derive(Clone, PartialEq, Eq)]
pub struct Principal {
    name_type: i32,
    components: Vec<String>,
    realm: String,
}

impl Principal {
    /// An account by its sAMAccountName, in the domain of this DNS name. An `@` in the name makes it a user principal
    /// name, which the KDC looks up (an enterprise name).
    ///
    /// # Errors
    /// The name or the domain is empty, over 1,024 bytes, or holds a control character.
    pub fn account(name: &str, domain: &str) -> Result<Self, Error> {
        let name_type = if name.contains('@') { ENTERPRISE } else { PRINCIPAL };
        Self::checked(name_type, vec![name.to_owned()], domain)
    }

    /// A service by the components of its name: `["ldap", host, domain]`.
    ///
    /// # Errors
    /// As [`Self::account`], for any of the components.
    pub fn service(components: &[&str], domain: &str) -> Result<Self, Error> {
        let components = components.iter().map(|&component| component.to_owned()).collect();
        Self::checked(SERVICE, components, domain)
    }

    /// The service that gives tickets in this domain.
    pub(crate) fn ticket_granting(realm: &str) -> Self {
        let components = vec!["krbtgt".to_owned(), realm.to_owned()];
        Self { name_type: SERVICE, components, realm: realm.to_owned() }
    }

    fn checked(name_type: i32, components: Vec<String>, domain: &str) -> Result<Self, Error> {
        let principal = Self { name_type, components, realm: domain.to_uppercase() };
        let sound =
            |text: &String| !text.is_empty() && text.len() <= MAX_NAME && !text.chars().any(char::is_control);
        if !principal.components.is_empty()
            && principal.components.iter().chain([&principal.realm]).all(sound)
        {
            return Ok(principal);
        }
        let why = "its name or its domain is empty, too long, or holds a control character".to_owned();
        Err(Error::Credential { account: principal.to_string().escape_debug().to_string(), why })
    }

    pub(crate) fn read(name: &PrincipalName<'_>, realm: Text<'_>) -> Self {
        let components = name.name_string.iter().map(|text| text.0.to_owned()).collect();
        Self { name_type: name.name_type, components, realm: realm.0.to_owned() }
    }

    pub(crate) fn name(&self) -> PrincipalName<'_> {
        let name_string = self.components.iter().map(|component| Text(component)).collect();
        PrincipalName { name_type: self.name_type, name_string }
    }

    /// The realm: the DNS name of the domain in capitals.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The parts of the name, without the realm.
    pub fn components(&self) -> &[String] {
        &self.components
    }

    pub(crate) fn is_enterprise(&self) -> bool {
        self.name_type == ENTERPRISE
    }

    /// Whether both name the same in Active Directory, which does not heed case; nor is the type of a name heeded.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
        same(&self.realm, &other.realm)
            && self.components.len() == other.components.len()
            && self.components.iter().zip(&other.components).all(|(a, b)| same(a, b))
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.components.join("/"), self.realm)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
