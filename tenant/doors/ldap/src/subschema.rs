//! The values of the subschema entry (RFC 4512 4.2), generated from the tables in [`super::schema`] in the grammar of RFC
//! 4512 4.1. LDAP browsers and some libraries read them before anything else.
//!
//! An attribute without a registered OID is left out.

use super::schema::attribute_type::AttributeType;
use super::schema::attributes::ATTRIBUTES;
use super::schema::classes::{Class, Kind, View, classes};
use super::schema::rules::{RULES, Rule, Syntax};

/// The definitions of one view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subschema {
    /// `attributeTypes`
    pub attribute_types: Vec<String>,
    /// `objectClasses`
    pub object_classes: Vec<String>,
    /// `ldapSyntaxes`
    pub ldap_syntaxes: Vec<String>,
    /// `matchingRules`
    pub matching_rules: Vec<String>,
    /// `matchingRuleUse`
    pub matching_rule_use: Vec<String>,
}

/// Rules that serve every integer in an extensible match, by AD's OIDs: all bits, and any bit.
const BIT_RULES: [&str; 2] = [super::filter::BIT_AND, super::filter::BIT_OR];

impl Subschema {
    /// Generates the definitions for a view.
    pub fn of(view: View) -> Self {
        let published = || ATTRIBUTES.iter().filter_map(|one| one.oid.map(|oid| (oid, one)));
        let rule_use = RULES.iter().filter_map(|row| {
            let names: Vec<&str> = published()
                .filter(|(_, attribute)| rules_of(attribute).contains(&Some(row.rule)))
                .map(|(_, attribute)| attribute.name())
                .collect();
            let applies = list(&names);
            (!names.is_empty()).then(|| format!("( {} NAME '{}' APPLIES {applies} )", row.oid, row.name))
        });
        let integers: Vec<&str> = published()
            .filter(|(_, attribute)| attribute.syntax == Syntax::Integer)
            .map(|(_, attribute)| attribute.name())
            .collect();
        let bit_rule_use = BIT_RULES.map(|oid| format!("( {oid} APPLIES {} )", list(&integers)));
        let rules = RULES
            .iter()
            .map(|row| format!("( {} NAME '{}' SYNTAX {} )", row.oid, row.name, row.syntax.registered().0));
        let bit_rules = BIT_RULES.map(|oid| format!("( {oid} SYNTAX {} )", Syntax::Integer.registered().0));
        Self {
            attribute_types: published().map(|(oid, attribute)| attribute_type(oid, attribute)).collect(),
            object_classes: classes(view).map(|class| object_class(class, view)).collect(),
            ldap_syntaxes: Syntax::ALL
                .iter()
                .map(|syntax| syntax.registered())
                .map(|(oid, name)| format!("( {oid} DESC '{name}' )"))
                .collect(),
            matching_rules: rules.chain(bit_rules).collect(),
            matching_rule_use: rule_use.chain(bit_rule_use).collect(),
        }
    }
}

fn rules_of(attribute: &AttributeType) -> [Option<Rule>; 3] {
    [attribute.equality, attribute.ordering, attribute.substrings]
}

fn attribute_type(oid: &str, attribute: &AttributeType) -> String {
    let mut text = format!("( {oid} NAME {}", quoted(attribute.names));
    for (keyword, rule) in ["EQUALITY", "ORDERING", "SUBSTR"].into_iter().zip(rules_of(attribute)) {
        if let Some(rule) = rule {
            text += &format!(" {keyword} {}", rule.name());
        }
    }
    text += &format!(" SYNTAX {}", attribute.syntax.registered().0);
    if attribute.single {
        text += " SINGLE-VALUE";
    }
    // RFC 4512 allows NO-USER-MODIFICATION for operational attributes alone.
    if attribute.operational {
        text += " NO-USER-MODIFICATION USAGE directoryOperation";
    }
    text + " )"
}

fn object_class(class: &Class, view: View) -> String {
    let mut text = format!("( {} NAME '{}'", class.oid, class.name);
    if let Some(superclass) = class.superclass {
        text += &format!(" SUP {superclass}");
    }
    text += match class.kind_in(view) {
        Kind::Abstract => " ABSTRACT",
        Kind::Structural => " STRUCTURAL",
        Kind::Auxiliary => " AUXILIARY",
    };
    for (keyword, names) in [("MUST", class.must), ("MAY", class.may)] {
        if !names.is_empty() {
            text += &format!(" {keyword} {}", list(names));
        }
    }
    text + " )"
}

/// `oids` of RFC 4512: one name, or several in parentheses.
fn list(names: &[&str]) -> String {
    match names {
        [one] => (*one).to_owned(),
        several => format!("( {} )", several.join(" $ ")),
    }
}

/// `qdescrs` of RFC 4512: one name in quotation marks, or several in parentheses.
fn quoted(names: &[&str]) -> String {
    match names {
        [one] => format!("'{one}'"),
        several => format!("( '{}' )", several.join("' '")),
    }
}

#[cfg(test)]
mod tests;
