//! The table of attribute types.
//!
//! OIDs: RFC 4512 and 4519 (2.5.*), RFC 4524 (0.9.2342.*), RFC 2798 (2.16.840.1.113730.*), RFC 2307 (1.3.6.1.1.1.*), RFC
//! 4530 and 5020 (1.3.6.1.1.*), RFC 3045 and 3112 (1.3.6.1.4.1.*), the password policy draft (1.3.6.1.4.1.42.*), and
//! Microsoft's schema for the names of AD alone (1.2.840.113556.*). Where a name stands in an RFC and in AD's schema, it
//! has the OID of the RFC.
//!
//! Three things differ from the RFCs, because the values come from AD. `mail` and `memberUid` are Directory Strings that
//! are compared without case: AD's are UTF-8, and AD compares account names without case. Texts and integers have a rule
//! for order, so that every client can sort by them, as in AD.
//! Neighbours: [`super::classes`] has the object classes.

use super::attribute_type::{AttributeType, ShortForm};
use super::rules::{Rule, Syntax};

/// A user attribute with many values; the functions below change that.
const fn row(
    names: &'static [&'static str],
    oid: &'static str,
    syntax: Syntax,
    equality: Option<Rule>,
    ordering: Option<Rule>,
    substrings: Option<Rule>,
) -> AttributeType {
    AttributeType {
        names,
        oid: Some(oid),
        syntax,
        equality,
        ordering,
        substrings,
        single: false,
        operational: false,
        short_form: ShortForm::None,
    }
}

const fn text(names: &'static [&'static str], oid: &'static str) -> AttributeType {
    let (equality, ordering) = (Some(Rule::CaseIgnore), Some(Rule::CaseIgnoreOrdering));
    row(names, oid, Syntax::DirectoryString, equality, ordering, Some(Rule::CaseIgnoreSubstrings))
}

const fn ia5(names: &'static [&'static str], oid: &'static str) -> AttributeType {
    let substrings = Some(Rule::CaseIgnoreIa5Substrings);
    row(names, oid, Syntax::Ia5String, Some(Rule::CaseIgnoreIa5), None, substrings)
}

const fn exact_ia5(names: &'static [&'static str], oid: &'static str) -> AttributeType {
    let substrings = Some(Rule::CaseExactIa5Substrings);
    row(names, oid, Syntax::Ia5String, Some(Rule::CaseExactIa5), None, substrings)
}

const fn telephone(names: &'static [&'static str], oid: &'static str) -> AttributeType {
    let substrings = Some(Rule::TelephoneNumberSubstrings);
    row(names, oid, Syntax::TelephoneNumber, Some(Rule::TelephoneNumber), None, substrings)
}

const fn postal(names: &'static [&'static str], oid: &'static str) -> AttributeType {
    let substrings = Some(Rule::CaseIgnoreListSubstrings);
    row(names, oid, Syntax::PostalAddress, Some(Rule::CaseIgnoreList), None, substrings)
}

const fn entry(names: &'static [&'static str], oid: &'static str) -> AttributeType {
    row(names, oid, Syntax::DistinguishedName, Some(Rule::DistinguishedName), None, None)
}

const fn integer(names: &'static [&'static str], oid: &'static str) -> AttributeType {
    let ordering = Some(Rule::IntegerOrdering);
    row(names, oid, Syntax::Integer, Some(Rule::Integer), ordering, None)
}

const fn time(names: &'static [&'static str], oid: &'static str) -> AttributeType {
    let ordering = Some(Rule::GeneralizedTimeOrdering);
    row(names, oid, Syntax::GeneralizedTime, Some(Rule::GeneralizedTime), ordering, None)
}

const fn octets(names: &'static [&'static str], oid: &'static str) -> AttributeType {
    let ordering = Some(Rule::OctetStringOrdering);
    row(names, oid, Syntax::OctetString, Some(Rule::OctetString), ordering, None)
}

const fn object_identifier(names: &'static [&'static str], oid: &'static str) -> AttributeType {
    row(names, oid, Syntax::Oid, Some(Rule::ObjectIdentifier), None, None)
}

const fn definition(names: &'static [&'static str], oid: &'static str, syntax: Syntax) -> AttributeType {
    row(names, oid, syntax, Some(Rule::ObjectIdentifierFirstComponent), None, None).operational()
}

impl AttributeType {
    /// AD has the attribute in its root DSE, and its schema has no OID for it.
    const fn without_oid(mut self) -> Self {
        self.oid = None;
        self
    }

    const fn short_form(mut self, form: ShortForm) -> Self {
        self.short_form = form;
        self
    }

    const fn single(mut self) -> Self {
        self.single = true;
        self
    }

    const fn operational(mut self) -> Self {
        self.operational = true;
        self
    }
}

