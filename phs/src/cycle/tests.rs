//! Whole cycles against a DC and a tenant in memory: what is sent, what is remembered, and what is not when
//! something breaks in between.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod level;
mod links;
mod profile;
mod reserved;
mod tree;

use super::*;
use crate::cycle::guard::Guard;
use crate::fixture::{ACCOUNT, Dc, READER, Telling, cursor, domain, guid, link, page, stamp};
use crate::mirror::tests::directory;
use crate::mirror::{Kind, Object, Sent};
use crate::progress::Silent;
use crate::read::described;
use crate::scope::Scope;
use landbridge_agent::AgentError;
use landbridge_crypto::salted_digest::Profile;
use landbridge_drsr::drs::attribute::Value;
use landbridge_drsr::drs::change::{Link, Linked};
use landbridge_wire::bounded::List;
use landbridge_wire::frame::MAX_PAYLOAD;
use landbridge_wire::problem::{Problem, ProblemCode};
use landbridge_wire::reserved::{NameKey, ReservedAttribute, Reserving};
use landbridge_wire::upload::{
    self as upload, CursorName, LEVEL, Offer, Presence, Receipt, Record, Refusal, RefusalReason,
    ReservedName, Upload, Wanted,
};
use std::sync::mpsc::{Sender, channel};
use uuid::Uuid;

/// Mode, RID and presence of each record, whether it commits.
type Taken = (Mode, Vec<(u32, Presence)>, bool);

/// A tenant that takes everything, wants no password, and breaks when told to.
struct Cloud {
    generation: Uuid,
    level: u8,
    acknowledged: Option<CursorName>,
    before: Option<CursorName>,
    wants: bool,
    /// Whose digest it holds with fewer iterations than any that is offered.
    again: Vec<Uuid>,
    refuses: Option<RefusalReason>,
    /// Uploads until it breaks down.
    breaks_after: Option<usize>,
    offers: Vec<Uuid>,
    /// Whose digest was to be erased.
    erased: Vec<Uuid>,
    uploads: Vec<Taken>,
    /// The links of all uploads.
    links: Vec<upload::Link>,
    /// The key of names.
    key: u8,
    /// The hello has no key, though the level has one.
    hides_key: bool,
    /// The reserved names of all uploads.
    reserved: Vec<ReservedName>,
    /// What a commit of a full compare says of ambiguous accounts.
    ambiguous: Option<u32>,
    /// What the records of all uploads say of places in the tree: see `tree`.
    places: Vec<tree::Sent>,
    /// All uploads, as they leave.
    bytes: String,
    /// Whoever waits for it hears of an upload.
    taken: Option<Sender<()>>,
}

impl Cloud {
    fn new() -> Self {
        Self {
            generation: Uuid::from_u128(1),
            level: LEVEL,
            acknowledged: None,
            before: None,
            wants: false,
            again: Vec::new(),
            refuses: None,
            breaks_after: None,
            offers: Vec::new(),
            erased: Vec::new(),
            uploads: Vec::new(),
            links: Vec::new(),
            key: 7,
            hides_key: false,
            reserved: Vec::new(),
            ambiguous: None,
            places: Vec::new(),
            bytes: String::new(),
            taken: None,
        }
    }

    fn receipt(&self) -> Receipt {
        Receipt {
            level: self.level,
            generation: self.generation,
            acknowledged: self.acknowledged.clone(),
            acknowledged_before: self.before.clone(),
            applied: 0,
            unchanged: 0,
            swept: 0,
            lacking: List::default(),
            reserving: None,
            ambiguous: None,
            nodes: List::default(),
            refused: List::default(),
        }
    }
}

/// With what names are reserved.
fn reserving(key: u8) -> Reserving {
    let key = NameKey::from_bytes(&[key; 32]).unwrap();
    Reserving { key, dns_name: Text::cut("corp.example.com"), netbios_name: Text::cut("CORP") }
}

/// A tenant of this level accepts the upload: it refuses what it does not know.
fn assert_fits(level: u8, upload: &Upload) {
    let records = upload.records.as_slice();
    let attributes = || records.iter().flat_map(|record| record.attributes.as_slice());
    assert!(attributes().all(|attribute| attribute.is.level() <= level));
    let fits = |attribute: &upload::Attribute| {
        let mut fitted = attribute.clone();
        fitted.is.fit(level);
        fitted == *attribute
    };
    assert!(attributes().all(fits), "a text that is too long for the level");
    assert!(upload.level == 0 || upload.level == level && level >= 2 && upload.commit.is_some());
    assert!(level >= 2 || upload.reserved.is_empty());
    if level == 0 {
        let accounts = |record: &Record| record.kind == upload::Kind::Account && !record.erase_password;
        assert!(records.iter().all(accounts) && upload.links.is_empty() && upload.most_swept.is_none());
    }
}

impl UploadApi for Cloud {
    fn hello(&mut self, hello: &Hello) -> Result<Receipt, PhsError> {
        assert_eq!(hello.domain_sid.as_str(), domain().to_string());
        let reserving = (self.level >= 2 && !self.hides_key).then(|| reserving(self.key));
        Ok(Receipt { reserving, ..self.receipt() })
    }

    fn offer(&mut self, offer: &Offer) -> Result<Wanted, PhsError> {
        let offered: Vec<_> = offer.passwords.as_slice().iter().map(|(object, _)| *object).collect();
        self.offers.extend(&offered);
        assert!(self.level >= 2 || offer.iterations.is_none());
        let again = self.again.iter().filter(|one| offer.iterations.is_some() && offered.contains(one));
        let again = List::new(again.copied().collect()).unwrap();
        let objects = if self.wants { offered } else { Vec::new() };
        Ok(Wanted { objects: List::new(objects).unwrap(), again })
    }

    fn upload(&mut self, upload: &Upload) -> Result<Receipt, PhsError> {
        if self.breaks_after == Some(self.uploads.len()) {
            return Err(AgentError::Refused(Problem::new(ProblemCode::StorageFailed, "broken")).into());
        }
        assert_fits(self.level, upload);
        let bytes = serde_json::to_string(upload).unwrap();
        assert!(bytes.len() <= MAX_PAYLOAD, "{} bytes are too many for a frame", bytes.len());
        self.bytes.push_str(&bytes);
        self.reserved.extend_from_slice(upload.reserved.as_slice());
        self.links.extend_from_slice(upload.links.as_slice());
        let records = upload.records.as_slice();
        self.erased.extend(records.iter().filter(|record| record.erase_password).map(|record| record.object));
        let rid = |sid: &str| sid.rsplit('-').next().unwrap().parse().unwrap();
        self.places.extend(records.iter().filter_map(tree::sent));
        let told = records
            .iter()
            .filter(|record| record.kind != upload::Kind::Container)
            .map(|record| (rid(record.sid.as_ref().unwrap().as_str()), record.presence))
            .collect();
        self.uploads.push((upload.mode, told, upload.commit.is_some()));
        if let Some(taken) = &self.taken {
            let _ = taken.send(());
        }
        if let Some(commit) = &upload.commit {
            self.before = self.acknowledged.replace(commit.clone());
        }
        let mut receipt = self.receipt();
        receipt.ambiguous = self.ambiguous.filter(|_| upload.commit.is_some());
        if let Some(why) = self.refuses {
            let refused = records.iter().map(|record| Refusal { object: record.object, why }).collect();
            receipt.refused = List::new(refused).unwrap();
        }
        Ok(receipt)
    }
}

