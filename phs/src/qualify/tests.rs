//! Who is carried, sentence by sentence.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::fixture::{Dc, READER, Telling, domain, guid, link, link_stamp, page as told, quarantined, stamp};
use crate::mirror::tests::directory;
use crate::mirror::{Bounds, Flaw};
use crate::qualify::privileged::protected_groups;
use crate::read::described;
use crate::scope::Scope;
use landbridge_drsr::drs::attribute::Class;
use landbridge_drsr::drs::change::{Link, Linked, Progress};

struct Bench {
    mirror: Mirror,
    dc: Dc,
    include: Vec<Sid>,
    holders: Vec<Sid>,
    scope: Scope,
    full: bool,
    secrets: bool,
    now: i64,
    _directory: tempfile::TempDir,
}

/// What decides, for a phs that reads with [`READER`].
fn bounds<'a>(
    domain: &'a Sid,
    protected: &'a [Sid],
    holders: &'a [Sid],
    include: &'a [Sid],
    scope: &'a Scope,
) -> Bounds<'a> {
    Bounds { domain, protected, holders, account: Some(guid(READER)), include, scope }
}

impl Bench {
    fn new(dc: Dc) -> Self {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        let bench = Self {
            mirror,
            dc,
            include: Vec::new(),
            holders: Vec::new(),
            scope: Scope::default(),
            full: false,
            secrets: true,
            now: 5,
            _directory: directory,
        };
        bench.resolve();
        bench
    }

    fn resolve(&self) {
        let domain = domain();
        let protected = protected_groups(&domain);
        self.mirror.unsettle();
        let bounds = bounds(&domain, &protected, &self.holders, &self.include, &self.scope);
        self.mirror.resolve(&bounds).unwrap();
    }

