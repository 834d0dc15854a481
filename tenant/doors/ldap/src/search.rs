//! Searches and comparisons: what is found, in which order, and as which bytes.
//!
//! A search runs in steps. Each step holds the directory in memory for a bounded number of entries and leaves the bytes of
//! those that were found, so a slow client delays no change of the directory, and a search of any size needs little memory.
//! Between two steps, and between two pages, the directory may change: the search goes on after the last entry by its place
//! in the order, so no entry that stayed comes twice or is left out.
//! Neighbours: [`super::connection`] writes the bytes, [`super::tree`] has the entries.

use super::candidates::candidates;
use super::cookie::{EntryPlace, MAX_KEY, Position};
use super::entry::{Attributes, Shown, view};
use super::filter::{IN_CHAIN, Truth};
use super::matching::{Normal, asserted, normal};
use super::message::{Compare, Scope, Search};
use super::response::{self, Outcome, ResultCode, ReturnedAttribute};
use super::schema::attribute_type::AttributeType;
use super::schema::rules::Rule;
use super::schema::{Description, Selection, ValueRange, attribute};
use super::tree::{Node, Tree, no_photo};
use landbridge_tenant_core::directory::image::Image;
use landbridge_tenant_core::directory::image::application::LdapApplication;
use landbridge_wire::distinguished_name::DistinguishedName;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Entries that one step looks at: a few milliseconds.
const STEP_ENTRIES: usize = 2_000;
/// Bytes after which a step ends.
const STEP_BYTES: usize = 256 * 1024;
/// Limit on the entries that one request looks at.
const MAX_LOOKED_AT: usize = 2_000_000;
/// Limit on the entries that are sorted for one request. Each costs about 200 bytes until the answer is complete.
const MAX_SORTED: usize = 200_000;
/// Limit on the time of one request.
const MAX_TIME: Duration = Duration::from_secs(60);

/// Who searches.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    pub(crate) app: Arc<LdapApplication>,
    /// The person who has signed in; none: the application itself. A person reads the own entry alone.
    pub(crate) person: Option<Uuid>,
}

impl Reader {
    fn may_see(&self, node: &Node<'_>) -> bool {
        self.person.is_none_or(|person| node.object().is_some_and(|object| object.id() == person))
    }
}

/// A key of the order that the client wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OrderKey {
    pub(crate) attribute: &'static AttributeType,
    pub(crate) rule: Rule,
    pub(crate) reverse: bool,
}

/// One request for a search, on its way.
pub(crate) struct Run {
    id: u32,
    reader: Reader,
    search: Box<Search>,
    base: DistinguishedName,
    selection: Selection,
    attributes: Attributes,
    order: Vec<OrderKey>,
    /// The entries found, with their keys, while they are being collected, and then in their order.
    sorted: Option<Sorted>,
    /// The last entry that was returned, in this request or before.
    position: Position,
    /// The last entry that was looked at.
    looked_at: Option<EntryPlace>,
    count: usize,
    /// Limit on the entries of this answer, and what it means.
    most: usize,
    paged: bool,
    returned: usize,
    begun: Instant,
    time: Duration,
}

struct Sorted {
    entries: Vec<(Vec<u8>, EntryPlace)>,
    /// The next one to return; none: they are still being collected.
    next: Option<usize>,
}

/// What a step leaves.
pub(crate) enum Step {
    /// Bytes for the client; the search goes on.
    Entries(Vec<u8>),
    /// The last bytes, and the outcome. The position is that of the next page; none: there is nothing behind it.
    Done(Vec<u8>, Outcome, Option<Position>),
}

/// What limits one answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnswerLimits {
    /// Entries of one answer or page.
    pub(crate) entries: usize,
    /// The page that the client requests; none: it wants all at once.
    pub(crate) page: Option<u32>,
}

