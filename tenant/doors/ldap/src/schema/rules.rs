//! Syntaxes and matching rules by their registered OIDs (RFC 4517, RFC 4530; one rule is of OpenLDAP).
//! Neighbours: [`super::attributes`] names them for each attribute, `matching` applies them.

/// What the values of an attribute are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the syntaxes by their names in RFC 4517")]
pub enum Syntax {
    AttributeTypeDescription,
    Boolean,
    CountryString,
    DistinguishedName,
    DirectoryString,
    FacsimileTelephoneNumber,
    GeneralizedTime,
    Ia5String,
    Integer,
    Jpeg,
    MatchingRuleDescription,
    MatchingRuleUseDescription,
    NameAndOptionalUid,
    ObjectClassDescription,
    Oid,
    OctetString,
    PostalAddress,
    TelephoneNumber,
    LdapSyntaxDescription,
    SubstringAssertion,
    SubtreeSpecification,
    Uuid,
}

impl Syntax {
    /// All syntaxes.
    pub const ALL: [Self; 22] = [
        Self::AttributeTypeDescription,
        Self::Boolean,
        Self::CountryString,
        Self::DistinguishedName,
        Self::DirectoryString,
        Self::FacsimileTelephoneNumber,
        Self::GeneralizedTime,
        Self::Ia5String,
        Self::Integer,
        Self::Jpeg,
        Self::MatchingRuleDescription,
        Self::MatchingRuleUseDescription,
        Self::NameAndOptionalUid,
        Self::ObjectClassDescription,
        Self::Oid,
        Self::OctetString,
        Self::PostalAddress,
        Self::TelephoneNumber,
        Self::LdapSyntaxDescription,
        Self::SubstringAssertion,
        Self::SubtreeSpecification,
        Self::Uuid,
    ];

    /// The OID and the description of the registry.
    pub const fn registered(self) -> (&'static str, &'static str) {
        match self {
            Self::AttributeTypeDescription => ("1.3.6.1.4.1.1466.115.121.1.3", "Attribute Type Description"),
            Self::Boolean => ("1.3.6.1.4.1.1466.115.121.1.7", "Boolean"),
            Self::CountryString => ("1.3.6.1.4.1.1466.115.121.1.11", "Country String"),
            Self::DistinguishedName => ("1.3.6.1.4.1.1466.115.121.1.12", "DN"),
            Self::DirectoryString => ("1.3.6.1.4.1.1466.115.121.1.15", "Directory String"),
            Self::FacsimileTelephoneNumber => ("1.3.6.1.4.1.1466.115.121.1.22", "Facsimile Telephone Number"),
            Self::GeneralizedTime => ("1.3.6.1.4.1.1466.115.121.1.24", "Generalized Time"),
            Self::Ia5String => ("1.3.6.1.4.1.1466.115.121.1.26", "IA5 String"),
            Self::Integer => ("1.3.6.1.4.1.1466.115.121.1.27", "INTEGER"),
            Self::Jpeg => ("1.3.6.1.4.1.1466.115.121.1.28", "JPEG"),
            Self::MatchingRuleDescription => ("1.3.6.1.4.1.1466.115.121.1.30", "Matching Rule Description"),
            Self::MatchingRuleUseDescription => {
                ("1.3.6.1.4.1.1466.115.121.1.31", "Matching Rule Use Description")
            }
            Self::NameAndOptionalUid => ("1.3.6.1.4.1.1466.115.121.1.34", "Name And Optional UID"),
            Self::ObjectClassDescription => ("1.3.6.1.4.1.1466.115.121.1.37", "Object Class Description"),
            Self::Oid => ("1.3.6.1.4.1.1466.115.121.1.38", "OID"),
            Self::OctetString => ("1.3.6.1.4.1.1466.115.121.1.40", "Octet String"),
            Self::PostalAddress => ("1.3.6.1.4.1.1466.115.121.1.41", "Postal Address"),
            Self::TelephoneNumber => ("1.3.6.1.4.1.1466.115.121.1.50", "Telephone Number"),
            Self::LdapSyntaxDescription => ("1.3.6.1.4.1.1466.115.121.1.54", "LDAP Syntax Description"),
            Self::SubstringAssertion => ("1.3.6.1.4.1.1466.115.121.1.58", "Substring Assertion"),
            Self::SubtreeSpecification => ("1.3.6.1.4.1.1466.115.121.1.45", "SubtreeSpecification"),
            Self::Uuid => ("1.3.6.1.1.16.1", "UUID"),
        }
    }
}

/// How two values are compared. The variants are the rules by their registered names, without `Match` at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the rules by their names in RFC 4517")]
pub enum Rule {
    ObjectIdentifier,
    DistinguishedName,
    CaseIgnore,
    CaseIgnoreOrdering,
    CaseIgnoreSubstrings,
    CaseExact,
    CaseExactOrdering,
    CaseExactSubstrings,
    CaseIgnoreList,
    CaseIgnoreListSubstrings,
    Boolean,
    Integer,
    IntegerOrdering,
    OctetString,
    OctetStringOrdering,
    TelephoneNumber,
    TelephoneNumberSubstrings,
    UniqueMember,
    GeneralizedTime,
    GeneralizedTimeOrdering,
    ObjectIdentifierFirstComponent,
    CaseExactIa5,
    CaseExactIa5Substrings,
    CaseIgnoreIa5,
    CaseIgnoreIa5Substrings,
    Uuid,
    UuidOrdering,
}

