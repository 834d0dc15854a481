//! Searches and comparisons: what is found, in which order, and as which bytes.
//!
//! A search runs in steps. Each step holds the directory in memory for a bounded number of entries and leaves the bytes of
//! those that were found, so a slow client delays no change of the directory, and a search of any size needs little memory.
//! Between two steps, and between two pages, the directory may change: the search goes on after the last entry by its place
//! in the order, so no entry that stayed comes twice or is left out.
//! Neighbours: [`super::connection`] writes the bytes, [`super::tree`] has the entries.

use super::candidates::candidates;
use super::cookie::{EntryPlace, Position};
use super::entry::{Attributes, Shown, view};
use super::filter::Truth;
use super::matching::{asserted, normal};
use super::message::{Compare, Scope, Search};
use super::order::{OrderKey, order_key};
use super::response::{self, Outcome, ResultCode, ReturnedAttribute};
use super::schema::attribute_type::AttributeType;
use super::schema::{Description, Selection, ValueRange};
use super::tree::{Node, Tree, no_photo};
use landbridge_tenant_core::directory::image::Image;
use landbridge_tenant_core::directory::image::application::LdapApplication;
use landbridge_wire::distinguished_name::DistinguishedName;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Entries that one step looks at: a few milliseconds.
const STEP_ENTRIES: usize = 2_000;
/// Time after which a step ends, however few entries it has looked at.
const STEP_TIME: Duration = Duration::from_millis(10);
/// Bytes after which a step ends.
const STEP_BYTES: usize = 256 * 1024;
/// Entries kept for later steps, entries to be sorted, or values of one entry that make a search a large one. An application
/// has few of those at a time.
const LARGE: usize = 2_000;
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
    /// The last entry of the page before; none: this is the first one, or the entries are sorted.
    after: Option<EntryPlace>,
    /// What is to be looked at; none: the search has not begun.
    ahead: Option<Ahead>,
    count: usize,
    /// Whether it may become a large one.
    may_be_large: bool,
    /// Limit on the entries of this answer, and what it means.
    most: usize,
    paged: bool,
    returned: usize,
    begun: Instant,
    time: Duration,
}

/// What a search looks at.
enum Ahead {
    /// All entries after this one.
    All(Option<EntryPlace>),
    /// These alone, in their order, from the one with this index on.
    These(Vec<EntryPlace>, usize),
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
    /// Bytes for the client; the search is a large one and goes on after [`Run::may_be_large`].
    Large(Vec<u8>),
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
            after: begun.filter(|_| order.is_empty()),
            ahead: None,
            order,
            position,
            count: 0,
            may_be_large: false,
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

    /// Whether its time is over.
    pub(crate) fn is_over(&self) -> bool {
        self.begun.elapsed() > self.time
    }

    /// Lets it keep as much as it needs.
    pub(crate) fn may_be_large(&mut self) {
        self.may_be_large = true;
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
        if self.is_over() {
            let words = "the time limit of the search is over";
            return Step::Done(Vec::new(), Outcome::new(ResultCode::TimeLimitExceeded, words), None);
        }
        // 2. What was sorted is returned.
        let mut bytes = Vec::new();
        if self.sorted.as_ref().is_some_and(|sorted| sorted.next.is_some()) {
            let ended = self.return_sorted(&tree, &mut bytes);
            return ended.step(bytes);
        }
        // 3. What is looked at: the entries that an index names, or all.
        let mut ahead = match self.ahead.take() {
            Some(ahead) => ahead,
            None => {
                let found = match (self.reader.person, self.search.scope) {
                    (Some(person), _) => Some(vec![EntryPlace::Object(person.as_u128())]),
                    (None, Scope::Base) => tree.place(&base).map(|place| vec![place]),
                    (None, Scope::OneLevel | Scope::Subtree) => candidates(&tree, &self.search.filter),
                };
                match found {
                    Some(found) if found.len() > LARGE && !self.may_be_large => {
                        return Step::Large(Vec::new());
                    }
                    Some(found) => {
                        let is_passed = |place: &EntryPlace| self.after.is_some_and(|last| *place <= last);
                        let first = found.partition_point(is_passed);
                        Ahead::These(found, first)
                    }
                    None => Ahead::All(self.after),
                }
            }
        };
        // 4. A part of it. What is sorted was collected now.
        let mut ended = match &mut ahead {
            Ahead::All(after) => {
                let entries = tree.after(*after);
                self.look_at(&tree, &base, entries, &mut bytes, |place| *after = Some(place))
            }
            Ahead::These(these, next) => {
                let entries = these.iter().skip(*next).map(|place| (*place, tree.at(*place)));
                self.look_at(&tree, &base, entries, &mut bytes, |_| *next += 1)
            }
        };
        self.ahead = Some(ahead);
        if self.sorted.is_some() && matches!(ended, Ended::Search) {
            self.sort();
            ended = self.return_sorted(&tree, &mut bytes);
        }
        ended.step(bytes)
    }

    /// A person begins at the own entry, or above it.
    fn may_begin_at(&self, base: &Node<'_>) -> bool {
        base.object().is_none() || self.reader.may_see(base)
    }