struct Bench {
    directory: tempfile::TempDir,
    dc: Dc,
    cloud: Cloud,
    stop: Stop,
    full: bool,
    include: Vec<Sid>,
    also: Vec<Sid>,
    alternate_login: Option<Attribute>,
    requested: String,
    scope: Scope,
    confirmed: Option<u64>,
    profile: Profile,
    again_at_most: u64,
    staging: bool,
    /// Seconds since 1970.
    now: i64,
    /// The DC is slow: a page comes when the one before was taken.
    one_by_one: bool,
    /// All links of the DC, where links alone are read.
    links: Vec<Link>,
    /// The cursor that the last cycle started from.
    started_from: Option<Option<Cursor>>,
}

impl Bench {
    fn new() -> Self {
        let dc = Dc::default().group(512, &[]);
        Self {
            directory: directory(),
            dc,
            cloud: Cloud::new(),
            stop: Stop::new(),
            full: false,
            include: Vec::new(),
            also: Vec::new(),
            alternate_login: None,
            requested: String::new(),
            scope: Scope::default(),
            confirmed: None,
            profile: Profile::Entra,
            again_at_most: 100,
            staging: false,
            now: 5,
            one_by_one: false,
            links: Vec::new(),
            started_from: None,
        }
    }

    fn mirror(&self) -> Mirror {
        Mirror::open(self.directory.path()).unwrap()
    }

    fn cycle(&mut self, pages: Vec<Page>) -> Result<Counts, PhsError> {
        self.go(pages.into_iter().map(Ok).collect(), false)
    }

    fn go(&mut self, pages: Vec<Result<Page, PullError>>, dry_run: bool) -> Result<Counts, PhsError> {
        let order = Order {
            full: self.full,
            domain: domain(),
            include: self.include.clone(),
            also: self.also.clone(),
            account: ACCOUNT.to_owned(),
            scope: self.scope.clone(),
            alternate_login: self.alternate_login,
            requested: self.requested.clone(),
            guard: Guard::default(),
            confirmed: self.confirmed,
            profile: self.profile,
            again_at_most: self.again_at_most,
            instance: Uuid::new_v4(),
            cycle: Uuid::new_v4(),
            now: self.now,
        };
        let mirror = if dry_run { Mirror::scratch(self.directory.path()).unwrap() } else { self.mirror() };
        let (started_from, links) = (&mut self.started_from, &self.links);
        let mut pages = Some(pages);
        let (taken, wait) = channel();
        self.cloud.taken = self.one_by_one.then_some(taken);
        let mut wait = self.one_by_one.then_some(wait);
        let mut source = |start: Option<Cursor>, what: Reading| {
            let (sender, receiver) = channel();
            if matches!(what, Reading::OnlyLinks) {
                sender.send(Ok(page(vec![], links.clone(), Progress::Last(cursor(0))))).unwrap();
                return Ok(receiver);
            }
            *started_from = Some(start);
            let (pages, wait) = (pages.take().unwrap_or_default(), wait.take());
            let send = move || {
                for page in pages {
                    if sender.send(page).is_err() || wait.as_ref().is_some_and(|wait| wait.recv().is_err()) {
                        return;
                    }
                }
            };
            if self.one_by_one {
                std::thread::spawn(send);
            } else {
                send();
            }
            Ok(receiver)
        };
        Cycle {
            order: &order,
            mirror: &mirror,
            singles: &mut self.dc,
            source: &mut source,
            tenant: if dry_run || self.staging { None } else { Some(&mut self.cloud) },
            witness: &Silent,
            stop: &self.stop,
        }
        .run()
    }
}

fn users(rids: std::ops::Range<u32>) -> Vec<landbridge_drsr::drs::change::Change> {
    rids.map(|rid| Telling::user(rid).tell()).collect()
}

fn two_pages() -> Vec<Page> {
    vec![
        page(users(1100..1102), vec![], Progress::More),
        page(users(1102..1103), vec![], Progress::Last(cursor(4))),
    ]
}

fn last(rids: std::ops::Range<u32>, usn: u8) -> Vec<Page> {
    vec![page(users(rids), vec![], Progress::Last(cursor(usn)))]
}

#[test]
fn a_first_cycle_compares_all_and_commits_on_its_last_page() {
    let mut bench = Bench::new();
    let counts = bench.cycle(two_pages()).unwrap();
    assert_eq!((counts.mode, counts.read, counts.records_sent, counts.uploads), ("full", 3, 3, 2));
    let commits: Vec<_> = bench.cloud.uploads.iter().map(|(mode, _, commit)| (*mode, *commit)).collect();
    assert_eq!(commits, [(Mode::FullCompareByStamp, false), (Mode::FullCompareByStamp, true)]);
    let saved = bench.mirror().saved().unwrap().unwrap();
    assert_eq!(saved.cursor, cursor(4).to_bytes());
    assert_eq!(bench.cloud.acknowledged, Some(watermark::name(&saved.cursor)));
}

#[test]
fn of_an_account_with_an_authentication_policy_no_digest_leaves_though_its_links_come_pages_later() {
    let mut bench = Bench::new();
    bench.cloud.wants = true;
    let policy = Link { what: Linked::AuthenticationPolicy, ..link(1100, 3_001, true) };
    bench.links = vec![policy.clone()];
    let mut pages = two_pages();
    pages[1].links = vec![policy];
    bench.cycle(pages).unwrap();
    assert_eq!(bench.cloud.offers, [guid(1101), guid(1102)]);
}

#[test]
fn a_second_cycle_with_nothing_new_uploads_nothing() {
    let mut bench = Bench::new();
    bench.cycle(two_pages()).unwrap();
    bench.cloud.uploads.clear();
    let counts = bench.cycle(last(0..0, 4)).unwrap();
    assert_eq!((counts.mode, counts.uploads, counts.records_sent), ("incremental", 0, 0));
    assert!(bench.cloud.uploads.is_empty());
    assert_eq!(bench.started_from.clone().unwrap(), Some(cursor(4)));
}

#[test]
fn a_cursor_that_moved_without_records_is_committed_and_counts_as_no_upload() {
    let mut bench = Bench::new();
    bench.cycle(two_pages()).unwrap();
    let counts = bench.cycle(last(0..0, 5)).unwrap();
    assert_eq!(counts.uploads, 0);
    assert_eq!(bench.mirror().saved().unwrap().unwrap().cursor, cursor(5).to_bytes());
}

