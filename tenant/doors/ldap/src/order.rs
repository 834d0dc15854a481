//! The order that a client wants (RFC 2891): its keys, and the bytes by which entries are sorted.
//! Neighbours: [`super::controls`] has the request for it, [`super::search`] sorts.

use super::controls::{Sort, SortKey, SortResult};
use super::cookie::MAX_KEY;
use super::entry::Shown;
use super::filter::IN_CHAIN;
use super::matching::{Normal, normal};
use super::schema::attribute;
use super::schema::attribute_type::AttributeType;
use super::schema::rules::Rule;

/// A key of the order that the client wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OrderKey {
    pub(crate) attribute: &'static AttributeType,
    pub(crate) rule: Rule,
    pub(crate) reverse: bool,
}

/// The order that a client wants. The error says what is wrong with it.
pub(crate) fn order(sort: &Sort) -> Result<Vec<OrderKey>, SortResult> {
    let key = |key: &SortKey| {
        let found = attribute(&key.attribute).ok_or(SortResult::NoSuchAttribute)?;
        let own = found.attribute.ordering.ok_or(SortResult::InappropriateMatching)?;
        let rule = match key.rule.as_deref() {
            None => own,
            Some(IN_CHAIN) => return Err(SortResult::InappropriateMatching),
            Some(named) => {
                Rule::find(named).filter(|rule| *rule == own).ok_or(SortResult::InappropriateMatching)?
            }
        };
        Ok(OrderKey { attribute: found.attribute, rule, reverse: key.reverse })
    };
    sort.keys.iter().map(key).collect()
}

/// The key by which an entry is sorted: bytes that compare as the values do by their rules. An entry without a value comes
/// last (RFC 2891 2.2), in the reverse order first.
pub(crate) fn order_key(shown: &Shown<'_>, order: &[OrderKey]) -> Vec<u8> {
    let mut key = Vec::new();
    for OrderKey { attribute, rule, reverse } in order {
        let mut least: Option<Normal> = None;
        shown.each_value(attribute, &mut |value| {
            let value = normal(attribute, *rule, value);
            if value.is_some() && (least.is_none() || value < least) {
                least = value;
            }
        });
        let mut part = match least {
            None => vec![0xff],
            Some(Normal::Text(text)) => [&[1], text.as_bytes(), &[0]].concat(),
            Some(Normal::Octets(octets)) => [&[1], &octets[..]].concat(),
            Some(Normal::Boolean(value)) => vec![1, u8::from(value)],
            // The sign bit turned, the order of bytes is that of the numbers.
            Some(Normal::Integer(number) | Normal::Time(number)) => {
                [&[1][..], &number.wrapping_sub(i128::MIN).to_be_bytes()].concat()
            }
        };
        if *reverse {
            part.iter_mut().for_each(|byte| *byte = !*byte);
        }
        key.extend(part);
    }
    key.truncate(MAX_KEY);
    key
}
