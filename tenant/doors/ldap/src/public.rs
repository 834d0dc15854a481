//! What everybody may ask, signed in or not: the root DSE and the subschema.
//! Neighbours: [`super::root_dse`] and [`super::subschema`] have the values.

use super::bind::Session;
use super::door::LdapDoor;
use super::message::{Scope, Search};
use super::response::{self, Operation, Outcome, ResultCode, ReturnedAttribute, answer};
use super::root_dse::{RootDse, SUBSCHEMA};
use super::schema::classes::View;
use super::schema::{Selection, attribute};
use super::subschema::Subschema;
use super::tree::{Tree, no_photo};
use landbridge_wire::distinguished_name::DistinguishedName;

/// Whether a search is for the root DSE or the subschema, which everybody may read.
pub(crate) fn is_public(search: &Search) -> bool {
    search.scope == Scope::Base && (search.base.is_empty() || search.base.eq_ignore_ascii_case(SUBSCHEMA))
}

/// The whole answer to a search for the root DSE or the subschema.
pub(crate) async fn public(
    door: &LdapDoor,
    session: &Session,
    id: u32,
    search: &Search,
    start_tls: bool,
) -> Vec<u8> {
    door.count(Operation::Search, ResultCode::Success);
    // 1. The attributes. Without a readable directory there are no naming contexts.
    let _ = door.follow().await;
    let (contexts, view, last_change) = door
        .directory
        .image(|image| {
            let Some(app) = session.application(image) else { return (Vec::new(), View::Rfc2307Bis, None) };
            let seen = image.seen_by(&app);
            let heads = Tree::new(image, &app, &seen, &no_photo).heads;
            let last_change = session.reader(image).is_ok().then(|| image.last_change());
            let contexts = heads.into_iter().map(|head| head.text).collect();
            (contexts, super::entry::view(app.access.view), last_change)
        })
        .unwrap_or((Vec::new(), View::Rfc2307Bis, None));
    let (name, attributes) = if search.base.is_empty() {
        let dse = RootDse {
            naming_contexts: &contexts,
            last_change,
            start_tls,
            version: env!("CARGO_PKG_VERSION"),
        };
        ("", dse.attributes())
    } else {
        (SUBSCHEMA, subschema(view))
    };
    // 2. Those that were requested, if the filter fits.
    let selection = Selection::of(&search.attributes);
    let wanted = |one: &ReturnedAttribute| {
        let Some(found) = attribute(&one.name) else { return false };
        selection.named.iter().any(|named| named.attribute == found.attribute)
            || if found.attribute.operational { selection.all_operational } else { selection.all_user }
    };
    let fits = search.filter.evaluate(&Fixed(&attributes)) == super::filter::Truth::True;
    let mut returned: Vec<ReturnedAttribute> = attributes.into_iter().filter(wanted).collect();
    if search.types_only {
        returned.iter_mut().for_each(|one| one.values.clear());
    }
    let mut bytes = Vec::new();
    if fits {
        bytes.extend(response::entry(id, name, returned).unwrap_or_default());
    }
    let success = Outcome::new(ResultCode::Success, "");
    bytes.extend(answer(id, Operation::Search, &success, &[]).unwrap_or_default());
    bytes
}

/// An entry that is made up here as a filter sees it.
struct Fixed<'a>(&'a [ReturnedAttribute]);

impl super::filter::Entry for Fixed<'_> {
    fn any_value(
        &self,
        wanted: &'static super::schema::attribute_type::AttributeType,
        test: &mut dyn FnMut(&[u8]) -> bool,
    ) -> bool {
        let named =
            |one: &&ReturnedAttribute| attribute(&one.name).is_some_and(|found| found.attribute == wanted);
        self.0.iter().filter(named).flat_map(|one| &one.values).any(|value| test(value))
    }

    fn in_chain(
        &self,
        _: &'static super::schema::attribute_type::AttributeType,
        _: &DistinguishedName,
    ) -> bool {
        false
    }
}

/// The attributes of the subschema entry.
fn subschema(view: View) -> Vec<ReturnedAttribute> {
    let Subschema { attribute_types, object_classes, ldap_syntaxes, matching_rules, matching_rule_use } =
        Subschema::of(view);
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let rows = [
        ("objectClass", texts(&["top", "subentry", "subschema"])),
        ("cn", texts(&["subschema"])),
        ("subtreeSpecification", texts(&["{}"])),
        ("attributeTypes", attribute_types),
        ("objectClasses", object_classes),
        ("ldapSyntaxes", ldap_syntaxes),
        ("matchingRules", matching_rules),
        ("matchingRuleUse", matching_rule_use),
    ];
    let row = |(name, values): (&str, Vec<String>)| ReturnedAttribute {
        name: name.to_owned(),
        values: values.into_iter().map(String::into_bytes).collect(),
    };
    rows.into_iter().map(row).collect()
}