#[test]
fn a_cycle_that_breaks_keeps_what_was_delivered_before_the_next_page_came_and_no_cursor() {
    let mut bench = Bench::new();
    bench.cloud.breaks_after = Some(1);
    bench.one_by_one = true;
    assert_eq!(bench.cycle(two_pages()).unwrap_err().exit_code(), 6);
    let mirror = bench.mirror();
    assert_eq!(mirror.saved().unwrap(), None);
    assert_eq!(mirror.object(guid(1100)).unwrap().unwrap().password, Some(stamp(1)));
    assert!(mirror.object(guid(1102)).unwrap().is_none());
    drop(mirror);
    bench.cloud.breaks_after = None;
    assert_eq!(bench.cycle(two_pages()).unwrap().mode, "full");
}

#[test]
fn what_has_no_receipt_is_not_remembered_however_many_pages_it_came_in() {
    let mut bench = Bench::new();
    bench.cloud.breaks_after = Some(2);
    let pages = (0..4).map(|n| page(users(1100 + n..1101 + n), vec![], Progress::More)).collect();
    assert_eq!(bench.cycle(pages).unwrap_err().exit_code(), 6);
    assert_eq!(bench.cloud.uploads.len(), 2);
    let mirror = bench.mirror();
    assert!((1100..1104).all(|rid| mirror.object(guid(rid)).unwrap().is_none()));
    drop(mirror);
    bench.cloud.breaks_after = None;
    let counts = bench.cycle(two_pages()).unwrap();
    assert_eq!((counts.mode, counts.records_sent), ("full", 3));
}

#[test]
fn an_incremental_cycle_remembers_each_page_as_soon_as_it_has_its_receipt() {
    let mut bench = Bench::new();
    bench.cycle(two_pages()).unwrap();
    bench.cloud.breaks_after = Some(bench.cloud.uploads.len() + 2);
    let pages = (0..4).map(|n| page(users(1200 + n..1201 + n), vec![], Progress::More)).collect();
    bench.cycle(pages).unwrap_err();
    let mirror = bench.mirror();
    let known: Vec<_> = (1200..1204).map(|rid| mirror.object(guid(rid)).unwrap().is_some()).collect();
    assert_eq!(known, [true, true, false, false]);
}

#[test]
fn an_incremental_cycle_that_breaks_begins_again_from_the_old_cursor() {
    let mut bench = Bench::new();
    bench.cycle(two_pages()).unwrap();
    bench.cloud.breaks_after = Some(bench.cloud.uploads.len());
    bench.cycle(last(1200..1201, 5)).unwrap_err();
    assert_eq!(bench.mirror().saved().unwrap().unwrap().cursor, cursor(4).to_bytes());
    bench.cloud.breaks_after = None;
    let counts = bench.cycle(last(1200..1201, 5)).unwrap();
    assert_eq!((counts.mode, counts.records_sent), ("incremental", 1));
    assert_eq!(bench.started_from.clone().unwrap(), Some(cursor(4)));
}

#[test]
fn a_full_compare_that_breaks_is_begun_again_even_if_there_was_a_cursor() {
    let mut bench = Bench::new();
    bench.cycle(two_pages()).unwrap();
    bench.full = true;
    bench.cloud.breaks_after = Some(bench.cloud.uploads.len());
    bench.cycle(two_pages()).unwrap_err();
    (bench.full, bench.cloud.breaks_after) = (false, None);
    assert_eq!(bench.cycle(two_pages()).unwrap().mode, "full");
}

#[test]
fn a_tenant_that_is_another_one_is_compared_in_full() {
    let mut bench = Bench::new();
    bench.cycle(two_pages()).unwrap();
    bench.cloud.generation = Uuid::from_u128(2);
    assert_eq!(bench.cycle(two_pages()).unwrap().mode, "full");
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().mode, "incremental");
}

#[test]
fn uploads_of_the_longest_and_oddest_texts_and_of_photos_fit_a_frame() {
    let mut bench = Bench::new();
    let text = |text: &str, times: usize| Some(Value::Text(text.repeat(times)));
    let odd = |rid| {
        let addresses =
            if rid % 50 == 0 { vec!["\"".repeat(3_369); 400] } else { vec!["中".repeat(1_123); 3] };
        let names = [
            (Attribute::SamAccountName, text("\u{7}", 768)),
            (Attribute::UserPrincipalName, text("中", 1_024)),
            (Attribute::Mail, text("\u{1}", 3_072)),
            (Attribute::ProxyAddresses, Some(Value::Texts(addresses))),
        ];
        let people = [
            Attribute::DisplayName,
            Attribute::GivenName,
            Attribute::Surname,
            Attribute::Department,
            Attribute::Title,
            Attribute::TelephoneNumber,
            Attribute::Mobile,
        ];
        let photo = described::named("thumbnailPhoto").unwrap();
        let further = described::attributes(false).chain(described::extensions()).filter(|_| rid % 50 == 0);
        let texts = people.into_iter().chain(further).map(|attribute| (attribute, text("\u{0}", 9_999)));
        let photo = (photo, Some(Value::Bytes(vec![0xff; 102_400])));
        let all = names.into_iter().chain(texts).chain([photo]);
        all.fold(Telling::user(rid), |telling, (attribute, value)| telling.with(attribute, value)).tell()
    };
    let counts = bench.cycle(vec![page((1100..1400).map(odd).collect(), vec![], Progress::Last(cursor(4)))]);
    let counts = counts.unwrap();
    assert_eq!((counts.records_sent, counts.quarantined), (300, 0), "the tenant checks each frame");
    assert!(counts.left_out >= 7 * 300, "what is shortened is listed");
}

#[test]
fn a_cycle_that_carries_nobody_says_so_and_why_until_somebody_is_carried() {
    let mut bench = Bench::new();
    let term = crate::scope::Term { attribute: Attribute::Mail, value: "*@example.com".to_owned() };
    bench.scope = Scope { with: vec![term], ..Scope::default() };
    let counts = bench.cycle(two_pages()).unwrap();
    assert!(counts.nobody);
    assert!(
        matches!(counts.warnings.as_slice(), [why, star] if why.contains("of 3 accounts") && star.contains("wildcard"))
    );
    let idle = bench.cycle(last(0..0, 4)).unwrap();
    assert_eq!((idle.nobody, idle.warnings.len()), (true, 2), "it stays true");
    let mail = || Telling::user(1100).with(Attribute::Mail, Some(Value::Text("*@example.com".to_owned())));
    bench.dc = std::mem::take(&mut bench.dc).holds(1100, mail);
    let counts = bench.cycle(vec![page(vec![mail().tell()], vec![], Progress::Last(cursor(5)))]).unwrap();
    assert_eq!((counts.nobody, counts.warnings.len()), (false, 1), "the star is still there");
    bench.scope = Scope::default();
    let counts = bench.cycle(two_pages()).unwrap();
    assert_eq!((counts.nobody, counts.warnings.len()), (false, 0));
}