/// A rule in the registry.
#[derive(Debug, Clone, Copy)]
pub struct Registered {
    /// The rule.
    pub rule: Rule,
    /// The OID.
    pub oid: &'static str,
    /// The name.
    pub name: &'static str,
    /// The syntax of what a filter states.
    pub syntax: Syntax,
}

/// All rules in the order of [`Rule`].
pub const RULES: [Registered; 27] = {
    use Rule as R;
    use Syntax as S;
    const fn row(rule: Rule, oid: &'static str, name: &'static str, syntax: Syntax) -> Registered {
        Registered { rule, oid, name, syntax }
    }
    [
        row(R::ObjectIdentifier, "2.5.13.0", "objectIdentifierMatch", S::Oid),
        row(R::DistinguishedName, "2.5.13.1", "distinguishedNameMatch", S::DistinguishedName),
        row(R::CaseIgnore, "2.5.13.2", "caseIgnoreMatch", S::DirectoryString),
        row(R::CaseIgnoreOrdering, "2.5.13.3", "caseIgnoreOrderingMatch", S::DirectoryString),
        row(R::CaseIgnoreSubstrings, "2.5.13.4", "caseIgnoreSubstringsMatch", S::SubstringAssertion),
        row(R::CaseExact, "2.5.13.5", "caseExactMatch", S::DirectoryString),
        row(R::CaseExactOrdering, "2.5.13.6", "caseExactOrderingMatch", S::DirectoryString),
        row(R::CaseExactSubstrings, "2.5.13.7", "caseExactSubstringsMatch", S::SubstringAssertion),
        row(R::CaseIgnoreList, "2.5.13.11", "caseIgnoreListMatch", S::PostalAddress),
        row(R::CaseIgnoreListSubstrings, "2.5.13.12", "caseIgnoreListSubstringsMatch", S::SubstringAssertion),
        row(R::Boolean, "2.5.13.13", "booleanMatch", S::Boolean),
        row(R::Integer, "2.5.13.14", "integerMatch", S::Integer),
        row(R::IntegerOrdering, "2.5.13.15", "integerOrderingMatch", S::Integer),
        row(R::OctetString, "2.5.13.17", "octetStringMatch", S::OctetString),
        row(R::OctetStringOrdering, "2.5.13.18", "octetStringOrderingMatch", S::OctetString),
        row(R::TelephoneNumber, "2.5.13.20", "telephoneNumberMatch", S::TelephoneNumber),
        row(
            R::TelephoneNumberSubstrings,
            "2.5.13.21",
            "telephoneNumberSubstringsMatch",
            S::SubstringAssertion,
        ),
        row(R::UniqueMember, "2.5.13.23", "uniqueMemberMatch", S::NameAndOptionalUid),
        row(R::GeneralizedTime, "2.5.13.27", "generalizedTimeMatch", S::GeneralizedTime),
        row(R::GeneralizedTimeOrdering, "2.5.13.28", "generalizedTimeOrderingMatch", S::GeneralizedTime),
        row(R::ObjectIdentifierFirstComponent, "2.5.13.30", "objectIdentifierFirstComponentMatch", S::Oid),
        row(R::CaseExactIa5, "1.3.6.1.4.1.1466.109.114.1", "caseExactIA5Match", S::Ia5String),
        row(
            R::CaseExactIa5Substrings,
            "1.3.6.1.4.1.4203.1.2.1",
            "caseExactIA5SubstringsMatch",
            S::SubstringAssertion,
        ),
        row(R::CaseIgnoreIa5, "1.3.6.1.4.1.1466.109.114.2", "caseIgnoreIA5Match", S::Ia5String),
        row(
            R::CaseIgnoreIa5Substrings,
            "1.3.6.1.4.1.1466.109.114.3",
            "caseIgnoreIA5SubstringsMatch",
            S::SubstringAssertion,
        ),
        row(R::Uuid, "1.3.6.1.1.16.2", "UUIDMatch", S::Uuid),
        row(R::UuidOrdering, "1.3.6.1.1.16.3", "UUIDOrderingMatch", S::Uuid),
    ]
};

impl Rule {
    /// The rule with this name (in any case) or OID.
    pub fn find(named: &str) -> Option<Self> {
        let found = RULES.iter().find(|row| row.name.eq_ignore_ascii_case(named) || row.oid == named);
        found.map(|row| row.rule)
    }

    /// The name in the registry.
    pub fn name(self) -> &'static str {
        RULES.iter().find(|row| row.rule == self).map_or("", |row| row.name)
    }
}