impl Run {
    pub(crate) fn new(
        id: u32,
        reader: Reader,
        (search, base): (Box<Search>, DistinguishedName),
        order: Vec<OrderKey>,
        position: Option<Position>,
        limits: AnswerLimits,
    ) -> Self {
        let limit = |client: u32, server: usize| match usize::try_from(client) {
            Ok(0) | Err(_) => server,
            Ok(client) => client.min(server),
        };
        let position = position.unwrap_or_default();
        // The client's limit counts over all pages.
        let before = usize::try_from(position.returned).unwrap_or(usize::MAX);
        let whole = limit(search.size_limit, usize::MAX).saturating_sub(before);
        let answer = limits.page.map_or(limits.entries, |page| limit(page, limits.entries));
        let time = match search.time_limit {
            0 => MAX_TIME,
            seconds => Duration::from_secs(seconds.into()).min(MAX_TIME),
        };
        let begun = (before > 0).then_some(position.last);
        Self {
            id,
            selection: Selection::of(&search.attributes),
            attributes: Attributes::of(view(reader.app.access.view)),
            sorted: (!order.is_empty()).then(|| Sorted { entries: Vec::new(), next: None }),
            looked_at: begun.filter(|_| order.is_empty()),
            order,
            position,
            count: 0,
            most: whole.min(answer),
            paged: limits.page.is_some() && answer <= whole,
            returned: 0,
            begun: Instant::now(),
            time,
            reader,
            search,
            base,
        }
    }