#[test]
fn accounts_without_a_hash_are_counted_and_warned_of_where_none_has_one() {
    let mut bench = Bench::new();
    let bare = |rid: u32| Telling::user(rid).no_password(1).tell();
    let counts = bench.cycle(vec![page((1100..1103).map(bare).collect(), vec![], Progress::Last(cursor(4)))]);
    let counts = counts.unwrap();
    assert_eq!(counts.without_hash, 3);
    assert!(
        matches!(counts.warnings.as_slice(), [why] if why.contains("nt hash store")),
        "{:?}",
        counts.warnings
    );
    let counts = bench.cycle(last(1100..1101, 5)).unwrap();
    assert_eq!((counts.without_hash, counts.warnings.len()), (2, 0), "of the others it may be right");
    bench.scope.passwords = false;
    assert_eq!(bench.cycle(last(0..0, 6)).unwrap().without_hash, 0, "no password is to be carried");
}

#[test]
fn a_full_compare_ends_flaws_that_it_does_not_find_again() {
    let mut bench = Bench::new();
    let odd = Telling::user(1100).unreadable(Attribute::Title).tell();
    let mut first = page(vec![odd], vec![], Progress::Last(cursor(4)));
    first.quarantined.push(crate::fixture::quarantined(1_900, false, "it has no name"));
    let counts = bench.cycle(vec![first]).unwrap();
    assert_eq!((counts.quarantined, counts.left_out), (1, 1));
    assert_eq!(bench.mirror().flaws(9).unwrap().len(), 2);
    bench.cycle(last(0..0, 4)).unwrap();
    assert_eq!(bench.mirror().flaws(9).unwrap().len(), 2);
    (bench.full, bench.now) = (true, 9);
    bench.cycle(last(1100..1101, 5)).unwrap();
    assert_eq!(bench.mirror().flaws(9).unwrap(), []);
}

#[test]
fn a_password_that_the_tenant_holds_is_offered_and_not_opened() {
    let mut bench = Bench::new();
    let counts = bench.cycle(two_pages()).unwrap();
    assert_eq!(bench.cloud.offers, [guid(1100), guid(1101), guid(1102)]);
    assert_eq!((counts.digests_derived, counts.digests_sent, counts.quarantined), (0, 0, 0));
}

#[test]
fn a_password_that_does_not_open_quarantines_it_and_carries_the_account() {
    let mut bench = Bench::new();
    bench.cloud.wants = true;
    let counts = bench.cycle(last(1100..1101, 4)).unwrap();
    assert_eq!((counts.records_sent, counts.digests_sent, counts.quarantined), (1, 0, 1));
    let object = bench.mirror().object(guid(1100)).unwrap().unwrap();
    assert_eq!((object.sent, object.password), (Some(Sent::Unsure), None));
    assert_eq!(bench.cloud.erased, [guid(1100)], "the one that the tenant holds is an older one");
}

#[test]
fn what_cannot_be_read_takes_the_digest_back_and_is_made_good_in_the_same_cycle() {
    let mut bench = Bench::new();
    bench.cycle(two_pages()).unwrap();
    bench.cloud.erased.clear();
    let dc = std::mem::take(&mut bench.dc);
    bench.dc = dc.holds(1100, || Telling::user(1100).password(2));
    let mut odd = page(vec![Telling::of(1100).password(2).tell()], vec![], Progress::Last(cursor(5)));
    odd.quarantined.push(crate::fixture::quarantined(1100, false, "a value of the wrong length"));
    let counts = bench.cycle(vec![odd]).unwrap();
    assert_eq!((counts.records_sent, counts.quarantined), (2, 1), "erased, then whole again");
    assert_eq!(bench.cloud.erased, [guid(1100)]);
    assert_eq!(bench.mirror().object(guid(1100)).unwrap().unwrap().sent, Some(Sent::Present));
}

#[test]
fn a_refused_record_is_sent_whole_at_its_next_change() {
    let mut bench = Bench::new();
    bench.cloud.refuses = Some(RefusalReason::Privileged);
    let counts = bench.cycle(last(1100..1101, 4)).unwrap();
    assert_eq!(counts.refused, 1);
    bench.cloud.refuses = None;
    bench.dc = Dc::default().holds(1100, || Telling::user(1100).password(2));
    let reset = vec![page(vec![Telling::of(1100).password(2).tell()], vec![], Progress::Last(cursor(5)))];
    assert_eq!(bench.cycle(reset).unwrap().records_sent, 1);
    assert_eq!(bench.dc.asked_with_secrets(), [1100]);
}

#[test]
fn a_promotion_on_the_last_page_is_told_before_the_commit() {
    let mut bench = Bench::new();
    let pages = vec![
        page(users(1100..1101), vec![], Progress::More),
        page(vec![Telling::group(512).tell()], vec![link(512, 1100, true)], Progress::Last(cursor(4))),
    ];
    bench.cycle(pages).unwrap();
    let told: Vec<_> =
        bench.cloud.uploads.iter().map(|(_, records, commit)| (records.clone(), *commit)).collect();
    let expected = [(vec![(1100, Presence::Present)], false), (vec![(1100, Presence::Privileged)], true)];
    assert_eq!(told, expected);
}

#[test]
fn more_accounts_than_fit_in_one_upload_go_in_several_with_one_commit() {
    let mut bench = Bench::new();
    let counts = bench.cycle(last(2000..2600, 4)).unwrap();
    assert_eq!((counts.uploads, counts.records_sent), (3, 600));
    let commits = bench.cloud.uploads.iter().filter(|(_, _, commit)| *commit).count();
    assert!(commits == 1 && bench.cloud.uploads.last().unwrap().2);
}

#[test]
fn a_dry_run_asks_no_tenant_and_changes_no_state() {
    let mut bench = Bench::new();
    bench.cycle(two_pages()).unwrap();
    let before = std::fs::read(bench.directory.path().join(crate::mirror::FILE)).unwrap();
    bench.cloud.uploads.clear();
    let pages = vec![Ok(page(
        vec![Telling::of(1100).withheld(2).tell(), Telling::of(1101).withheld(1).tell()],
        vec![],
        Progress::Last(cursor(5)),
    ))];
    let counts = bench.go(pages, true).unwrap();
    assert_eq!(
        (counts.mode, counts.uploads, counts.records_sent, counts.digests_sent),
        ("incremental", 0, 1, 1)
    );
    assert!(bench.cloud.uploads.is_empty());
    assert_eq!(std::fs::read(bench.directory.path().join(crate::mirror::FILE)).unwrap(), before);
}

#[test]
fn a_wish_to_stop_ends_between_pages() {
    let mut bench = Bench::new();
    bench.stop.raise();
    let error = bench.cycle(two_pages()).unwrap_err();
    assert!(matches!(error, PhsError::Interrupted) && error.exit_code() == 9);
    assert!(bench.cloud.uploads.is_empty());
}

#[test]
fn a_restored_controller_is_compared_in_full() {
    let mut bench = Bench::new();
    bench.cycle(two_pages()).unwrap();
    let error = landbridge_drsr::Error::Restored { dsa: Uuid::nil() };
    let restored = PullError::Directory { controller: "dc1".to_owned(), error };
    // The source is asked twice; the second time it has nothing left, which ends the attempt.
    let error = bench.go(vec![Err(restored)], false).unwrap_err();
    assert!(matches!(error, PhsError::Defect(_)), "{error}");
    assert_eq!(bench.started_from.clone().unwrap(), None, "from the beginning");
    assert_eq!(bench.mirror().saved().unwrap(), None);
}