/// All attribute types.
pub static ATTRIBUTES: &[AttributeType] = &[
    // Every entry.
    object_identifier(&["objectClass"], "2.5.4.0"),
    object_identifier(&["structuralObjectClass"], "2.5.21.9").single().operational(),
    entry(&["entryDN"], "1.3.6.1.1.20").single().operational(),
    row(&["entryUUID"], "1.3.6.1.1.16.4", Syntax::Uuid, Some(Rule::Uuid), Some(Rule::UuidOrdering), None)
        .single()
        .operational(),
    time(&["createTimestamp"], "2.5.18.1").single().operational(),
    time(&["modifyTimestamp"], "2.5.18.2").single().operational(),
    entry(&["subschemaSubentry"], "2.5.18.10").single().operational(),
    row(&["hasSubordinates"], "2.5.18.9", Syntax::Boolean, Some(Rule::Boolean), None, None)
        .single()
        .operational(),
    // Names.
    text(&["cn", "commonName"], "2.5.4.3"),
    text(&["name"], "2.5.4.41"),
    text(&["uid", "userid"], "0.9.2342.19200300.100.1.1"),
    text(&["ou", "organizationalUnitName"], "2.5.4.11"),
    text(&["o", "organizationName"], "2.5.4.10"),
    ia5(&["dc", "domainComponent"], "0.9.2342.19200300.100.1.25").single(),
    entry(&["distinguishedName"], "2.5.4.49"),
    text(&["description"], "2.5.4.13"),
    // A person.
    text(&["sn", "surname"], "2.5.4.4"),
    text(&["givenName", "gn"], "2.5.4.42"),
    text(&["initials"], "2.5.4.43"),
    text(&["displayName"], "2.16.840.1.113730.3.1.241").single(),
    text(&["title"], "2.5.4.12"),
    text(&["mail", "rfc822Mailbox"], "0.9.2342.19200300.100.1.3"),
    entry(&["manager"], "0.9.2342.19200300.100.1.10"),
    text(&["employeeNumber"], "2.16.840.1.113730.3.1.3").single(),
    text(&["employeeType"], "2.16.840.1.113730.3.1.4"),
    text(&["departmentNumber"], "2.16.840.1.113730.3.1.2"),
    text(&["preferredLanguage"], "2.16.840.1.113730.3.1.39").single(),
    row(&["jpegPhoto"], "0.9.2342.19200300.100.1.60", Syntax::Jpeg, None, None, None),
    // Where a person is.
    telephone(&["telephoneNumber"], "2.5.4.20"),
    telephone(&["homePhone", "homeTelephoneNumber"], "0.9.2342.19200300.100.1.20"),
    telephone(&["mobile", "mobileTelephoneNumber"], "0.9.2342.19200300.100.1.41"),
    telephone(&["pager", "pagerTelephoneNumber"], "0.9.2342.19200300.100.1.42"),
    row(&["facsimileTelephoneNumber"], "2.5.4.23", Syntax::FacsimileTelephoneNumber, None, None, None),
    text(&["street"], "2.5.4.9"),
    text(&["l", "localityName"], "2.5.4.7"),
    text(&["st", "stateOrProvinceName"], "2.5.4.8"),
    text(&["postalCode"], "2.5.4.17"),
    text(&["postOfficeBox"], "2.5.4.18"),
    postal(&["postalAddress"], "2.5.4.16"),
    text(&["physicalDeliveryOfficeName"], "2.5.4.19"),
    row(
        &["c", "countryName"],
        "2.5.4.6",
        Syntax::CountryString,
        Some(Rule::CaseIgnore),
        Some(Rule::CaseIgnoreOrdering),
        Some(Rule::CaseIgnoreSubstrings),
    )
    .single(),
    text(&["co", "friendlyCountryName"], "0.9.2342.19200300.100.1.43"),
    text(&["info"], "0.9.2342.19200300.100.1.4"),
    text(&["roomNumber"], "0.9.2342.19200300.100.1.6"),
    // Members.
    entry(&["member"], "2.5.4.31"),
    row(&["uniqueMember"], "2.5.4.50", Syntax::NameAndOptionalUid, Some(Rule::UniqueMember), None, None),
    entry(&["memberOf"], "1.2.840.113556.1.2.102"),
    entry(&["owner"], "2.5.4.32"),
    // POSIX.
    integer(&["uidNumber"], "1.3.6.1.1.1.1.0").single(),
    integer(&["gidNumber"], "1.3.6.1.1.1.1.1").single(),
    ia5(&["gecos"], "1.3.6.1.1.1.1.2").single(),
    // AD names RFC 2307's attribute so, and has another one of the name homeDirectory.
    exact_ia5(&["homeDirectory", "unixHomeDirectory"], "1.3.6.1.1.1.1.3").single(),
    exact_ia5(&["loginShell"], "1.3.6.1.1.1.1.4").single(),
    text(&["memberUid"], "1.3.6.1.1.1.1.12"),
    // AD.
    text(&["sAMAccountName"], "1.2.840.113556.1.4.221").single(),
    integer(&["sAMAccountType"], "1.2.840.113556.1.4.302").single(),
    text(&["userPrincipalName"], "1.2.840.113556.1.4.656").single(),
    integer(&["userAccountControl"], "1.2.840.113556.1.4.8").single(),
    octets(&["objectSid"], "1.2.840.113556.1.4.146").single().short_form(ShortForm::Sid),
    octets(&["objectGUID"], "1.2.840.113556.1.4.2").single().short_form(ShortForm::Guid),
    entry(&["objectCategory"], "1.2.840.113556.1.4.782").single().short_form(ShortForm::Category),
    integer(&["primaryGroupID"], "1.2.840.113556.1.4.98").single(),
    integer(&["groupType"], "1.2.840.113556.1.4.750").single(),
    integer(&["accountExpires"], "1.2.840.113556.1.4.159").single(),
    integer(&["pwdLastSet"], "1.2.840.113556.1.4.96").single(),
    time(&["whenCreated"], "1.2.840.113556.1.2.2").single(),
    time(&["whenChanged"], "1.2.840.113556.1.2.3").single(),
    integer(&["uSNChanged"], "1.2.840.113556.1.2.120").single(),
    text(&["employeeID"], "1.2.840.113556.1.4.35").single(),
    text(&["department"], "1.2.840.113556.1.2.141").single(),
    text(&["company"], "1.2.840.113556.1.2.146").single(),
    text(&["streetAddress"], "1.2.840.113556.1.2.256").single(),
    text(&["wWWHomePage"], "1.2.840.113556.1.2.464").single(),
    text(&["proxyAddresses"], "1.2.840.113556.1.2.210"),
    octets(&["thumbnailPhoto"], "2.16.840.1.113730.3.1.35").single(),
    text(&["extensionAttribute1"], "1.2.840.113556.1.2.423").single(),
    text(&["extensionAttribute2"], "1.2.840.113556.1.2.424").single(),
    text(&["extensionAttribute3"], "1.2.840.113556.1.2.425").single(),
    text(&["extensionAttribute4"], "1.2.840.113556.1.2.426").single(),
    text(&["extensionAttribute5"], "1.2.840.113556.1.2.427").single(),
    text(&["extensionAttribute6"], "1.2.840.113556.1.2.428").single(),
    text(&["extensionAttribute7"], "1.2.840.113556.1.2.429").single(),
    text(&["extensionAttribute8"], "1.2.840.113556.1.2.430").single(),
    text(&["extensionAttribute9"], "1.2.840.113556.1.2.431").single(),
    text(&["extensionAttribute10"], "1.2.840.113556.1.2.432").single(),
    text(&["extensionAttribute11"], "1.2.840.113556.1.2.599").single(),
    text(&["extensionAttribute12"], "1.2.840.113556.1.2.600").single(),
    text(&["extensionAttribute13"], "1.2.840.113556.1.2.601").single(),
    text(&["extensionAttribute14"], "1.2.840.113556.1.2.602").single(),
    text(&["extensionAttribute15"], "1.2.840.113556.1.2.603").single(),
    // The password policy draft.
    time(&["pwdChangedTime"], "1.3.6.1.4.1.42.2.27.8.1.16").single().operational(),
    // The root DSE (RFC 4512 5.1, RFC 3045).
    entry(&["namingContexts"], "1.3.6.1.4.1.1466.101.120.5").operational(),
    entry(&["defaultNamingContext"], "").without_oid().single().operational(),
    integer(&["highestCommittedUSN"], "").without_oid().single().operational(),
    object_identifier(&["supportedControl"], "1.3.6.1.4.1.1466.101.120.13").operational(),
    object_identifier(&["supportedExtension"], "1.3.6.1.4.1.1466.101.120.7").operational(),
    object_identifier(&["supportedFeatures"], "1.3.6.1.4.1.4203.1.3.5").operational(),
    integer(&["supportedLDAPVersion"], "1.3.6.1.4.1.1466.101.120.15").operational(),
    text(&["vendorName"], "1.3.6.1.1.4").single().operational(),
    text(&["vendorVersion"], "1.3.6.1.1.5").single().operational(),
    // The subschema (RFC 4512 4.2, RFC 3672).
    definition(&["attributeTypes"], "2.5.21.5", Syntax::AttributeTypeDescription),
    definition(&["objectClasses"], "2.5.21.6", Syntax::ObjectClassDescription),
    definition(&["matchingRules"], "2.5.21.4", Syntax::MatchingRuleDescription),
    definition(&["matchingRuleUse"], "2.5.21.8", Syntax::MatchingRuleUseDescription),
    definition(&["ldapSyntaxes"], "1.3.6.1.4.1.1466.101.120.16", Syntax::LdapSyntaxDescription),
    row(&["subtreeSpecification"], "2.5.18.6", Syntax::SubtreeSpecification, None, None, None)
        .single()
        .operational(),
];