    fn run(
        &mut self,
        work: impl FnOnce(&Mirror, &mut dyn Singles, &Rules<'_>) -> Result<Batch, PhsError>,
    ) -> Batch {
        self.try_run(work).unwrap()
    }

    fn try_run(
        &mut self,
        work: impl FnOnce(&Mirror, &mut dyn Singles, &Rules<'_>) -> Result<Batch, PhsError>,
    ) -> Result<Batch, PhsError> {
        let domain = domain();
        let protected = protected_groups(&domain);
        let bounds = bounds(&domain, &protected, &self.holders, &self.include, &self.scope);
        let rules = Rules {
            bounds,
            alternate_login: None,
            reserving: None,
            full: self.full,
            secrets: self.secrets,
            cycle: Uuid::from_u128(99),
            now: self.now,
        };
        work(&self.mirror, &mut self.dc, &rules)
    }

    /// Reads the groups whose members are held back.
    fn learn(&mut self, full: bool) -> Result<(), PhsError> {
        let domain = domain();
        let protected = protected_groups(&domain);
        let bounds = bounds(&domain, &protected, &self.holders, &self.include, &self.scope);
        privileged::learn(&self.mirror, &mut self.dc, &bounds, full, &|| Ok(()))
    }

    fn page(&mut self, changes: Vec<Telling>, links: Vec<Link>) -> Batch {
        let changes = changes.into_iter().map(Telling::tell).collect();
        self.run(|mirror, dc, rules| page(told(changes, links, Progress::More), mirror, dc, rules))
    }

    /// What a sweep over all objects mends.
    fn sweep(&mut self, hold: bool) -> Batch {
        self.resolve();
        let mut misplaced = self.mirror.misplaced(false, None, 100).unwrap();
        misplaced.extend(self.mirror.misplaced(true, None, 100).unwrap());
        self.run(|mirror, dc, rules| {
            let mut all = Batch::default();
            for object in misplaced {
                let Batch { drafts, entered, removed, privileged, .. } =
                    mend(object, mirror, dc, rules, hold)?;
                all.drafts.extend(drafts);
                all.entered.extend(entered);
                (all.removed, all.privileged) = (all.removed + removed, all.privileged + privileged);
            }
            Ok(all)
        })
    }
}

/// RID, presence, attributes, password; without containers, and without the attributes that say where an object is in
/// the tree: `cycle::tests::tree` has both.
fn drafts(batch: &Batch) -> Vec<(u32, Presence, usize, bool)> {
    let rid = |d: &Draft| u32::try_from(d.object.as_u128()).unwrap();
    let objects = batch.drafts.iter().filter(|d| d.kind != upload::Kind::Container);
    objects.map(|d| (rid(d), d.presence, attributes(d), d.password.is_some())).collect()
}

fn attributes(draft: &Draft) -> usize {
    let is_place = |is: &upload::AttributeValue| {
        matches!(is, upload::AttributeValue::Rdn(_) | upload::AttributeValue::Parent(_))
    };
    draft.attributes.iter().filter(|one| !is_place(&one.is)).count()
}

const USER_ATTRIBUTES: usize = 3 /* sAMAccountName, userAccountControl, primaryGroupID */;

#[test]
fn a_new_user_is_carried_whole_with_the_password() {
    let mut bench = Bench::new(Dc::default());
    let batch = bench.page(vec![Telling::user(1105)], vec![]);
    assert_eq!(drafts(&batch), [(1105, Presence::Present, USER_ATTRIBUTES, true)]);
    assert_eq!(batch.drafts[0].protected_user, Some(false));
    assert_eq!(batch.in_scope, 1);
    assert!(bench.dc.asked.is_empty());
}

#[test]
fn an_inet_org_person_is_a_person_and_a_computer_is_not() {
    let mut bench = Bench::new(Dc::default());
    let person = Telling::object(1105, &[Class::Top, Class::Person, Class::User, Class::InetOrgPerson]);
    let others = [
        Telling::object(1106, &[Class::Top, Class::Person, Class::User, Class::Computer]),
        Telling::object(1107, &[Class::User, Class::Computer, Class::GroupManagedServiceAccount]),
        Telling::object(1108, &[Class::Top, Class::Container]),
    ];
    let all = std::iter::once(person).chain(others).map(|telling| telling.password(1)).collect();
    let batch = bench.page(all, vec![]);
    assert_eq!(drafts(&batch), [(1105, Presence::Present, 0, true)]);
}

#[test]
fn accounts_of_machines_trusts_and_the_kdc_are_never_carried_even_if_named() {
    let mut bench = Bench::new(Dc::default());
    bench.include = [502, 1105, 1106, 1107, 1108].map(|rid| domain().with_rid(rid)).to_vec();
    let named = |rid, name: &str| {
        Telling::user(rid).with(Attribute::SamAccountName, Some(Value::Text(name.to_owned())))
    };
    let all = vec![
        named(502, "renamed"),
        Telling::user(1105).number(Attribute::UserAccountControl, 0x1000),
        Telling::user(1106).number(Attribute::UserAccountControl, 0x2000),
        Telling::user(1107).number(Attribute::UserAccountControl, 0x0800),
        named(1108, "krbtgt_20561"),
    ];
    let batch = bench.page(all, vec![]);
    assert_eq!(drafts(&batch), []);
    let further = vec![
        named(1109, "krbtgt_AzureAD"),
        Telling::user(1110).number(Attribute::SecondaryKrbTgtNumber, 20_561),
    ];
    assert_eq!(drafts(&bench.page(further, vec![])), []);
    let batch = bench.page(vec![named(1111, "krbtgt")], vec![]);
    assert_eq!(drafts(&batch), []);
    let batch = bench.page(vec![named(1112, "krbtgtfan")], vec![]);
    assert_eq!(batch.drafts.len(), 1, "a person may be called so");
}

#[test]
fn who_reads_with_phs_or_reaches_every_password_or_is_critical_is_in_no_upload_even_if_named() {
    let mut bench = Bench::new(Dc::default());
    bench.holders = vec![domain().with_rid(1201), domain().with_rid(1106)];
    bench.include = [READER, 1105, 1106, 1107].map(|rid| domain().with_rid(rid)).to_vec();
    let critical =
        |rid| Telling::user(rid).with(Attribute::IsCriticalSystemObject, Some(Value::Boolean(true)));
    let links = vec![link(1201, 1105, true)];
    let all = vec![
        Telling::group(1201),
        Telling::user(READER),
        Telling::user(1105),
        Telling::user(1106),
        critical(1107),
        Telling::user(1108),
    ];
    let batch = bench.page(all, links);
    assert_eq!(
        drafts(&batch),
        [(1201, Presence::Present, 0, false), (1108, Presence::Present, USER_ATTRIBUTES, true)]
    );
    assert_eq!(batch.never, 4);
    // One that was carried leaves, once, without anything of it.
    bench.page(vec![], vec![link(1201, 1108, true)]);
    assert_eq!(
        drafts(&bench.sweep(true)),
        [(1108, Presence::OutOfScope, 0, false)],
        "the guard holds none of them"
    );
    assert_eq!(drafts(&bench.sweep(true)), []);
    assert_eq!(drafts(&bench.page(vec![Telling::user(1108)], vec![])), []);
    // And comes back when the right is gone.
    bench.dc = Dc::default().holds(1108, || Telling::user(1108));
    bench.page(vec![], vec![link(1201, 1108, false)]);
    assert_eq!(drafts(&bench.sweep(true)), [(1108, Presence::Present, USER_ATTRIBUTES, true)]);
}

#[test]
fn a_privileged_account_with_rights_over_every_password_is_not_carried_though_it_is_included() {
    let mut bench = Bench::new(Dc::default());
    bench.include = vec![domain().with_rid(1105)];
    let admin = || Telling::user(1105).number(Attribute::AdminCount, 1);
    assert_eq!(bench.page(vec![admin()], vec![]).drafts[0].presence, Presence::Present);
    bench.holders = bench.include.clone();
    assert_eq!(drafts(&bench.sweep(true)), [(1105, Presence::Privileged, 0, false)]);
}

#[test]
fn a_group_whose_members_are_held_back_and_that_cannot_be_read_ends_the_cycle_with_its_name() {
    let unreadable = |rid: u32, link| quarantined(rid, link, "odd");
    // 1. Before the first page: itself, or an object in it that may be a group.
    let mut bench = Bench::new(Dc::default().group(512, &[1201]));
    bench.dc.unreadable = vec![1201];
    let refused = bench.learn(true).unwrap_err().to_string();
    assert!(refused.contains(&guid(1201).to_string()) && refused.contains("nothing is sent"), "{refused}");
    bench.page(vec![Telling::user(1201)], vec![]);
    bench.learn(true).unwrap();
    // 2. In a page.
    for link in [true, false] {
        let mut bench = Bench::new(Dc::default());
        bench.holders = vec![domain().with_rid(1300)];
        bench.page(vec![Telling::group(1300), Telling::group(1301), Telling::group(1302)], vec![]);
        bench.page(vec![], vec![crate::fixture::link(1300, 1301, true)]);
        bench.resolve();
        let mut read = |rid| {
            let page =
                Page { quarantined: vec![unreadable(rid, link)], ..told(vec![], vec![], Progress::More) };
            bench.try_run(|mirror, dc, rules| super::page(page, mirror, dc, rules)).map(drop)
        };
        let refused = read(1301).unwrap_err();
        assert!(
            refused.to_string().starts_with("object 1301 is one whose members are held back"),
            "{refused}"
        );
        read(1302).unwrap();
    }
}

#[test]
fn a_privileged_account_leaves_without_its_password() {
    let mut bench = Bench::new(Dc::default());
    bench
        .mirror
        .put(&Object { kind: Kind::Group, sid: Some(domain().with_rid(512)), ..Object::unknown(guid(512)) })
        .unwrap();
    bench.mirror.set_link(Linked::Member, guid(512), guid(1102), Some(link_stamp(1))).unwrap();
    bench.resolve();
    let all = vec![
        Telling::user(500),
        Telling::user(1101).number(Attribute::AdminCount, 1),
        Telling::user(1102),
        Telling::user(1103).number(Attribute::PrimaryGroupId, 512),
        Telling::user(1104),
    ];
    let batch = bench.page(all, vec![]);
    let held = |rid| (rid, Presence::Privileged, 0, false);
    let present = (1104, Presence::Present, USER_ATTRIBUTES, true);
    assert_eq!(drafts(&batch), [held(500), held(1101), held(1102), held(1103), present]);
    assert_eq!((batch.privileged, batch.in_scope), (4, 1));
}

#[test]
fn a_privileged_account_that_the_administrator_named_is_carried() {
    let mut bench = Bench::new(Dc::default());
    bench.include = vec![domain().with_rid(1101)];
    bench.resolve();
    let batch = bench.page(vec![Telling::user(1101).number(Attribute::AdminCount, 1)], vec![]);
    assert_eq!(drafts(&batch), [(1101, Presence::Present, USER_ATTRIBUTES + 1, true)]);
    assert!(batch.drafts.iter().all(|draft| draft.privileged), "the tenant is told what it is");
    assert_eq!(drafts(&bench.sweep(false)), []);
}

#[test]
fn a_privileged_account_is_told_once_and_again_in_a_full_compare() {
    let mut bench = Bench::new(Dc::default());
    assert_eq!(bench.page(vec![Telling::user(500)], vec![]).drafts.len(), 1);
    assert_eq!(bench.page(vec![Telling::of(500).password(2)], vec![]).drafts.len(), 0);
    bench.full = true;
    assert_eq!(bench.page(vec![Telling::user(500)], vec![]).drafts.len(), 1);
}

#[test]
fn a_reset_of_a_known_account_carries_the_password_alone() {
    let mut bench = Bench::new(Dc::default());
    bench.page(vec![Telling::user(1105)], vec![]);
    let reset = Telling::of(1105).with(Attribute::PwdLastSet, Some(Value::LargeInteger(7))).password(2);
    let batch = bench.page(vec![reset], vec![]);
    assert_eq!(drafts(&batch), [(1105, Presence::Present, 1, true)]);
    assert_eq!(batch.drafts[0].protected_user, None);
    assert_eq!(bench.mirror.object(guid(1105)).unwrap().unwrap().password, Some(stamp(2)));
    assert!(bench.dc.asked.is_empty());
}

#[test]
fn a_change_of_nothing_that_is_carried_sends_nothing() {
    let mut bench = Bench::new(Dc::default());
    bench.page(vec![Telling::user(1105)], vec![]);
    let described = Telling::of(1105)
        .with(Attribute::Description, Some(Value::Texts(vec!["other".to_owned()])))
        .with(Attribute::DnsHostName, Some(Value::Text("other".to_owned())));
    assert!(bench.page(vec![described], vec![]).drafts.is_empty());
    assert_eq!(bench.mirror.object(guid(1105)).unwrap().unwrap().host.as_deref(), Some("other"));
}

#[test]
fn an_unknown_account_is_looked_at_without_secrets_before_it_is_read_with_them() {
    let dc = Dc::default()
        .holds(1105, || Telling::user(1105).password(3))
        .holds(1106, || Telling::user(1106).number(Attribute::AdminCount, 1));
    let mut bench = Bench::new(dc);
    let batch = bench.page(vec![Telling::of(1105).password(3), Telling::of(1106).password(3)], vec![]);
    let expected = [(1105, Presence::Present, USER_ATTRIBUTES, true), (1106, Presence::Privileged, 0, false)];
    assert_eq!(drafts(&batch), expected);
    assert_eq!(bench.dc.asked, [(1105, false), (1105, true), (1106, false)]);
}

#[test]
fn a_deleted_account_is_told_and_its_password_forgotten() {
    let mut bench = Bench::new(Dc::default());
    bench.page(vec![Telling::user(1105)], vec![]);
    let batch = bench.page(vec![Telling::of(1105).deleted()], vec![]);
    assert_eq!(drafts(&batch), [(1105, Presence::Deleted, 0, false)]);
    assert_eq!(batch.removed, 1);
    assert_eq!(bench.mirror.object(guid(1105)).unwrap().unwrap().password, None);
    assert_eq!(drafts(&bench.page(vec![Telling::of(1105).deleted()], vec![])), [], "once is enough");
}

#[test]
fn a_tombstone_of_a_stranger_is_told_because_we_may_have_told_of_it_before_we_died() {
    let mut bench = Bench::new(Dc::default());
    let batch = bench.page(vec![Telling::of(1105).deleted()], vec![]);
    assert_eq!(drafts(&batch), [(1105, Presence::Deleted, 0, false)]);
    bench.full = true;
    assert_eq!(drafts(&bench.page(vec![Telling::user(1106).deleted()], vec![])), []);
}

#[test]
fn a_reanimated_account_is_read_anew() {
    let mut bench = Bench::new(Dc::default().holds(1105, || Telling::user(1105).password(2)));
    bench.page(vec![Telling::user(1105)], vec![]);
    bench.page(vec![Telling::of(1105).deleted()], vec![]);
    let batch = bench.page(vec![Telling::of(1105).with(Attribute::IsDeleted, None)], vec![]);
    assert_eq!(drafts(&batch), [(1105, Presence::Present, USER_ATTRIBUTES, true)]);
    assert_eq!(bench.dc.asked, [(1105, true)]);
}

#[test]
fn a_reanimated_account_is_in_the_groups_that_the_dc_says_and_in_no_others() {
    for (members, presence) in [(&[][..], Presence::Present), (&[1105][..], Presence::Privileged)] {
        let dc = Dc::default().group(512, members).holds(1105, || Telling::user(1105).password(2));
        let mut bench = Bench::new(dc);
        bench.page(vec![Telling::group(512), Telling::user(1105)], vec![link(512, 1105, true)]);
        bench.page(vec![Telling::of(1105).deleted()], vec![]);
        // No link comes with it, whatever became of them.
        let batch = bench.page(vec![Telling::of(1105).with(Attribute::IsDeleted, None)], vec![]);
        let told: Vec<_> = drafts(&batch).iter().map(|(who, presence, ..)| (*who, *presence)).collect();
        assert_eq!((told, batch.unsettled), (vec![(1105, presence)], true));
    }
}

#[test]
fn the_tenant_hears_that_a_reanimated_account_lost_its_groups() {
    let dc = Dc::default().group(1201, &[]).group(1202, &[1105]).holds(1105, || Telling::user(1105));
    let mut bench = Bench::new(dc);
    let groups = vec![Telling::group(1201), Telling::group(1202), Telling::user(1105)];
    bench.page(groups, vec![link(1201, 1105, true), link(1202, 1105, true)]);
    bench.page(vec![Telling::of(1105).deleted()], vec![]);
    let batch = bench.page(vec![Telling::of(1105).with(Attribute::IsDeleted, None)], vec![]);
    let told: Vec<_> = batch.links.iter().map(|link| (link.from, link.to, link.present)).collect();
    assert_eq!(told, [(guid(1201), guid(1105), false)]);
    let link = batch.links[0];
    assert_eq!(
        (link.created, link.stamp.version),
        (7, 2),
        "later than what the tenant holds, earlier than any new link"
    );
}

#[test]
fn a_promotion_by_the_last_pages_links_takes_the_digest_back() {
    let mut bench = Bench::new(Dc::default());
    bench.page(vec![Telling::group(512), Telling::group(1200), Telling::user(1105)], vec![]);
    bench.page(vec![], vec![link(512, 1200, true), link(1200, 1105, true)]);
    let told = [(1105, Presence::Privileged, 0, false), (1200, Presence::OutOfScope, 0, false)];
    assert_eq!(drafts(&bench.sweep(false)), told, "and the group between with it");
    assert_eq!(drafts(&bench.sweep(false)), []);
}

#[test]
fn a_demotion_is_read_alone_and_carried_with_the_password() {
    let mut bench = Bench::new(Dc::default().holds(1105, || Telling::user(1105).password(4)));
    bench.page(vec![Telling::group(512)], vec![link(512, 1105, true)]);
    bench.resolve();
    assert_eq!(bench.page(vec![Telling::user(1105)], vec![]).privileged, 1);
    bench.page(vec![], vec![link(512, 1105, false)]);
    let batch = bench.sweep(false);
    assert_eq!(drafts(&batch), [(1105, Presence::Present, USER_ATTRIBUTES, true)]);
    assert_eq!(bench.dc.asked_with_secrets(), [1105]);
    assert_eq!(drafts(&bench.sweep(false)), []);
}

#[test]
fn whoever_enters_after_the_last_page_of_a_full_compare_has_all_links_told() {
    let mut bench = Bench::new(Dc::default().group(1201, &[1105]));
    bench.full = true;
    let groups = vec![Telling::group(512), Telling::group(1201)];
    let batch = bench.page(groups, vec![link(512, 1201, true), link(1201, 1105, true)]);
    assert_eq!((drafts(&batch), batch.links.len()), (vec![], 0), "a protected group");
    bench.page(vec![], vec![link(512, 1201, false)]);
    let batch = bench.sweep(false);
    assert_eq!(drafts(&batch), [(1201, Presence::Present, 0, false)]);
    assert_eq!(batch.entered, [guid(1201)]);
}

#[test]
fn a_demotion_that_is_none_any_more_ends() {
    let dc = Dc::default().holds(1105, || Telling::user(1105).number(Attribute::AdminCount, 1));
    let mut bench = Bench::new(dc);
    bench.page(vec![Telling::group(512)], vec![link(512, 1105, true)]);
    bench.resolve();
    bench.page(vec![Telling::user(1105)], vec![]);
    bench.page(vec![], vec![link(512, 1105, false)]);
    assert_eq!(drafts(&bench.sweep(false)), [(1105, Presence::Privileged, 0, false)]);
    assert_eq!(drafts(&bench.sweep(false)), []);
}

#[test]
fn entering_protected_users_is_told_and_does_not_hold_back() {
    let mut bench = Bench::new(Dc::default());
    let batch = bench.page(vec![Telling::group(525), Telling::user(1104)], vec![link(525, 1104, true)]);
    assert_eq!(batch.drafts[1].protected_user, Some(true), "known before anybody is told");
    bench.page(vec![Telling::user(1105)], vec![]);
    bench.page(vec![], vec![link(525, 1105, true)]);
    let batch = bench.sweep(false);
    assert_eq!(drafts(&batch), [(1105, Presence::Present, 0, false)]);
    assert_eq!(batch.drafts[0].protected_user, Some(true));
    bench.page(vec![], vec![link(525, 1105, false)]);
    assert_eq!(bench.sweep(false).drafts[0].protected_user, Some(false));
}

#[test]
fn what_cannot_be_read_goes_to_quarantine_and_comes_back_whole() {
    let mut bench = Bench::new(Dc::default().holds(1105, || Telling::user(1105).password(2)));
    bench.page(vec![Telling::user(1105), Telling::user(1106)], vec![]);
    let mut odd = told(vec![], vec![], Progress::More);
    odd.quarantined.push(quarantined(1105, false, "a value of the wrong length"));
    let batch = bench.run(|mirror, dc, rules| page(odd, mirror, dc, rules));
    assert_eq!((drafts(&batch), batch.quarantined), (vec![(1105, Presence::Present, 0, false)], 1));
    assert!(batch.drafts[0].erase_password, "what the tenant knows is outdated");
    assert_eq!(bench.mirror.object(guid(1105)).unwrap().unwrap().password, None);
    assert_eq!(bench.mirror.count_flaws().unwrap().quarantined, 1);
    let batch = bench.page(vec![Telling::of(1105).password(2)], vec![]);
    assert_eq!(drafts(&batch), [(1105, Presence::Present, USER_ATTRIBUTES, true)]);
    assert_eq!(bench.mirror.flaws(9).unwrap(), []);
}

#[test]
fn a_link_that_cannot_be_read_holds_back_no_other_link_of_its_group() {
    let mut bench = Bench::new(Dc::default());
    bench.page(vec![Telling::group(1201), Telling::user(1105)], vec![]);
    for changes in [vec![], vec![Telling::of(1201).number(Attribute::GroupType, 2).tell()]] {
        let mut odd = told(changes, vec![link(1201, 1105, true)], Progress::More);
        odd.quarantined.push(quarantined(1201, true, "one of its links: its value is no name"));
        let batch = bench.run(|mirror, dc, rules| page(odd, mirror, dc, rules));
        assert_eq!((batch.links.len(), batch.quarantined, batch.left_out), (1, 0, 1));
        let flaws = bench.mirror.flaws(9).unwrap();
        assert!(
            matches!(flaws.as_slice(), [flaw] if !flaw.quarantine && flaw.attribute.is_empty()),
            "{flaws:?}"
        );
    }
    assert_eq!(bench.page(vec![], vec![link(1201, 1105, false)]).links.len(), 1);
    bench.page(vec![Telling::of(1201).number(Attribute::GroupType, 4)], vec![]);
    assert_eq!(bench.mirror.flaws(9).unwrap(), []);
}

#[test]
fn a_value_that_the_wire_cannot_carry_holds_back_its_account_alone() {
    let mut bench = Bench::new(Dc::default());
    let long = Telling::user(1105).with(Attribute::SamAccountName, Some(Value::Text("x".repeat(800))));
    let batch = bench.page(vec![long, Telling::user(1106)], vec![]);
    assert_eq!(drafts(&batch), [(1106, Presence::Present, USER_ATTRIBUTES, true)]);
    assert_eq!(batch.quarantined, 1);
    let flaws = bench.mirror.flaws(9).unwrap();
    assert!(
        matches!(flaws.as_slice(), [flaw] if flaw.quarantine && flaw.attribute == "sAMAccountName"),
        "{flaws:?}"
    );
}

/// The flaws by object and attribute, with when they were first seen and whether the object is in quarantine.
fn flaws(bench: &Bench) -> Vec<(u32, String, i64, bool)> {
    let rid = |flaw: &Flaw| u32::try_from(flaw.object.as_u128()).unwrap();
    let flaws = bench.mirror.flaws(99).unwrap();
    flaws.into_iter().map(|flaw| (rid(&flaw), flaw.attribute, flaw.since, flaw.quarantine)).collect()
}

#[test]
fn an_unreadable_attribute_that_describes_is_left_out_listed_and_off_the_list_when_it_is_mended() {
    let mut bench = Bench::new(Dc::default());
    let odd = || Telling::user(1105).unreadable(Attribute::Title).unreadable(Attribute::Mobile);
    let batch = bench.page(vec![odd(), Telling::user(1106)], vec![]);
    assert_eq!(
        drafts(&batch),
        [
            (1105, Presence::Present, USER_ATTRIBUTES + 2, true),
            (1106, Presence::Present, USER_ATTRIBUTES, true)
        ]
    );
    let gone = |is: &upload::AttributeValue| {
        matches!(is, upload::AttributeValue::Title(None) | upload::AttributeValue::Mobile(None))
    };
    assert_eq!(
        batch.drafts[0].attributes.iter().filter(|one| gone(&one.is)).count(),
        2,
        "no old value stays"
    );
    assert_eq!((batch.quarantined, batch.left_out), (0, 2));
    let (mobile, title) = ("mobile".to_owned(), "title".to_owned());
    assert_eq!(flaws(&bench), [(1105, mobile.clone(), 5, false), (1105, title.clone(), 5, false)]);
    // 1. A change of something else leaves the list as it is.
    bench.page(vec![Telling::of(1105).password(2)], vec![]);
    assert_eq!(flaws(&bench).len(), 2);
    // 2. One is mended by a change of its own, the other one is found again later and keeps its time.
    bench.now = 9;
    let mended = Telling::of(1105).with(Attribute::Title, Some(Value::Text("Countess".to_owned())));
    bench.page(vec![mended.unreadable(Attribute::Mobile)], vec![]);
    assert_eq!(flaws(&bench), [(1105, mobile, 5, false)]);
    // 3. A removed value is mended, too, and so is what a whole object lacks.
    bench.page(vec![Telling::of(1105).with(Attribute::Mobile, None)], vec![]);
    assert_eq!(flaws(&bench), []);
    bench.page(vec![odd()], vec![]);
    bench.page(vec![Telling::user(1105)], vec![]);
    assert_eq!(flaws(&bench), []);
    // 4. Who leaves has none.
    bench.page(vec![odd()], vec![]);
    bench.page(vec![Telling::of(1105).deleted()], vec![]);
    assert_eq!(flaws(&bench), []);
}

#[test]
fn what_an_object_does_not_carry_is_no_flaw_of_it() {
    let mut bench = Bench::new(Dc::default());
    let computer = Telling::object(1107, &[Class::User, Class::Computer]).unreadable(Attribute::DisplayName);
    let person = Telling::user(1105).unreadable(Attribute::Description);
    let group =
        Telling::group(1201).unreadable(Attribute::Title).unreadable(described::named("company").unwrap());
    let privileged = Telling::user(500).unreadable(Attribute::Title);
    let batch = bench.page(vec![computer, person, group, privileged], vec![]);
    assert_eq!((batch.left_out, flaws(&bench)), (0, vec![]));
    assert_eq!(batch.drafts.len(), 3);
}

#[test]
fn a_name_that_cannot_be_read_does_not_make_a_new_object_be_read_alone() {
    let mut bench = Bench::new(Dc::default());
    let batch = bench.page(vec![Telling::user(1105).unreadable(Attribute::Name)], vec![]);
    assert_eq!(drafts(&batch), [(1105, Presence::Present, USER_ATTRIBUTES, true)]);
    assert!(bench.dc.asked.is_empty());
}

#[test]
fn an_attribute_of_the_filter_that_cannot_be_read_holds_its_account_back_and_no_container() {
    let town = described::named("l").unwrap();
    for scope in ["with", "without"] {
        let term = crate::scope::Term { attribute: town, value: "Graz".to_owned() };
        let (with, without) = if scope == "with" { (vec![term], vec![]) } else { (vec![], vec![term]) };
        let alone = move || Telling::user(1106).unreadable(town);
        let mut bench =
            Bench::new(Dc::default().holds(1106, alone)).scoped(Scope { with, without, ..Scope::default() });
        let graz = |telling: Telling| telling.with(town, Some(Value::Text("Wien".to_owned())));
        let container = Telling::object(3, &[Class::OrganizationalUnit]).unreadable(town);
        let odd = Telling::user(1105).unreadable(town);
        let batch = bench.page(vec![container, odd, graz(Telling::user(1107))], vec![]);
        assert_eq!(batch.quarantined, 1, "{scope}");
        assert!(batch.drafts.iter().all(|draft| draft.object != guid(1105)), "{scope}");
        assert_eq!(flaws(&bench), [(1105, "l".to_owned(), 5, true)], "{scope}");
        assert!(bench.mirror.object(guid(3)).unwrap().is_some(), "its people are found");
        // One that is read alone, too.
        bench.page(vec![Telling::of(1106).password(2)], vec![]);
        assert!(flaws(&bench).contains(&(1106, "l".to_owned(), 5, true)) || scope == "with", "{scope}");
    }
}

#[test]
fn an_object_in_quarantine_keeps_the_time_since_when_while_it_is_read_again() {
    let mut bench = Bench::new(Dc::default());
    let long = |n: usize| {
        Telling::user(1105).with(Attribute::SamAccountName, Some(Value::Text("x".repeat(800 + n))))
    };
    bench.page(vec![long(1)], vec![]);
    bench.now = 9;
    bench.page(vec![long(2)], vec![]);
    assert_eq!(flaws(&bench), [(1105, "sAMAccountName".to_owned(), 5, true)]);
    bench.page(vec![Telling::user(1105)], vec![]);
    assert_eq!(flaws(&bench), []);
}

#[test]
fn a_dry_run_reads_no_secret_and_counts_only_passwords_that_the_tenant_lacks() {
    let mut bench = Bench::new(Dc::default().holds(1107, || Telling::user(1107).withheld(1)));
    bench.page(vec![Telling::user(1105), Telling::user(1106)], vec![]);
    bench.secrets = false;
    let all =
        vec![Telling::of(1105).withheld(1), Telling::of(1106).withheld(2), Telling::of(1107).withheld(1)];
    let batch = bench.page(all, vec![]);
    let expected = [(1106, Presence::Present, 0, true), (1107, Presence::Present, USER_ATTRIBUTES, true)];
    assert_eq!(drafts(&batch), expected);
    assert!(bench.dc.asked_with_secrets().is_empty());
}

#[test]
fn the_domain_head_carries_the_policy_and_no_account() {
    let mut bench = Bench::new(Dc::default());
    let mut head =
        Telling::object(0, &[Class::Top, Class::DomainDns]).number(Attribute::LockoutThreshold, 5).tell();
    head.domain_head = true;
    head.object.sid = Some(domain());
    let batch =
        bench.run(|mirror, dc, rules| page(told(vec![head], vec![], Progress::More), mirror, dc, rules));
    assert_eq!(batch.policy.unwrap().lockout_threshold.unwrap().1, 5);
    assert!(batch.drafts.is_empty());
}

#[test]
fn the_groups_within_protected_groups_are_learnt_before_any_page() {
    let dc = Dc::default()
        .group(512, &[1200, 500])
        .group(1200, &[1201, 1105])
        .group(1201, &[512])
        .holds(500, || Telling::user(500))
        .holds(1105, || Telling::user(1105));
    let mut bench = Bench::new(dc);
    bench.learn(false).unwrap();
    bench.resolve();
    let batch = bench.page(vec![Telling::user(1105)], vec![]);
    assert_eq!(drafts(&batch), [(1105, Presence::Privileged, 0, false)]);
    assert!(bench.dc.asked_with_secrets().is_empty());
    let mut asked: Vec<_> = bench.dc.asked.iter().map(|(rid, _)| *rid).collect();
    asked.sort_unstable();
    assert_eq!(asked, [500, 512, 1105, 1200, 1201], "each once, though they form a ring");
}

#[test]
fn a_protected_group_of_every_domain_that_the_controller_denies_ends_the_cycle() {
    for rid in privileged::IN_EVERY_DOMAIN {
        let mut bench = Bench::new(Dc::default());
        bench.dc.denied = vec![rid];
        for full in [false, true] {
            let refused = bench.learn(full).unwrap_err();
            let PhsError::GroupUnreadable { group, .. } = &refused else { panic!("{rid}: {refused}") };
            assert!(group.ends_with(&format!("-{rid}")), "{refused}");
        }
    }
    // The others exist in some domains only.
    Bench::new(Dc::default()).learn(true).unwrap();
}

#[test]
fn a_group_of_which_nothing_comes_ends_the_cycle_wherever_it_stands() {
    for blank in [512, 544, 518, 1201] {
        let dc = Dc::default().group(512, &[1201]).group(1201, &[1105]);
        let mut bench = Bench::new(dc);
        bench.dc.blank = vec![blank];
        let refused = bench.learn(true).unwrap_err();
        assert!(matches!(refused, PhsError::GroupUnreadable { .. }), "{blank}: {refused}");
    }
}

#[test]
fn a_controller_that_lags_behind_makes_nobody_less_privileged_but_a_full_compare_believes_it() {
    let mut bench = Bench::new(Dc::default().group(512, &[1106]));
    bench.page(vec![Telling::group(512), Telling::user(1105), Telling::user(1106)], vec![]);
    bench.page(vec![], vec![link(512, 1105, true)]);
    let mut privileged = |full| {
        bench.learn(full).unwrap();
        bench.resolve();
        [1105, 1106].map(|rid| {
            let object = bench.mirror.object(guid(rid)).unwrap().unwrap();
            bench.mirror.position(&object).unwrap().protected
        })
    };
    assert_eq!(privileged(false), [true, true]);
    assert_eq!(privileged(true), [false, true]);
}

/// OU 1 is named by the scope, OU 2 is not; group 1201 too, where groups are.
impl Bench {
    fn scoped(mut self, scope: Scope) -> Self {
        for ou in [1, 2] {
            self.mirror.put(&Object { parent: Some(guid(0)), ..Object::unknown(guid(ou)) }).unwrap();
            self.mirror.set_entry(&format!("OU={ou},DC=x"), guid(ou)).unwrap();
        }
        self.mirror.set_entry("CN=1201,DC=x", guid(1201)).unwrap();
        self.scope = scope;
        self.resolve();
        self
    }
}

fn in_ou(ou: u32, telling: Telling) -> Telling {
    telling.within(ou)
}

fn staff() -> Scope {
    Scope { include: vec!["OU=1,DC=x".to_owned()], ..Scope::default() }
}

#[test]
fn whoever_is_moved_into_the_scope_is_read_alone_with_the_password_and_moved_out_is_told_at_the_end() {
    let mut bench = Bench::new(Dc::default().holds(1106, || in_ou(1, Telling::user(1106)))).scoped(staff());
    let both = vec![in_ou(1, Telling::user(1105)), in_ou(2, Telling::user(1106))];
    assert_eq!(drafts(&bench.page(both, vec![])), [(1105, Presence::Present, USER_ATTRIBUTES, true)]);
    let moved = vec![in_ou(2, Telling::of(1105)), in_ou(1, Telling::of(1106))];
    let batch = bench.page(moved, vec![]);
    assert_eq!(drafts(&batch), [(1106, Presence::Present, USER_ATTRIBUTES, true)]);
    assert!(batch.unsettled);
    assert_eq!(bench.dc.asked, [(1106, true)]);
    assert_eq!(drafts(&bench.sweep(false)), [(1105, Presence::OutOfScope, 0, false)]);
    let left = bench.mirror.object(guid(1105)).unwrap().unwrap();
    assert_eq!((left.sent, left.left_at, left.password), (Some(Sent::OutOfScope), Some(5), None));
    assert_eq!(drafts(&bench.sweep(false)), []);
}

#[test]
fn who_is_held_back_stays_whole_and_is_switched_off_and_deleted_all_the_same() {
    let mut bench = Bench::new(Dc::default()).scoped(staff());
    bench.page(vec![in_ou(1, Telling::user(1105)), in_ou(1, Telling::user(1106))], vec![]);
    bench.page(vec![in_ou(2, Telling::of(1105)), in_ou(2, Telling::of(1106))], vec![]);
    assert_eq!(drafts(&bench.sweep(true)), [], "held");
    let disabled = Telling::of(1105).number(Attribute::UserAccountControl, 0x202).password(2);
    let batch = bench.page(vec![disabled, Telling::of(1106).deleted()], vec![]);
    assert_eq!(drafts(&batch), [(1105, Presence::Present, 1, true), (1106, Presence::Deleted, 0, false)]);
    assert_eq!(drafts(&bench.sweep(false)), [(1105, Presence::OutOfScope, 0, false)]);
}

#[test]
fn an_ou_that_moves_takes_its_people_along() {
    let dc = Dc::default().holds(1105, || in_ou(3, Telling::user(1105)));
    let mut bench = Bench::new(dc).scoped(staff());
    let ou = |rid, parent: u32| in_ou(parent, Telling::object(rid, &[Class::OrganizationalUnit]));
    let batch = bench.page(vec![ou(3, 2), in_ou(3, Telling::user(1105))], vec![]);
    assert_eq!((drafts(&batch), batch.unsettled), (vec![], true));
    assert_eq!(drafts(&bench.sweep(false)), []);
    assert!(bench.page(vec![in_ou(1, Telling::of(3))], vec![]).unsettled);
    assert_eq!(drafts(&bench.sweep(false)), [(1105, Presence::Present, USER_ATTRIBUTES, true)]);
    assert!(bench.page(vec![in_ou(2, Telling::of(3))], vec![]).unsettled);
    assert_eq!(drafts(&bench.sweep(false)), [(1105, Presence::OutOfScope, 0, false)]);
    let renamed = Telling::of(3).with(Attribute::Name, Some(Value::Text("other".to_owned())));
    assert!(!bench.page(vec![renamed], vec![]).unsettled, "a name decides nothing");
}

#[test]
fn the_filter_is_known_of_every_account_and_asked_at_every_change() {
    let scope = Scope {
        with: vec![crate::scope::Term { attribute: Attribute::Department, value: "Sales".to_owned() }],
        ..Scope::default()
    };
    let with = |rid, department: &str| {
        Telling::of(rid).with(Attribute::Department, Some(Value::Text(department.to_owned())))
    };
    let whole = || Telling::user(1105).with(Attribute::Department, Some(Value::Text("SALES".to_owned())));
    let mut bench = Bench::new(Dc::default().holds(1105, whole)).scoped(scope);
    assert_eq!(drafts(&bench.page(vec![Telling::user(1105)], vec![])), []);
    let batch = bench.page(vec![with(1105, "sales")], vec![]);
    assert_eq!(drafts(&batch), [(1105, Presence::Present, USER_ATTRIBUTES + 1, true)]);
    assert_eq!(drafts(&bench.page(vec![Telling::of(1105).password(2)], vec![])).len(), 1);
    let batch = bench.page(vec![Telling::of(1105).with(Attribute::Department, None)], vec![]);
    assert_eq!((drafts(&batch), batch.unsettled), (vec![(1105, Presence::Present, 1, false)], true));
    assert_eq!(drafts(&bench.sweep(false)), [(1105, Presence::OutOfScope, 0, false)]);
}

#[test]
fn a_class_that_changes_is_no_telling_of_all_and_lets_nobody_past_the_filter() {
    let kept_out = crate::scope::Term { attribute: Attribute::AdminDescription, value: "no".to_owned() };
    let scope = Scope { without: vec![kept_out], ..Scope::default() };
    let mut bench = Bench::new(Dc::default().holds(1106, || Telling::user(1106))).scoped(scope);
    let no = Telling::user(1105).with(Attribute::AdminDescription, Some(Value::Text("no".to_owned())));
    let admin = Telling::user(1106).number(Attribute::AdminCount, 1);
    bench.page(vec![no, admin], vec![]);
    let classes = [Class::Top, Class::Person, Class::User, Class::InetOrgPerson];
    assert_eq!(drafts(&bench.page(vec![Telling::of(1105).of_classes(&classes)], vec![])), []);
    let demoted = Telling::of(1106).of_classes(&classes).with(Attribute::AdminCount, None);
    let whole = [(1106, Presence::Present, USER_ATTRIBUTES, true)];
    assert_eq!(drafts(&bench.page(vec![demoted], vec![])), whole, "read alone");
    assert_eq!(bench.dc.asked_with_secrets(), [1106]);
}

#[test]
fn a_member_of_a_scopes_group_enters_and_leaves_with_the_link() {
    let scope = Scope { groups: vec!["CN=1201,DC=x".to_owned()], ..Scope::default() };
    let mut bench = Bench::new(Dc::default().holds(1105, || Telling::user(1105))).scoped(scope);
    bench.page(vec![Telling::group(1201), Telling::group(1202), Telling::user(1105)], vec![]);
    assert_eq!(drafts(&bench.sweep(false)), [], "the groups themselves were told with the page");
    let batch = bench.page(vec![], vec![link(1201, 1202, true), link(1202, 1105, true)]);
    assert_eq!((batch.links.len(), batch.unsettled), (2, true));
    assert_eq!(drafts(&bench.sweep(false)), [(1105, Presence::Present, USER_ATTRIBUTES, true)]);
    assert_eq!(bench.page(vec![], vec![link(1201, 1202, false)]).links.len(), 1);
    assert_eq!(drafts(&bench.sweep(false)), [(1105, Presence::OutOfScope, 0, false)]);
    bench.page(vec![], vec![link(1201, 1202, true)]);
    assert_eq!(drafts(&bench.sweep(false)), [(1105, Presence::Present, USER_ATTRIBUTES, true)]);
    // A group that is deleted loses its members without a word.
    assert!(bench.page(vec![Telling::of(1202).deleted()], vec![]).unsettled);
    assert_eq!(drafts(&bench.sweep(false)), [(1105, Presence::OutOfScope, 0, false)]);
}

#[test]
fn a_password_that_is_not_to_be_carried_is_not_opened_and_one_that_was_is_erased() {
    let mut bench = Bench::new(Dc::default().holds(1105, || Telling::user(1105).password(3)));
    bench.page(vec![Telling::user(1105)], vec![]);
    bench.scope.passwords = false;
    let batch = bench.sweep(false);
    assert_eq!(drafts(&batch), [(1105, Presence::Present, 0, false)]);
    assert!(batch.drafts[0].erase_password);
    assert_eq!(drafts(&bench.sweep(false)), []);
    let batch = bench.page(vec![Telling::of(1105).password(2), Telling::user(1106)], vec![]);
    assert_eq!(drafts(&batch), [(1106, Presence::Present, USER_ATTRIBUTES, false)]);
    bench.scope.passwords = true;
    let dc = std::mem::take(&mut bench.dc);
    bench.dc = dc.holds(1106, || Telling::user(1106).password(1));
    let back =
        [(1105, Presence::Present, USER_ATTRIBUTES, true), (1106, Presence::Present, USER_ATTRIBUTES, true)];
    assert_eq!(drafts(&bench.sweep(false)), back);
}

/// An authentication policy that an account is given, or loses.
fn authentication_policy(account: u32, present: bool) -> Link {
    Link { what: Linked::AuthenticationPolicy, ..link(account, 3_001, present) }
}

#[test]
fn an_account_that_only_a_controller_can_judge_is_carried_without_a_password_and_gets_it_back() {
    let limited = || {
        let names = Value::Text("PC1,PC2".to_owned());
        Telling::user(1105).with(Attribute::UserWorkstations, Some(names))
    };
    let dc = Dc::default().holds(1105, || Telling::user(1105)).holds(1106, || Telling::user(1106));
    let mut bench = Bench::new(dc);
    let without = |rid| [(rid, Presence::Present, USER_ATTRIBUTES, false)];
    // 1. Computers that it may log on to: with the object, by a change, and no longer.
    assert_eq!(drafts(&bench.page(vec![limited()], vec![])), without(1105));
    let lifted = Telling::of(1105).with(Attribute::UserWorkstations, None);
    let whole = |rid| [(rid, Presence::Present, USER_ATTRIBUTES, true)];
    assert_eq!(drafts(&bench.page(vec![lifted], vec![])), whole(1105));
    let names = Some(Value::Text("PC1".to_owned()));
    let limited = Telling::of(1105).with(Attribute::UserWorkstations, names).password(4);
    let batch = bench.page(vec![limited], vec![]);
    assert_eq!(drafts(&batch), [(1105, Presence::Present, 0, false)]);
    assert!(batch.drafts[0].erase_password);
    // 2. A policy. The tenant receives no link of it, and no guard holds the password.
    bench.page(vec![Telling::user(1106)], vec![]);
    let batch = bench.page(vec![], vec![authentication_policy(1106, true)]);
    assert_eq!((batch.links.len(), batch.unsettled), (0, true));
    bench.resolve();
    assert_eq!(bench.mirror.leaving(0).unwrap().pending, 0);
    let batch = bench.sweep(true);
    assert_eq!(drafts(&batch), [(1106, Presence::Present, 0, false)]);
    assert!(batch.drafts[0].erase_password);
    assert!(bench.mirror.links_after(guid(1106), None, 10).unwrap().is_empty());
    bench.page(vec![], vec![authentication_policy(1106, false)]);
    assert_eq!(drafts(&bench.sweep(true)), whole(1106));
    assert_eq!(bench.dc.asked_with_secrets(), [1105, 1106]);
}

#[test]
fn an_empty_list_of_computers_limits_nothing() {
    let mut bench = Bench::new(Dc::default());
    let empty = Telling::user(1105).with(Attribute::UserWorkstations, Some(Value::Text(" ".to_owned())));
    assert_eq!(drafts(&bench.page(vec![empty], vec![])), [(1105, Presence::Present, USER_ATTRIBUTES, true)]);
}

#[test]
fn a_password_that_begins_to_be_carried_comes_also_with_another_change_of_its_account() {
    let mut bench = Bench::new(Dc::default().holds(1105, || Telling::user(1105).password(3)));
    bench.scope.passwords = false;
    bench.resolve();
    bench.page(vec![Telling::user(1105)], vec![]);
    bench.scope.passwords = true;
    bench.resolve();
    let batch = bench.page(vec![Telling::of(1105).number(Attribute::UserAccountControl, 0x202)], vec![]);
    assert_eq!(drafts(&batch), [(1105, Presence::Present, USER_ATTRIBUTES, true)]);
    assert_eq!(bench.dc.asked_with_secrets(), [1105]);
    assert_eq!(drafts(&bench.sweep(false)), []);
}

#[test]
fn who_is_held_back_and_not_whole_at_the_tenant_is_kept_up_to_date_too() {
    let off = || in_ou(2, Telling::user(1105).number(Attribute::UserAccountControl, 0x202));
    let mut bench = Bench::new(Dc::default().holds(1105, off)).scoped(staff());
    bench.page(vec![in_ou(1, Telling::user(1105))], vec![]);
    let known = bench.mirror.object(guid(1105)).unwrap().unwrap();
    bench.mirror.put(&Object { sent: Some(Sent::Unsure), parent: Some(guid(2)), ..known }).unwrap();
    let disabled = Telling::of(1105).number(Attribute::UserAccountControl, 0x202);
    let batch = bench.page(vec![disabled], vec![]);
    let told = vec![(1105, Presence::Present, USER_ATTRIBUTES, true)];
    assert_eq!((drafts(&batch), batch.unsettled), (told, true));
    assert_eq!(drafts(&bench.sweep(false)), [(1105, Presence::OutOfScope, 0, false)]);
}

#[test]
fn of_an_account_in_quarantine_too_the_password_is_erased_and_protected_users_told() {
    let mut bench = Bench::new(Dc::default());
    bench.page(vec![Telling::group(525), Telling::user(1105)], vec![]);
    let known = bench.mirror.object(guid(1105)).unwrap().unwrap();
    bench.mirror.put(&Object { sent: Some(Sent::Unsure), ..known }).unwrap();
    bench.page(vec![], vec![link(525, 1105, true)]);
    bench.scope.passwords = false;
    let batch = bench.sweep(false);
    assert_eq!(drafts(&batch), [(1105, Presence::Present, 0, false)]);
    assert!(batch.drafts[0].erase_password && batch.drafts[0].protected_user == Some(true));
    assert_eq!(drafts(&bench.sweep(false)), []);
}

#[test]
fn a_password_that_was_removed_is_erased() {
    let mut bench = Bench::new(Dc::default());
    bench.page(vec![Telling::user(1105)], vec![]);
    let batch = bench.page(vec![Telling::of(1105).no_password(2)], vec![]);
    assert_eq!(drafts(&batch), [(1105, Presence::Present, 0, false)]);
    assert!(batch.drafts[0].erase_password);
    assert_eq!(bench.mirror.object(guid(1105)).unwrap().unwrap().password, None);
}

#[test]
fn groups_contacts_and_policies_are_carried_and_protected_groups_are_not() {
    let mut bench = Bench::new(Dc::default());
    let contact = || {
        let mut contact = Telling::object(9, &[Class::Top, Class::Person, Class::Contact]).tell();
        contact.object.sid = None;
        contact
    };
    let mut policy = Telling::object(8, &[Class::Top, Class::PasswordSettings])
        .number(Attribute::Precedence, 10)
        .number(Attribute::PsoLockoutThreshold, 3)
        .tell();
    policy.object.sid = None;
    let all = vec![Telling::group(512).tell(), Telling::group(1201).tell(), contact(), policy];
    let links = vec![link(512, 1201, false), link(1201, 1105, true)];
    let batch = bench.run(|mirror, dc, rules| page(told(all, links, Progress::More), mirror, dc, rules));
    let carried: Vec<_> = batch.drafts.iter().map(|d| (d.kind, d.sid.is_some(), attributes(d))).collect();
    let kinds = [
        (upload::Kind::Group, true, 0),
        (upload::Kind::Contact, false, 1),
        (upload::Kind::PasswordSettings, false, 3),
    ];
    assert_eq!(carried, kinds);
    assert_eq!(batch.links, [], "told with all links of those that entered");
    assert_eq!(batch.entered, [guid(1201), guid(9), guid(8)]);
    let batch = bench.page(vec![], vec![link(512, 1201, false), link(1201, 1106, true)]);
    assert_eq!(batch.links.len(), 1, "links of a protected group stay here");
    let batch = bench.page(vec![Telling::of(1201).deleted()], vec![]);
    assert_eq!(drafts(&batch), [(1201, Presence::Deleted, 0, false)]);
    bench.page(vec![Telling::group(1202)], vec![]);
    bench.page(vec![], vec![link(512, 1202, true)]);
    assert_eq!(drafts(&bench.sweep(false)), [(1202, Presence::OutOfScope, 0, false)], "protected by now");
}