#[test]
fn what_a_full_compare_does_not_see_is_forgotten() {
    let mut bench = Bench::new();
    bench.cycle(two_pages()).unwrap();
    bench.full = true;
    bench.cycle(last(1100..1101, 5)).unwrap();
    let mirror = bench.mirror();
    assert_eq!(mirror.object(guid(1100)).unwrap().unwrap().kind, Kind::Person);
    assert!(mirror.object(guid(1102)).unwrap().is_none());
}

/// OU 1 is in the scope; it and OU 2 come with the first page.
fn staffed(bench: &mut Bench, users: std::ops::Range<u32>) {
    use landbridge_drsr::drs::attribute::Class;
    let dc = std::mem::take(&mut bench.dc);
    let ou = |rid| move || Telling::object(rid, &[Class::OrganizationalUnit]).within(0);
    bench.dc = dc.holds(1, ou(1)).holds(2, ou(2));
    bench.scope = Scope { include: vec!["CN=1,DC=x".to_owned()], ..Scope::default() };
    let mut changes = vec![ou(1)().tell(), ou(2)().tell()];
    changes.extend(users.map(|rid| Telling::user(rid).within(1).tell()));
    bench.cycle(vec![page(changes, vec![], Progress::Last(cursor(4)))]).unwrap();
}

fn moved(users: std::ops::Range<u32>, to: u32, usn: u8) -> Vec<Page> {
    let changes = users.map(|rid| Telling::of(rid).within(to).tell()).collect();
    vec![page(changes, vec![], Progress::Last(cursor(usn)))]
}

#[test]
fn too_many_that_leave_at_once_are_held_back_and_everything_else_goes_on() {
    let mut bench = Bench::new();
    staffed(&mut bench, 1100..1130);
    let counts = bench.cycle(moved(1100..1111, 2, 5)).unwrap();
    assert_eq!((counts.removed, counts.held), (0, 11));
    assert_eq!(bench.mirror().saved().unwrap().unwrap().cursor, cursor(5).to_bytes(), "the cursor goes on");
    let deleted = vec![Telling::of(1120).deleted().tell()];
    let counts = bench.cycle(vec![page(deleted, vec![], Progress::Last(cursor(6)))]).unwrap();
    assert_eq!((counts.removed, counts.held), (1, 11));
    assert_eq!(bench.cycle(last(0..0, 6)).unwrap().held, 11, "and an idle cycle says so");
    bench.confirmed = Some(10);
    let counts = bench.cycle(last(0..0, 6)).unwrap();
    assert_eq!((counts.removed, counts.held), (0, 11), "one more than was looked at");
    bench.confirmed = Some(11);
    let counts = bench.cycle(last(0..0, 6)).unwrap();
    assert_eq!((counts.removed, counts.held), (11, 0));
    bench.confirmed = None;
    let counts = bench.cycle(moved(1111..1113, 2, 7)).unwrap();
    assert_eq!((counts.removed, counts.held), (2, 0), "what was confirmed counts no more");
}

#[test]
fn a_dry_run_names_those_that_are_held_back_in_whatever_cycle_that_was_found() {
    let mut bench = Bench::new();
    staffed(&mut bench, 1100..1130);
    assert_eq!(bench.cycle(moved(1100..1111, 2, 5)).unwrap().held, 11);
    let counts = bench.go(last(0..0, 5).into_iter().map(Ok).collect(), true).unwrap();
    assert_eq!((counts.held, counts.records_sent, counts.differences.len()), (11, 0, 11));
    let held = |name: &str| Difference {
        sign: Sign::Held,
        name: name.to_owned(),
        what: "outside the scope".to_owned(),
    };
    assert_eq!(counts.differences[0], held("user1100"));
}

#[test]
fn a_group_of_passwords_that_is_gone_asks_before_it_erases_them_all() {
    let mut bench = Bench::new();
    let dc = std::mem::take(&mut bench.dc);
    bench.dc = dc.group(1201, &[]);
    bench.scope = Scope { password_groups: vec!["CN=1201,DC=x".to_owned()], ..Scope::default() };
    let mut all = users(1100..1130);
    all.insert(0, Telling::group(1201).tell());
    let links: Vec<_> = (1100..1130).map(|member| link(1201, member, true)).collect();
    bench.cycle(vec![page(all, links.clone(), Progress::Last(cursor(4)))]).unwrap();
    bench.cloud.erased.clear();
    let gone = links.into_iter().map(|link| Link { present: false, ..link }).collect();
    let reset = Telling::of(1100).with(Attribute::Title, None).tell();
    let counts = bench.cycle(vec![page(vec![reset], gone, Progress::Last(cursor(5)))]).unwrap();
    assert_eq!((counts.held, bench.cloud.erased.len()), (30, 0), "not by a change of the account either");
    bench.confirmed = Some(30);
    let counts = bench.cycle(last(0..0, 5)).unwrap();
    assert_eq!((counts.held, counts.removed, bench.cloud.erased.len()), (0, 0, 30));
    bench.confirmed = None;
    assert_eq!(bench.cycle(last(0..0, 5)).unwrap().held, 0);
}

#[test]
fn a_yes_to_nobody_forgets_nothing_of_those_who_left_before() {
    let mut bench = Bench::new();
    staffed(&mut bench, 1100..1130);
    assert_eq!(bench.cycle(moved(1100..1110, 2, 5)).unwrap().removed, 10);
    bench.confirmed = Some(10);
    assert_eq!(bench.cycle(last(0..0, 5)).unwrap().held, 0);
    bench.confirmed = None;
    assert_eq!(bench.cycle(moved(1110..1111, 2, 6)).unwrap().held, 1);
}

#[test]
fn those_who_leave_one_by_one_are_counted_together() {
    let mut bench = Bench::new();
    staffed(&mut bench, 1100..1130);
    for (n, rid) in (1100..1110).enumerate() {
        let counts = bench.cycle(moved(rid..rid + 1, 2, 10 + u8::try_from(n).unwrap())).unwrap();
        assert_eq!((counts.removed, counts.held), (1, 0), "{rid}");
    }
    let counts = bench.cycle(moved(1110..1111, 2, 30)).unwrap();
    assert_eq!((counts.removed, counts.held), (0, 1));
}

#[test]
fn another_scope_leads_to_a_sweep_and_another_filter_to_a_full_compare() {
    let mut bench = Bench::new();
    staffed(&mut bench, 1100..1103);
    bench.scope.include = vec!["CN=2,DC=x".to_owned()];
    let counts = bench.cycle(last(0..0, 4)).unwrap();
    assert_eq!((counts.mode, counts.removed), ("incremental", 3));
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().removed, 0);
    bench.scope.without = vec![crate::scope::Term {
        attribute: landbridge_drsr::drs::attribute::Attribute::Title,
        value: "x".to_owned(),
    }];
    assert_eq!(bench.cycle(two_pages()).unwrap().mode, "full");
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().mode, "incremental");
}