    /// Looks at entries until a step is done, and calls `passed` with each that need not be looked at again. No entry at a
    /// place: it has left.
    fn look_at<'a>(
        &mut self,
        tree: &'a Tree<'a>,
        base: &Node<'a>,
        entries: impl Iterator<Item = (EntryPlace, Option<Node<'a>>)>,
        bytes: &mut Vec<u8>,
        mut passed: impl FnMut(EntryPlace),
    ) -> Ended {
        let begun = Instant::now();
        for (looked_at, (place, node)) in entries.enumerate() {
            // 1. Limits.
            if looked_at >= STEP_ENTRIES || bytes.len() >= STEP_BYTES || begun.elapsed() >= STEP_TIME {
                return Ended::Step;
            }
            self.count += 1;
            if self.count > MAX_LOOKED_AT {
                let words =
                    "the search would look at too many entries: use an indexed attribute, or a smaller base";
                return Ended::Answer(Outcome::new(ResultCode::AdminLimitExceeded, words), None);
            }
            // 2. Whether it is found.
            let in_it = |node: &Node<'a>| {
                tree.is_in_scope(node, base, self.search.scope) && self.reader.may_see(node)
            };
            let shown = node.filter(in_it).map(|node| Shown::new(tree, node));
            let found = shown
                .filter(|shown| self.search.filter.evaluate(shown) == Truth::True || shown.is_exhausted());
            let Some(shown) = found else {
                passed(place);
                continue;
            };
            if shown.is_exhausted() {
                return Ended::Answer(exhausted(), None);
            }
            // 3. It is kept to be sorted, or returned.
            if let Some(sorted) = &mut self.sorted {
                if sorted.entries.len() >= LARGE && !self.may_be_large {
                    return Ended::Large;
                }
                if sorted.entries.len() >= MAX_SORTED {
                    let words = "too many entries to be sorted: search for fewer";
                    return Ended::Answer(Outcome::new(ResultCode::AdminLimitExceeded, words), None);
                }
                sorted.entries.push((order_key(&shown, &self.order), place));
            } else {
                if self.returned >= self.most {
                    return self.full();
                }
                if let Err(ended) = self.put(&shown, place, Vec::new(), bytes) {
                    return ended;
                }
            }
            passed(place);
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
    ) -> Result<(), Ended> {
        let name = shown.tree.name(&shown.node);
        let attributes = self.returned_attributes(shown);
        if shown.is_exhausted() {
            return Err(Ended::Answer(exhausted(), None));
        }
        let values: usize = attributes.iter().map(|one| one.values.len()).sum();
        if values > LARGE && !self.may_be_large {
            return Err(Ended::Large);
        }
        let entry = response::entry(self.id, &name, attributes).map_err(|_| {
            Ended::Answer(Outcome::new(ResultCode::Other, "an entry cannot be written"), None)
        })?;
        bytes.extend(entry);
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

    /// Returns entries in their order until a step is done.
    fn return_sorted(&mut self, tree: &Tree<'_>, bytes: &mut Vec<u8>) -> Ended {
        while let Some(sorted) = &self.sorted {
            let next = sorted.next.unwrap_or_default();
            let Some((key, place)) = sorted.entries.get(next).cloned() else { break };
            if bytes.len() >= STEP_BYTES {
                return Ended::Step;
            }
            if self.returned >= self.most {
                return self.full();
            }
            // It may have left since.
            if let Some(node) = tree.at(place)
                && let Err(ended) = self.put(&Shown::new(tree, node), place, key, bytes)
            {
                return ended;
            }
            if let Some(sorted) = &mut self.sorted {
                sorted.next = Some(next + 1);
            }
        }
        Ended::Search
    }
}

/// Why a step ended.
enum Ended {
    /// It has done its part.
    Step,
    /// It may not go on before it may be large.
    Large,
    /// The answer is complete before the search is.
    Answer(Outcome, Option<Position>),
    /// Nothing is left to look at.
    Search,
}

impl Ended {
    fn step(self, bytes: Vec<u8>) -> Step {
        match self {
            Ended::Step => Step::Entries(bytes),
            Ended::Large => Step::Large(bytes),
            Ended::Answer(outcome, position) => Step::Done(bytes, outcome, position),
            Ended::Search => Step::Done(bytes, Outcome::new(ResultCode::Success, ""), None),
        }
    }
}

fn exhausted() -> Outcome {
    let words = "an entry has too many values for so many terms or ranges: use fewer of them";
    Outcome::new(ResultCode::AdminLimitExceeded, words)
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
    let shown = Shown::new(&tree, node);
    let (mut any, mut equal) = (false, false);
    shown.each_value(attribute, &mut |value| {
        any = true;
        equal = equal || normal(attribute, rule, value).as_ref() == Some(&stated);
    });
    if shown.is_exhausted() {
        return exhausted();
    }
    match (any, equal) {
        (_, true) => fail(ResultCode::CompareTrue, ""),
        (true, false) => fail(ResultCode::CompareFalse, ""),
        (false, false) => fail(ResultCode::NoSuchAttribute, "the entry lacks the attribute"),
    }
}