    /// Does a part of the search.
    pub(crate) fn step(&mut self, image: &Image, photo: &(dyn Fn(Uuid) -> Option<Vec<u8>> + Sync)) -> Step {
        // 1. The tree as it is now, and where the search begins.
        let app = self.reader.app.clone();
        let seen = image.seen_by(&app);
        let tree = Tree::new(image, &app, &seen, photo);
        let Some(base) = tree.find(&self.base).filter(|base| self.may_begin_at(base)) else {
            let matched = if self.reader.person.is_some() { String::new() } else { tree.nearest(&self.base) };
            let words = "there is no such entry, or this account may not see it";
            let outcome = Outcome { matched, ..Outcome::new(ResultCode::NoSuchObject, words) };
            return Step::Done(Vec::new(), outcome, None);
        };
        if self.begun.elapsed() > self.time {
            let words = "the time limit of the search is over";
            return Step::Done(Vec::new(), Outcome::new(ResultCode::TimeLimitExceeded, words), None);
        }
        // 2. What is sorted is collected first.
        if self.sorted.as_ref().is_some_and(|sorted| sorted.next.is_some()) {
            return self.return_sorted(&tree);
        }
        let mut bytes = Vec::new();
        let mut left = STEP_ENTRIES;
        let found = if self.search.scope == Scope::Base {
            Some(vec![base])
        } else {
            candidates(&tree, &self.search.filter)
        };
        let ended = match found {
            Some(found) => {
                let mut placed: Vec<(EntryPlace, Node<'_>)> =
                    found.into_iter().filter_map(|node| Some((place(&tree, &node)?, node))).collect();
                placed.sort_by_key(|(place, _)| *place);
                placed.dedup_by_key(|(place, _)| *place);
                placed.retain(|(place, _)| self.looked_at.is_none_or(|last| *place > last));
                self.look_at(&tree, &base, placed.into_iter(), &mut left, &mut bytes)
            }
            None => {
                let after = self.looked_at;
                let made_up = tree.made_up().filter(|(place, _)| after.is_none_or(|last| *place > last));
                let last = match after {
                    Some(EntryPlace::Object(last)) => Some(Uuid::from_u128(last)),
                    Some(EntryPlace::MadeUp(_)) | None => None,
                };
                let objects = tree
                    .seen
                    .after(last)
                    .filter_map(|(id, object)| Some((EntryPlace::Object(id.as_u128()), tree.node(object?)?)));
                self.look_at(&tree, &base, made_up.chain(objects), &mut left, &mut bytes)
            }
        };
        match ended {
            Ended::Step => Step::Entries(bytes),
            Ended::Answer(outcome, position) => Step::Done(bytes, outcome, position),
            Ended::Search if self.sorted.is_some() => {
                self.sort();
                self.return_sorted(&tree)
            }
            Ended::Search => Step::Done(bytes, Outcome::new(ResultCode::Success, ""), None),
        }
    }

    /// A person begins at the own entry, or above it.
    fn may_begin_at(&self, base: &Node<'_>) -> bool {
        base.object().is_none() || self.reader.may_see(base)
    }

    fn look_at<'a>(
        &mut self,
        tree: &'a Tree<'a>,
        base: &Node<'a>,
        nodes: impl Iterator<Item = (EntryPlace, Node<'a>)>,
        left: &mut usize,
        bytes: &mut Vec<u8>,
    ) -> Ended {
        for (place, node) in nodes {
            if *left == 0 || bytes.len() >= STEP_BYTES {
                return Ended::Step;
            }
            *left -= 1;
            self.count += 1;
            if self.count > MAX_LOOKED_AT {
                let words =
                    "the search would look at too many entries: use an indexed attribute, or a smaller base";
                return Ended::Answer(Outcome::new(ResultCode::AdminLimitExceeded, words), None);
            }
            let in_it = tree.is_in_scope(&node, base, self.search.scope) && self.reader.may_see(&node);
            let shown = Shown { tree, node };
            let matches = in_it && self.search.filter.evaluate(&shown) == Truth::True;
            if !matches {
                self.looked_at = Some(place);
                continue;
            }
            if let Some(sorted) = &mut self.sorted {
                if sorted.entries.len() >= MAX_SORTED {
                    let words = "too many entries to be sorted: search for fewer";
                    return Ended::Answer(Outcome::new(ResultCode::AdminLimitExceeded, words), None);
                }
                sorted.entries.push((order_key(&shown, &self.order), place));
            } else {
                if self.returned >= self.most {
                    return self.full();
                }
                if self.put(&shown, place, Vec::new(), bytes).is_err() {
                    return Ended::Answer(
                        Outcome::new(ResultCode::Other, "an entry cannot be written"),
                        None,
                    );
                }
            }
            self.looked_at = Some(place);
        }
        Ended::Search
    }

    /// There is one entry more than the answer takes.
    fn full(&self) -> Ended {
        if self.paged {
            return Ended::Answer(Outcome::new(ResultCode::Success, ""), Some(self.position.clone()));
        }
        let words = "more entries were found than may be returned at once: use paged results";
        Ended::Answer(Outcome::new(ResultCode::SizeLimitExceeded, words), None)
    }

    fn put(
        &mut self,
        shown: &Shown<'_>,
        place: EntryPlace,
        key: Vec<u8>,
        bytes: &mut Vec<u8>,
    ) -> Result<(), response::NotWritten> {
        let name = shown.tree.name(&shown.node);
        let attributes = self.returned_attributes(shown);
        bytes.extend(response::entry(self.id, &name, attributes)?);
        self.returned += 1;
        self.position = Position { key, last: place, returned: self.position.returned.saturating_add(1) };
        Ok(())
    }

    fn returned_attributes(&mut self, shown: &Shown<'_>) -> Vec<ReturnedAttribute> {
        let mut wanted: Vec<(&'static AttributeType, &'static str, Option<ValueRange>)> = Vec::new();
        let mut want = |one: (&'static AttributeType, &'static str, Option<ValueRange>)| {
            if !wanted.contains(&one) {
                wanted.push(one);
            }
        };
        if self.selection.all_user {
            for one in self.attributes.user(&shown.node) {
                want((one, one.name(), None));
            }
        }
        if self.selection.all_operational {
            for one in self.attributes.operational() {
                want((one, one.name(), None));
            }
        }
        for Description { attribute, name, range, binary: _ } in &self.selection.named {
            want((attribute, name, *range));
        }
        let types_only = self.search.types_only;
        let returned =
            |(attribute, name, range): (&'static AttributeType, &'static str, Option<ValueRange>)| {
                let mut values = Vec::new();
                shown.each_value(attribute, &mut |value| values.push(value.to_vec()));
                if values.is_empty() {
                    return None;
                }
                let mut name = name.to_owned();
                if let Some(range) = range {
                    name = cut(&name, range, &mut values);
                }
                if types_only {
                    values.clear();
                }
                Some(ReturnedAttribute { name, values })
            };
        wanted.into_iter().filter_map(returned).collect()
    }

    fn sort(&mut self) {
        let Some(sorted) = &mut self.sorted else { return };
        sorted.entries.sort_unstable();
        let after = (self.position.key.clone(), self.position.last);
        let first =
            if self.position.returned == 0 { 0 } else { sorted.entries.partition_point(|one| *one <= after) };
        sorted.next = Some(first);
    }

    fn return_sorted(&mut self, tree: &Tree<'_>) -> Step {
        let mut bytes = Vec::new();
        while let Some(sorted) = &mut self.sorted {
            let next = sorted.next.unwrap_or_default();
            let Some((key, place)) = sorted.entries.get(next).cloned() else { break };
            if bytes.len() >= STEP_BYTES {
                return Step::Entries(bytes);
            }
            if self.returned >= self.most {
                return match self.full() {
                    Ended::Answer(outcome, position) => Step::Done(bytes, outcome, position),
                    Ended::Step | Ended::Search => Step::Entries(bytes),
                };
            }
            sorted.next = Some(next + 1);
            let made_up = tree.made_up().find(|(made_up, _)| *made_up == place).map(|(_, node)| node);
            let node = made_up.or_else(|| match place {
                EntryPlace::Object(id) => tree.node(tree.seen.by_id(Uuid::from_u128(id))?),
                EntryPlace::MadeUp(_) => None,
            });
            // It may have left since.
            let Some(node) = node else { continue };
            if self.put(&Shown { tree, node }, place, key, &mut bytes).is_err() {
                let outcome = Outcome::new(ResultCode::Other, "an entry cannot be written");
                return Step::Done(bytes, outcome, None);
            }
        }
        Step::Done(bytes, Outcome::new(ResultCode::Success, ""), None)
    }
}

/// Why a step ended.
enum Ended {
    /// It has done its part.
    Step,
    /// The answer is complete before the search is.
    Answer(Outcome, Option<Position>),
    /// Nothing is left to look at.
    Search,
}

/// The place of an entry in the order of all.
fn place(tree: &Tree<'_>, node: &Node<'_>) -> Option<EntryPlace> {
    if let Some(object) = node.object() {
        return Some(EntryPlace::Object(object.id().as_u128()));
    }
    let name = tree.name(node);
    tree.made_up().find(|(_, other)| tree.name(other) == name).map(|(place, _)| place)
}

/// Keeps the values of a range, and returns the name that says which they are: as AD, with `*` for the last ones.
fn cut(name: &str, range: ValueRange, values: &mut Vec<Vec<u8>>) -> String {
    let first = usize::try_from(range.first).unwrap_or(usize::MAX).min(values.len());
    let last = range.last.and_then(|last| usize::try_from(last).ok());
    let end = last.and_then(|last| last.checked_add(1)).filter(|end| *end < values.len());
    match end {
        Some(end) => {
            values.truncate(end);
            values.drain(..first.min(values.len()));
            format!("{name};range={first}-{}", end - 1)
        }
        None => {
            values.drain(..first);
            format!("{name};range={first}-*")
        }
    }
}

/// The key by which an entry is sorted: bytes that compare as the values do by their rules. An entry without a value comes
/// last (RFC 2891 2.2), in the reverse order first.
fn order_key(shown: &Shown<'_>, order: &[OrderKey]) -> Vec<u8> {
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

/// Compares a value of an entry.
pub(crate) fn compare(image: &Image, reader: &Reader, compare: &Compare) -> Outcome {
    let fail = |code, words: &str| Outcome::new(code, words);
    let Ok(name) = DistinguishedName::parse(&compare.entry) else {
        return fail(ResultCode::InvalidDnSyntax, "the name of the entry is no distinguished name");
    };
    let seen = image.seen_by(&reader.app);
    let tree = Tree::new(image, &reader.app, &seen, &no_photo);
    let Some(node) = tree.find(&name).filter(|node| reader.may_see(node)) else {
        return fail(ResultCode::NoSuchObject, "there is no such entry, or this account may not see it");
    };
    let Some(Description { attribute, range: None, .. }) = Description::parse(&compare.attribute) else {
        return fail(ResultCode::UndefinedAttributeType, "the attribute is unknown");
    };
    let Some(rule) = attribute.equality else {
        return fail(ResultCode::InappropriateMatching, "no value of this attribute is ever equal");
    };
    let Some(stated) = asserted(attribute, rule, &compare.value) else {
        return fail(ResultCode::InvalidAttributeSyntax, "the value does not fit the attribute");
    };
    let shown = Shown { tree: &tree, node };
    let (mut any, mut equal) = (false, false);
    shown.each_value(attribute, &mut |value| {
        any = true;
        equal = equal || normal(attribute, rule, value).as_ref() == Some(&stated);
    });
    match (any, equal) {
        (_, true) => fail(ResultCode::CompareTrue, ""),
        (true, false) => fail(ResultCode::CompareFalse, ""),
        (false, false) => fail(ResultCode::NoSuchAttribute, "the entry lacks the attribute"),
    }
}

/// The order that a client wants. The error says what is wrong with it.
pub(crate) fn order(sort: &super::controls::Sort) -> Result<Vec<OrderKey>, super::controls::SortResult> {
    use super::controls::SortResult;
    let key = |key: &super::controls::SortKey| {
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