#[test]
fn another_id_of_the_filters_attribute_in_the_schema_compares_all() {
    let mut bench = Bench::new();
    bench.requested = " extensionAttribute1 0x9a3f5c01".to_owned();
    staffed(&mut bench, 1100..1103);
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().mode, "incremental");
    bench.requested = " extensionAttribute1 0x9a3f5c02".to_owned();
    assert_eq!(bench.cycle(two_pages()).unwrap().mode, "full");
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().mode, "incremental");
}

#[test]
fn a_scope_that_was_tried_in_vain_leaves_no_hole_in_the_one_before() {
    let mut bench = Bench::new();
    left_out(&mut bench);
    let before = std::mem::take(&mut bench.scope);
    bench.go(vec![], false).unwrap_err();
    bench.scope = before;
    let made = vec![page(vec![Telling::user(1110).within(2).tell()], vec![], Progress::Last(cursor(5)))];
    let counts = bench.cycle(made).unwrap();
    assert_eq!((counts.records_sent, counts.in_scope), (0, 0), "OU 2 is still left out");
}

/// The whole domain but OU 2 is in the scope, and the mirror knows both.
fn left_out(bench: &mut Bench) {
    staffed(bench, 1100..1103);
    bench.mirror().put(&Object { sid: Some(domain()), ..Object::unknown(guid(0)) }).unwrap();
    bench.scope = Scope { exclude: vec!["CN=2,DC=x".to_owned()], ..Scope::default() };
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().removed, 0);
}

/// OU 2 was deleted, and 3 was made under its name.
fn made_again(bench: &mut Bench) -> Vec<landbridge_drsr::drs::change::Change> {
    use landbridge_drsr::drs::attribute::Class;
    let again = || Telling::object(3, &[Class::OrganizationalUnit]).within(0);
    let dc = std::mem::take(&mut bench.dc);
    bench.dc = dc.called(2, 3).holds(2, || Telling::of(2).deleted()).holds(3, again);
    vec![Telling::of(2).deleted().tell(), again().tell(), Telling::user(1110).within(3).tell()]
}

#[test]
fn an_ou_that_was_deleted_and_made_again_under_its_name_is_the_one_that_is_meant() {
    let mut bench = Bench::new();
    left_out(&mut bench);
    let changes = made_again(&mut bench);
    let counts = bench.cycle(vec![page(changes, vec![], Progress::Last(cursor(5)))]).unwrap();
    assert_eq!((counts.records_sent, counts.in_scope), (0, 0), "with the page that says so");
    let mut bench = Bench::new();
    left_out(&mut bench);
    let changes = made_again(&mut bench);
    bench.full = true;
    let without_tombstone = changes.into_iter().skip(1).collect();
    let counts = bench.cycle(vec![page(without_tombstone, vec![], Progress::Last(cursor(5)))]).unwrap();
    assert_eq!(counts.in_scope, 0, "a full compare asks, for a tombstone does not last");
}

#[test]
fn an_entry_whose_object_was_deleted_names_nobody_until_it_is_made_again() {
    let mut bench = Bench::new();
    left_out(&mut bench);
    let mirror = bench.mirror();
    mirror.put(&Object { deleted: true, ..mirror.object(guid(2)).unwrap().unwrap() }).unwrap();
    drop(mirror);
    bench.dc = Dc::default().group(512, &[]);
    bench.cycle(last(0..0, 4)).unwrap();
    assert_eq!(bench.mirror().entry("CN=2,DC=x").unwrap(), Some(guid(2)));
    let again = made_again(&mut bench);
    let counts = bench.cycle(vec![page(again, vec![], Progress::Last(cursor(5)))]).unwrap();
    assert_eq!((counts.in_scope, bench.mirror().entry("CN=2,DC=x").unwrap()), (0, Some(guid(3))));
}

#[test]
fn an_entry_that_the_domain_does_not_hold_is_named_and_a_renamed_one_stays_what_it_was() {
    let mut bench = Bench::new();
    bench.scope = Scope { exclude: vec!["CN=77,DC=x".to_owned()], ..Scope::default() };
    let error = bench.cycle(last(0..0, 4)).unwrap_err();
    assert!(matches!(&error, PhsError::NoSuchEntry { list: "exclude", dn } if dn == "CN=77,DC=x"), "{error}");
    assert_eq!(error.exit_code(), 3);
    let mut bench = Bench::new();
    staffed(&mut bench, 1100..1103);
    bench.dc = Dc::default().group(512, &[]);
    bench.scope.exclude = vec![];
    assert_eq!(bench.cycle(moved(1100..1101, 2, 5)).unwrap().removed, 1, "nobody is asked for OU 1 again");
}

#[test]
fn an_entry_that_its_list_cannot_have_ends_the_cycle_with_what_it_is_and_what_to_do() {
    use landbridge_drsr::drs::attribute::Class;
    let contact = || Telling::object(4, &[Class::Top, Class::Person, Class::Contact]);
    let of = |class| move || Telling::object(5, &[Class::Top, class]);
    let cases: [(Dc, bool, &str); 9] = [
        (Dc::default().group(1201, &[]), false, "is a group: name it in `groups`"),
        (Dc::default().holds(1201, || Telling::user(1201)), false, "no OU or container"),
        (Dc::default().holds(1201, || Telling::user(1201)), true, "no group: make it a member"),
        (Dc::default().holds(1201, contact), true, "no group: make it a member"),
        (Dc::default().holds(1201, of(Class::OrganizationalUnit)), true, "is no group: name OUs"),
        (Dc::default().holds(1201, of(Class::ForeignSecurityPrincipal)), true, "of another domain"),
        (Dc::default().holds(1201, of(Class::Computer)), true, "is a computer"),
        (Dc::default().holds(1201, of(Class::PasswordSettings)), false, "password policy"),
        (Dc::default().holds(1201, || Telling::group(1201).deleted()), true, "was deleted"),
    ];
    for (dc, of_groups, says) in cases {
        let names = vec!["CN=1201,DC=x".to_owned()];
        let lists = [
            (Scope { groups: names.clone(), ..Scope::default() }, "groups"),
            (Scope { password_groups: names.clone(), ..Scope::default() }, "password_groups"),
            (Scope { include: names.clone(), ..Scope::default() }, "include"),
            (Scope { exclude: names, ..Scope::default() }, "exclude"),
        ];
        let mut bench = Bench { dc: dc.group(512, &[]), ..Bench::new() };
        for (scope, list) in lists.into_iter().filter(|(_, list)| list.ends_with("groups") == of_groups) {
            bench.scope = scope;
            let error = bench.cycle(last(1100..1101, 4)).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with(&format!("[scope] {list} names CN=1201,DC=x, which ")), "{text}");
            assert!(text.contains(says) && error.exit_code() == 3, "{text}");
            assert!(bench.cloud.uploads.is_empty(), "nothing is sent");
        }
    }
}

