//! The object classes of each view, and what their entries have.
//!
//! OIDs: RFC 4512, 4519, 4524, 2798 and 2307, and Microsoft's schema. Of the attributes that a class may have, those that
//! this server never has are left out. A group may be empty, so `member` is no attribute that a group must have.
//! Neighbours: [`super::attributes`] has the attributes; `subschema` publishes both.

/// How people and groups look to an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum View {
    /// inetOrgPerson with the POSIX classes of RFC 2307bis: groups are groupOfNames, and posixGroup beside it.
    Rfc2307Bis,
    /// inetOrgPerson with RFC 2307: groups are posixGroup with memberUid.
    Rfc2307,
    /// Names and classes of Active Directory.
    ActiveDirectory,
}

/// The kind of a class (RFC 4512 2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Other classes are derived from it, and no entry has it alone.
    Abstract,
    /// An entry has one of them, with its superclasses.
    Structural,
    /// An entry has it in addition.
    Auxiliary,
}

/// An object class.
#[derive(Debug, Clone, Copy)]
pub struct Class {
    /// The name.
    pub name: &'static str,
    /// The registered OID.
    pub oid: &'static str,
    /// The superclass. None: `top` alone has none.
    pub superclass: Option<&'static str>,
    /// The kind, but for `posixGroup` in RFC 2307: see [`Class::kind_in`].
    pub kind: Kind,
    /// The attributes that an entry must have.
    pub must: &'static [&'static str],
    /// The attributes that it may have.
    pub may: &'static [&'static str],
    /// The views in which the class occurs.
    pub views: &'static [View],
}

impl Class {
    /// The kind of the class in a view: `posixGroup` is structural in RFC 2307, where groups have no other class.
    pub fn kind_in(&self, view: View) -> Kind {
        if self.name == "posixGroup" && view == View::Rfc2307 { Kind::Structural } else { self.kind }
    }
}

/// The classes of a view.
pub fn classes(view: View) -> impl Iterator<Item = &'static Class> {
    CLASSES.iter().filter(move |class| class.views.contains(&view))
}

/// The class with this name (in any case) or OID, in whatever view it occurs.
pub fn class(named: &str) -> Option<&'static Class> {
    CLASSES.iter().find(|class| class.name.eq_ignore_ascii_case(named) || class.oid == named)
}

const EVERYWHERE: &[View] = &[View::Rfc2307Bis, View::Rfc2307, View::ActiveDirectory];
const WITHOUT_AD: &[View] = &[View::Rfc2307Bis, View::Rfc2307];
const AD: &[View] = &[View::ActiveDirectory];

/// What `organizationalPerson`, `organizationalUnit` and others may have of addresses.
const PERSON: &[&str] = &["telephoneNumber", "description"];
const ADDRESS: &[&str] = &[
    "telephoneNumber",
    "facsimileTelephoneNumber",
    "street",
    "postOfficeBox",
    "postalCode",
    "postalAddress",
    "physicalDeliveryOfficeName",
    "st",
    "l",
    "description",
];

/// What AD adds to people: the names of its own classes are `organizationalPerson`, `mailRecipient` and `user`.
const AD_PERSON: &[&str] = &[
    "name",
    "distinguishedName",
    "objectGUID",
    "objectSid",
    "objectCategory",
    "whenCreated",
    "whenChanged",
    "uSNChanged",
    "sAMAccountName",
    "sAMAccountType",
    "userPrincipalName",
    "userAccountControl",
    "primaryGroupID",
    "accountExpires",
    "pwdLastSet",
    "memberOf",
    "displayName",
    "givenName",
    "initials",
    "mail",
    "proxyAddresses",
    "manager",
    "department",
    "company",
    "employeeID",
    "employeeNumber",
    "employeeType",
    "preferredLanguage",
    "wWWHomePage",
    "info",
    "c",
    "co",
    "streetAddress",
    "homePhone",
    "mobile",
    "pager",
    "uid",
    "uidNumber",
    "gidNumber",
    "gecos",
    "unixHomeDirectory",
    "loginShell",
    "jpegPhoto",
    "thumbnailPhoto",
    "extensionAttribute1",
    "extensionAttribute2",
    "extensionAttribute3",
    "extensionAttribute4",
    "extensionAttribute5",
    "extensionAttribute6",
    "extensionAttribute7",
    "extensionAttribute8",
    "extensionAttribute9",
    "extensionAttribute10",
    "extensionAttribute11",
    "extensionAttribute12",
    "extensionAttribute13",
    "extensionAttribute14",
    "extensionAttribute15",
];

