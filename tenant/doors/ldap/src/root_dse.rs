//! The root DSE (RFC 4512 5.1): what this server has, for clients that look before they search. Everybody may read it.
//! Neighbours: [`super::subschema`] has the entry that `subschemaSubentry` names.

use super::controls::{MANAGE_DSA_IT, PAGED_RESULTS, PASSWORD_POLICY, SORT_REQUEST, SORT_RESPONSE};
use super::response::ReturnedAttribute;

/// StartTLS (RFC 4511 4.14).
pub const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
/// Password Modify (RFC 3062). It is listed always: whether it works depends on the domain of each person and on its agents
/// at that moment, and clients keep what they read here. Where it does not, the answer says so in words.
pub const PASSWORD_MODIFY: &str = "1.3.6.1.4.1.4203.1.11.1";
/// Who am I (RFC 4532).
pub const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
/// All operational attributes by `+` (RFC 3673).
const ALL_OPERATIONAL: &str = "1.3.6.1.4.1.4203.1.5.1";
/// Filters that are always true or false (RFC 4526).
const ABSOLUTE_FILTERS: &str = "1.3.6.1.4.1.4203.1.5.3";

/// The name of the subschema entry.
pub const SUBSCHEMA: &str = "cn=subschema";

/// What the root DSE shows.
#[derive(Debug, Clone, Copy)]
pub struct RootDse<'a> {
    /// The names of the domains' heads that the application has. SSSD finds its search base by itself if there is one.
    pub naming_contexts: &'a [String],
    /// The number of the directory's last change, for clients that poll; none: the connection has no rights.
    pub last_change: Option<i64>,
    /// Whether StartTLS can be requested on this connection.
    pub start_tls: bool,
    /// The version of the program.
    pub version: &'a str,
}

impl RootDse<'_> {
    /// The attributes. All but `objectClass` are operational.
    pub fn attributes(&self) -> Vec<ReturnedAttribute> {
        let mut extensions = vec![WHO_AM_I, PASSWORD_MODIFY];
        extensions.extend(self.start_tls.then_some(START_TLS));
        let contexts: Vec<&str> = self.naming_contexts.iter().map(String::as_str).collect();
        let only_context = contexts.get(..1).filter(|_| contexts.len() == 1).unwrap_or_default();
        let controls = [PAGED_RESULTS, SORT_REQUEST, SORT_RESPONSE, MANAGE_DSA_IT, PASSWORD_POLICY];
        let last_change = self.last_change.map(|number| number.to_string());
        let last_change: Vec<&str> = last_change.as_deref().into_iter().collect();
        let rows: [(&str, &[&str]); 11] = [
            ("objectClass", &["top"]),
            ("namingContexts", &contexts),
            ("defaultNamingContext", only_context),
            ("highestCommittedUSN", &last_change),
            ("subschemaSubentry", &[SUBSCHEMA]),
            ("supportedLDAPVersion", &["3"]),
            ("supportedControl", &controls),
            ("supportedExtension", &extensions),
            ("supportedFeatures", &[ALL_OPERATIONAL, ABSOLUTE_FILTERS]),
            ("vendorName", &["Landbridge"]),
            ("vendorVersion", &[self.version]),
        ];
        let attribute = |(name, values): (&str, &[&str])| {
            let values = values.iter().map(|value| value.as_bytes().to_vec()).collect();
            ReturnedAttribute { name: name.to_owned(), values }
        };
        rows.into_iter().filter(|(_, values)| !values.is_empty()).map(attribute).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::attribute;
    use super::*;

    fn values(dse: &RootDse<'_>, name: &str) -> Vec<String> {
        let values = dse.attributes().into_iter().filter(|one| one.name == name).flat_map(|one| one.values);
        values.map(|value| String::from_utf8_lossy(&value).into_owned()).collect()
    }

    #[test]
    fn one_naming_context_is_the_default_and_several_have_none() {
        let (one, two) = (["dc=a".to_owned()], ["dc=a".to_owned(), "dc=b".to_owned()]);
        let dse =
            |naming_contexts| RootDse { naming_contexts, last_change: None, start_tls: false, version: "1" };
        assert_eq!(values(&dse(&one), "defaultNamingContext"), ["dc=a"]);
        assert_eq!(values(&dse(&two), "namingContexts"), ["dc=a", "dc=b"]);
        assert!(values(&dse(&two), "defaultNamingContext").is_empty());
        assert!(dse(&[]).attributes().iter().all(|one| !one.values.is_empty()));
    }

    #[test]
    fn start_tls_is_listed_only_where_it_can_be_requested() {
        let mut dse = RootDse { naming_contexts: &[], last_change: None, start_tls: false, version: "1" };
        assert_eq!(values(&dse, "supportedExtension"), [WHO_AM_I, PASSWORD_MODIFY]);
        dse.start_tls = true;
        assert_eq!(values(&dse, "supportedExtension"), [WHO_AM_I, PASSWORD_MODIFY, START_TLS]);
    }

    #[test]
    fn every_attribute_is_in_the_table_in_its_spelling() {
        let dse = RootDse {
            naming_contexts: &["dc=a".to_owned()],
            last_change: Some(7),
            start_tls: true,
            version: "1",
        };
        for one in dse.attributes() {
            let found = attribute(&one.name);
            assert!(found.is_some_and(|found| found.name == one.name), "{}", one.name);
            assert!(found.is_some_and(|found| found.attribute.operational != (one.name == "objectClass")));
        }
    }
}