#[test]
fn an_entry_is_found_and_kept_in_whatever_spelling_it_is_typed() {
    let mut bench = Bench::new();
    let dc = std::mem::take(&mut bench.dc);
    bench.dc = dc.group(1201, &[1100]);
    bench.links = vec![link(1201, 1100, true)];
    let typed = |name: &str| Scope { groups: vec![name.to_owned()], ..Scope::default() };
    bench.scope = typed("CN=1201,DC=x");
    let links = vec![link(1201, 1100, true)];
    let changes = vec![Telling::group(1201).tell(), Telling::user(1100).tell(), Telling::user(1101).tell()];
    bench.cycle(vec![page(changes, links, Progress::Last(cursor(4)))]).unwrap();
    // Nothing is asked for again: the DC would not know it by then.
    bench.dc = Dc::default().group(512, &[]);
    bench.scope = typed("cn = \"1201\" ; dc=X");
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().removed, 0);
    assert_eq!(bench.mirror().entry("CN=1201,DC=x").unwrap(), Some(guid(1201)));
}

#[test]
fn a_group_that_enters_has_all_its_links_told_and_a_link_alone_is_one() {
    let mut bench = Bench::new();
    staffed(&mut bench, 0..0);
    let group = Telling::group(1201).within(2).tell();
    let links: Vec<_> = (2000..7000).map(|member| link(1201, member, true)).collect();
    let counts = bench.cycle(vec![page(vec![group], links, Progress::Last(cursor(5)))]).unwrap();
    assert_eq!((counts.records_sent, counts.links_sent), (0, 0), "outside the scope");
    let dc = std::mem::take(&mut bench.dc);
    // The DC's word when it is read alone, not what was remembered.
    bench.dc = dc.group(1201, (3000..8000).collect::<Vec<_>>().leak());
    let counts = bench.cycle(moved(1201..1202, 1, 6)).unwrap();
    assert_eq!((counts.records_sent, counts.links_sent, counts.uploads), (2, 5000, 3), "with its container");
    let one = vec![page(vec![], vec![link(1201, 9000, true)], Progress::Last(cursor(7)))];
    let counts = bench.cycle(one).unwrap();
    assert_eq!((counts.records_sent, counts.links_sent, counts.uploads), (0, 1, 1));
}

#[test]
fn the_link_by_which_somebody_enters_is_told_once() {
    let mut bench = Bench::new();
    let dc = std::mem::take(&mut bench.dc);
    bench.dc = dc.group(1201, &[]).holds(1100, || Telling::user(1100));
    bench.scope = Scope { groups: vec!["CN=1201,DC=x".to_owned()], ..Scope::default() };
    let all = vec![Telling::group(1201).tell(), Telling::user(1100).tell()];
    bench.cycle(vec![page(all, vec![], Progress::Last(cursor(4)))]).unwrap();
    let counts = bench.cycle(vec![page(vec![], vec![link(1201, 1100, true)], Progress::Last(cursor(5)))]);
    let counts = counts.unwrap();
    assert_eq!((counts.records_sent, counts.links_sent), (1, 1));
}

#[test]
fn a_staged_cycle_remembers_and_sends_nothing_and_the_first_real_one_compares_all() {
    let mut bench = Bench::new();
    let pages: Vec<_> = two_pages().into_iter().map(Ok).collect();
    bench.staging = true;
    let counts = bench.go(pages, false).unwrap();
    assert_eq!((counts.records_sent, counts.differences.len(), bench.cloud.uploads.len()), (3, 3, 0));
    assert_eq!(counts.differences[0].sign, Sign::Enters);
    let again = bench.go(last(0..0, 4).into_iter().map(Ok).collect(), false).unwrap();
    assert_eq!((again.mode, again.records_sent), ("incremental", 0));
    bench.staging = false;
    assert_eq!(bench.cycle(two_pages()).unwrap().mode, "full");
}

#[test]
fn many_that_enter_do_so_in_several_cycles_and_what_changes_meanwhile_waits_for_one_alone() {
    let mut bench = Bench::new();
    bench.dc = (1000..5500)
        .fold(std::mem::take(&mut bench.dc), |dc, rid| dc.holds(rid, move || Telling::user(rid).within(2)));
    staffed(&mut bench, 0..0);
    let elsewhere = (1000..5500).map(|rid| Telling::user(rid).within(2).tell()).collect();
    bench.cycle(vec![page(elsewhere, vec![], Progress::Last(cursor(5)))]).unwrap();
    bench.scope.include.push("CN=2,DC=x".to_owned());
    let off = vec![Telling::of(5400).within(2).number(Attribute::UserAccountControl, 0x202).tell()];
    let first = bench.cycle(last(0..0, 5)).unwrap();
    assert_eq!((first.records_sent, first.unfinished), (2_001, true), "and their container");
    assert_eq!(bench.mirror().saved().unwrap().unwrap().cursor, cursor(5).to_bytes());
    let second = bench.cycle(vec![page(off, vec![], Progress::Last(cursor(6)))]).unwrap();
    assert_eq!((second.records_sent, second.unfinished), (2_001, true));
    let third = bench.cycle(last(0..0, 6)).unwrap();
    assert_eq!((third.records_sent, third.unfinished), (499, false));
    let mut all = first;
    all.add(second);
    all.add(third);
    assert_eq!((all.records_sent, all.unfinished), (4_501, false));
    assert_eq!(bench.cycle(last(0..0, 6)).unwrap().records_sent, 0);
}

#[test]
fn a_sweep_that_was_due_when_the_cycle_broke_is_made_by_the_next_one() {
    let mut bench = Bench::new();
    staffed(&mut bench, 1100..1103);
    bench.mirror().put(&Object::unknown(guid(9))).unwrap();
    let dc = std::mem::take(&mut bench.dc);
    bench.dc = (1100..1103)
        .fold(dc.holds(9, || Telling::of(9)), |dc, rid| dc.holds(rid, move || Telling::user(rid).within(1)));
    bench.scope.include = vec!["CN=9,DC=x".to_owned()];
    assert_eq!(bench.cycle(last(0..0, 5)).unwrap().removed, 3);
    let moved = |progress| vec![page(vec![Telling::of(1).within(9).tell()], vec![], progress)];
    bench.cycle(moved(Progress::More)).unwrap_err();
    let counts = bench.cycle(moved(Progress::Last(cursor(6)))).unwrap();
    assert_eq!(counts.records_sent, 3, "though the OU is known to have moved");
}

#[test]
fn passwords_that_are_no_longer_to_be_carried_are_erased_with_the_next_cycle() {
    let mut bench = Bench::new();
    bench.cycle(two_pages()).unwrap();
    for _ in 0..2 {
        bench.scope.passwords = false;
        let counts = bench.cycle(last(0..0, 4)).unwrap();
        assert_eq!((counts.records_sent, counts.removed), (3, 0));
        assert_eq!(bench.cycle(last(0..0, 4)).unwrap().records_sent, 0);
        bench.scope.passwords = true;
        let dc = std::mem::take(&mut bench.dc);
        bench.dc = (1100..1103).fold(dc, |dc, rid| dc.holds(rid, move || Telling::user(rid)));
        assert_eq!(bench.cycle(last(0..0, 4)).unwrap().records_sent, 3);
    }
}