/// All classes of all views.
pub static CLASSES: &[Class] = &[
    Class {
        name: "top",
        oid: "2.5.6.0",
        superclass: None,
        kind: Kind::Abstract,
        must: &["objectClass"],
        may: &[],
        views: EVERYWHERE,
    },
    Class {
        name: "subentry",
        oid: "2.5.17.0",
        superclass: Some("top"),
        kind: Kind::Structural,
        must: &["cn", "subtreeSpecification"],
        may: &[],
        views: EVERYWHERE,
    },
    Class {
        name: "subschema",
        oid: "2.5.20.1",
        superclass: None,
        kind: Kind::Auxiliary,
        must: &[],
        may: &["attributeTypes", "objectClasses", "matchingRules", "matchingRuleUse"],
        views: EVERYWHERE,
    },
    Class {
        name: "domain",
        oid: "0.9.2342.19200300.100.4.13",
        superclass: Some("top"),
        kind: Kind::Structural,
        must: &["dc"],
        may: &["o", "description"],
        views: WITHOUT_AD,
    },
    Class {
        name: "dcObject",
        oid: "1.3.6.1.4.1.1466.344",
        superclass: Some("top"),
        kind: Kind::Auxiliary,
        must: &["dc"],
        may: &[],
        views: WITHOUT_AD,
    },
    Class {
        name: "domainDNS",
        oid: "1.2.840.113556.1.5.67",
        superclass: Some("top"),
        kind: Kind::Structural,
        must: &["dc"],
        may: &["name", "distinguishedName", "objectGUID", "objectSid", "objectCategory", "whenCreated"],
        views: AD,
    },
    Class {
        name: "organizationalUnit",
        oid: "2.5.6.5",
        superclass: Some("top"),
        kind: Kind::Structural,
        must: &["ou"],
        may: ADDRESS,
        views: EVERYWHERE,
    },
    Class {
        name: "container",
        oid: "1.2.840.113556.1.3.23",
        superclass: Some("top"),
        kind: Kind::Structural,
        must: &["cn"],
        may: &["name", "distinguishedName", "objectGUID", "objectCategory", "whenCreated"],
        views: EVERYWHERE,
    },
    Class {
        name: "person",
        oid: "2.5.6.6",
        superclass: Some("top"),
        kind: Kind::Structural,
        must: &["sn", "cn"],
        may: PERSON,
        views: WITHOUT_AD,
    },
    // In AD a person needs no surname.
    Class {
        name: "person",
        oid: "2.5.6.6",
        superclass: Some("top"),
        kind: Kind::Structural,
        must: &["cn"],
        may: &["sn", "telephoneNumber", "description"],
        views: AD,
    },
    Class {
        name: "organizationalPerson",
        oid: "2.5.6.7",
        superclass: Some("person"),
        kind: Kind::Structural,
        must: &[],
        may: &[
            "title",
            "ou",
            "telephoneNumber",
            "facsimileTelephoneNumber",
            "street",
            "postOfficeBox",
            "postalCode",
            "postalAddress",
            "physicalDeliveryOfficeName",
            "st",
            "l",
        ],
        views: EVERYWHERE,
    },
    Class {
        name: "inetOrgPerson",
        oid: "2.16.840.1.113730.3.2.2",
        superclass: Some("organizationalPerson"),
        kind: Kind::Structural,
        must: &[],
        may: &[
            "uid",
            "displayName",
            "givenName",
            "initials",
            "mail",
            "manager",
            "employeeNumber",
            "employeeType",
            "departmentNumber",
            "roomNumber",
            "homePhone",
            "mobile",
            "pager",
            "o",
            "preferredLanguage",
            "jpegPhoto",
        ],
        views: WITHOUT_AD,
    },
    Class {
        name: "posixAccount",
        oid: "1.3.6.1.1.1.2.0",
        superclass: Some("top"),
        kind: Kind::Auxiliary,
        must: &["cn", "uid", "uidNumber", "gidNumber", "homeDirectory"],
        may: &["loginShell", "gecos", "description"],
        views: EVERYWHERE,
    },
    Class {
        name: "posixGroup",
        oid: "1.3.6.1.1.1.2.2",
        superclass: Some("top"),
        kind: Kind::Auxiliary,
        must: &["gidNumber"],
        may: &["cn", "memberUid", "description"],
        views: EVERYWHERE,
    },
    Class {
        name: "groupOfNames",
        oid: "2.5.6.9",
        superclass: Some("top"),
        kind: Kind::Structural,
        must: &["cn"],
        may: &["member", "owner", "ou", "o", "description"],
        views: WITHOUT_AD,
    },
    Class {
        name: "groupOfUniqueNames",
        oid: "2.5.6.17",
        superclass: Some("top"),
        kind: Kind::Structural,
        must: &["cn"],
        may: &["uniqueMember", "owner", "ou", "o", "description"],
        views: WITHOUT_AD,
    },
    Class {
        name: "user",
        oid: "1.2.840.113556.1.5.9",
        superclass: Some("organizationalPerson"),
        kind: Kind::Structural,
        must: &[],
        may: AD_PERSON,
        views: AD,
    },
    Class {
        name: "contact",
        oid: "1.2.840.113556.1.5.15",
        superclass: Some("organizationalPerson"),
        kind: Kind::Structural,
        must: &["cn"],
        may: AD_PERSON,
        views: AD,
    },
    Class {
        name: "group",
        oid: "1.2.840.113556.1.5.8",
        superclass: Some("top"),
        kind: Kind::Structural,
        must: &["groupType"],
        may: &[
            "cn",
            "name",
            "distinguishedName",
            "objectGUID",
            "objectSid",
            "objectCategory",
            "whenCreated",
            "whenChanged",
            "uSNChanged",
            "sAMAccountName",
            "sAMAccountType",
            "member",
            "memberOf",
            "memberUid",
            "gidNumber",
            "mail",
            "displayName",
            "description",
            "info",
        ],
        views: AD,
    },
    // No entry has it. Clients of AD often search for everything but computers.
    Class {
        name: "computer",
        oid: "1.2.840.113556.1.3.30",
        superclass: Some("user"),
        kind: Kind::Structural,
        must: &[],
        may: &[],
        views: AD,
    },
];