#[test]
fn what_was_carried_before_its_right_was_seen_leaves_with_the_next_cycle_and_is_counted() {
    let mut bench = Bench::new();
    bench.cycle(last(1100..1120, 4)).unwrap();
    bench.cloud.uploads.clear();
    // A right at the domain's head: no page has it.
    bench.dc.holders = vec![domain().with_rid(1105)];
    bench.include = vec![domain().with_rid(1105)];
    let counts = bench.cycle(last(0..0, 5)).unwrap();
    assert_eq!((counts.never, counts.removed, counts.held), (1, 1, 0));
    let (_, records, _) = bench.cloud.uploads.remove(0);
    assert_eq!(records, [(1105, Presence::OutOfScope)]);
    bench.dc.holders.clear();
    bench.dc = std::mem::take(&mut bench.dc).holds(1105, || Telling::user(1105));
    bench.cloud.offers.clear();
    let counts = bench.cycle(last(0..0, 6)).unwrap();
    assert_eq!((counts.never, counts.records_sent), (0, 1), "the right is gone");
    assert_eq!(bench.cloud.offers, [guid(1105)], "with its password");
}

#[test]
fn the_account_that_phs_reads_with_is_known_by_its_guid_after_the_first_look() {
    let mut bench = Bench::new();
    let renamed = || {
        Telling::user(READER)
            .with(Attribute::SamAccountName, Some(Value::Text("another name".to_owned())))
            .with(Attribute::UserPrincipalName, Some(Value::Text("a@corp.example.com".to_owned())))
    };
    let counts = bench.cycle(last(READER..READER + 2, 4)).unwrap();
    assert_eq!((counts.never, counts.records_sent), (1, 1));
    let counts = bench.cycle(vec![page(vec![renamed().tell()], vec![], Progress::Last(cursor(5)))]).unwrap();
    assert_eq!((counts.never, counts.records_sent), (1, 0));
}

#[test]
fn an_entry_that_holds_back_a_large_part_of_the_scope_is_named_and_asked_for_before_anything_is_sent() {
    let group = |members: std::ops::Range<u32>| {
        let changes = vec![Telling::group(1500).tell()];
        let links = members.map(|member| link(1500, member, true)).collect();
        vec![page(changes, links, Progress::Last(cursor(5)))]
    };
    // 11 of 219 are more than a twentieth, 10 are too few to ask for.
    for (members, asks) in [(1100..1110, false), (1100..1111, true)] {
        let held = u64::from(members.end - members.start);
        let mut bench = Bench::new();
        bench.cycle(last(1100..1319, 4)).unwrap();
        bench.cycle(group(members)).unwrap();
        bench.cloud.uploads.clear();
        bench.dc.holders = vec![domain().with_rid(1500)];
        let first = bench.cycle(last(0..0, 6));
        if !asks {
            assert_eq!(first.unwrap().removed, held);
            continue;
        }
        let refused = first.unwrap_err();
        assert!(matches!(&refused, PhsError::WideEntry { held: 11, scope: 219, .. }), "{refused}");
        let said = refused.to_string();
        assert!(said.contains("object 1500") && said.contains("changing rights"), "{said}");
        assert!(said.contains("--confirm-removals 11"), "{said}");
        assert!(bench.cloud.uploads.is_empty());
        // Each cycle asks again, also for too few; what is accepted once stays so.
        bench.confirmed = Some(10);
        bench.cycle(last(0..0, 6)).unwrap_err();
        bench.confirmed = Some(11);
        assert_eq!(bench.cycle(last(0..0, 6)).unwrap().removed, 11);
        bench.confirmed = None;
        bench.full = true;
        let mut dc = std::mem::take(&mut bench.dc);
        dc = dc.group(1500, &[1100, 1101, 1102, 1103, 1104, 1105, 1106, 1107, 1108, 1109, 1110]);
        bench.dc = dc;
        bench.cycle(last(1100..1319, 7)).unwrap();
    }
    // On a first cycle nothing is known before the pages: then the last one is not closed.
    let mut bench = Bench::new();
    bench.dc.holders = vec!["S-1-1-0".parse().unwrap()];
    let refused = bench.cycle(last(1100..1119, 4)).unwrap_err().to_string();
    assert!(refused.contains("Everyone (S-1-1-0)"), "{refused}");
    assert!(bench.cloud.uploads.iter().all(|(_, records, commit)| records.is_empty() && !commit));
    // What the administrator named is wanted.
    let mut bench = Bench::new();
    bench.also = vec!["S-1-1-0".parse().unwrap()];
    let refused = bench.cycle(last(1100..1119, 4)).unwrap_err();
    assert!(matches!(refused, PhsError::NoSuchGroup(_)), "{refused}");
    bench.also = vec![domain().with_rid(1500)];
    bench.dc = std::mem::take(&mut bench.dc).group(1500, &[1100, 1101]);
    assert_eq!(bench.cycle(last(1100..1103, 4)).unwrap().never, 2);
}

#[test]
fn without_the_descriptor_of_the_head_no_cycle_runs() {
    let mut bench = Bench::new();
    bench.dc.hides_descriptor = true;
    let refused = bench.cycle(last(1100..1103, 4)).unwrap_err();
    assert!(matches!(refused, PhsError::HeadUnreadable(_)), "{refused}");
    assert!(bench.cloud.uploads.is_empty());
}

#[test]
fn what_was_sent_and_not_written_down_leaves_when_it_left_the_scope_meanwhile() {
    let mut bench = Bench::new();
    let gone = crate::scope::Term { attribute: Attribute::Department, value: "gone".to_owned() };
    bench.scope.without = vec![gone];
    bench.cycle(last(2000..2001, 4)).unwrap();
    // Two uploads: the second one fails, so the rows of both are lost.
    bench.cloud.uploads.clear();
    bench.cloud.breaks_after = Some(1);
    bench.cycle(last(1100..1400, 5)).unwrap_err();
    let (_, told, _) = bench.cloud.uploads.remove(0);
    assert!(told.contains(&(1100, Presence::Present)) && told.contains(&(1101, Presence::Present)));
    assert!(bench.mirror().object(guid(1100)).unwrap().is_none());
    // Meanwhile one is filtered out, and one is not.
    bench.cloud.breaks_after = None;
    bench.cloud.uploads.clear();
    let mut changes = users(1101..1400);
    let gone = Some(Value::Text("gone".to_owned()));
    changes.push(Telling::user(1100).with(Attribute::Department, gone).tell());
    bench.cycle(vec![page(changes, vec![], Progress::Last(cursor(6)))]).unwrap();
    let all: Vec<_> = bench.cloud.uploads.iter().flat_map(|(_, told, _)| told.clone()).collect();
    assert!(all.contains(&(1100, Presence::OutOfScope)), "{all:?}");
    assert!(all.contains(&(1101, Presence::Present)));
    assert!(bench.mirror().left_sending().unwrap().is_empty(), "settled");
    bench.cloud.uploads.clear();
    bench.cycle(last(0..0, 7)).unwrap();
    assert!(bench.cloud.uploads.iter().all(|(_, told, _)| told.is_empty()));
}
