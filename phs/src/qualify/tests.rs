//! Who is carried, sentence by sentence.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::fixture::{Dc, Telling, domain, guid, link, page as told, stamp};
use crate::mirror::tests::directory;
use crate::privileged::protected_groups;
use landbridge_drsr::drs::change::{Link, Progress, Quarantined};

struct Bench {
    mirror: Mirror,
    dc: Dc,
    include: Vec<Sid>,
    full: bool,
    secrets: bool,
    _directory: tempfile::TempDir,
}

impl Bench {
    fn new(dc: Dc) -> Self {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        let bench =
            Self { mirror, dc, include: Vec::new(), full: false, secrets: true, _directory: directory };
        bench.resolve();
        bench
    }

    fn resolve(&self) {
        self.mirror.resolve_groups(&domain(), &protected_groups(&domain()), &self.include).unwrap();
    }

    fn run(
        &mut self,
        work: impl FnOnce(&Mirror, &mut dyn Singles, &Rules<'_>) -> Result<Batch, PhsError>,
    ) -> Batch {
        let domain = domain();
        let rules = Rules {
            domain: &domain,
            include: &self.include,
            full: self.full,
            secrets: self.secrets,
            cycle: Uuid::from_u128(99),
            now: 5,
        };
        work(&self.mirror, &mut self.dc, &rules).unwrap()
    }

    fn page(&mut self, changes: Vec<Telling>, links: Vec<Link>) -> Batch {
        let changes = changes.into_iter().map(Telling::tell).collect();
        self.run(|mirror, dc, rules| page(told(changes, links, Progress::More), mirror, dc, rules))
    }

    fn doubts(&mut self) -> Batch {
        self.resolve();
        self.run(|mirror, dc, rules| doubts(mirror, dc, rules, 100))
    }
}

/// RID, presence, attributes, password.
fn drafts(batch: &Batch) -> Vec<(u32, Presence, usize, bool)> {
    batch.drafts.iter().map(|d| (d.sid.rid(), d.presence, d.attributes.len(), d.password.is_some())).collect()
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
        Telling::object(1108, &[Class::Top, Class::Contact]),
        Telling::group(1109),
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
        Telling::user(1105).number(Attribute::UserAccountControl, WORKSTATION_TRUST),
        Telling::user(1106).number(Attribute::UserAccountControl, SERVER_TRUST),
        Telling::user(1107).number(Attribute::UserAccountControl, INTERDOMAIN_TRUST),
        named(1108, "krbtgt_20561"),
    ];
    let batch = bench.page(all, vec![]);
    assert_eq!(drafts(&batch), []);
    let batch = bench.page(vec![named(1110, "krbtgt_fan")], vec![]);
    assert_eq!(batch.drafts.len(), 1, "a person may be called so");
}

#[test]
fn a_privileged_account_leaves_without_its_password() {
    let mut bench = Bench::new(Dc::default());
    bench
        .mirror
        .put(&Object { kind: Kind::Group, sid: Some(domain().with_rid(512)), ..Object::unknown(guid(512)) })
        .unwrap();
    bench.mirror.set_link(guid(512), guid(1102), true).unwrap();
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
    assert_eq!(drafts(&bench.doubts()), []);
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
    let moved = Telling::of(1105).with(Attribute::Name, Some(Value::Text("other".to_owned())));
    assert_eq!(drafts(&bench.page(vec![moved], vec![])), []);
    assert_eq!(bench.mirror.object(guid(1105)).unwrap().unwrap().rdn.as_deref(), Some("other"));
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
fn a_promotion_by_the_last_pages_links_takes_the_digest_back() {
    let mut bench = Bench::new(Dc::default());
    bench.page(vec![Telling::group(512), Telling::group(1200), Telling::user(1105)], vec![]);
    bench.page(vec![], vec![link(512, 1200, true), link(1200, 1105, true)]);
    let batch = bench.doubts();
    assert_eq!(drafts(&batch), [(1105, Presence::Privileged, 0, false)]);
    assert_eq!(drafts(&bench.doubts()), []);
}

#[test]
fn a_demotion_is_read_alone_and_carried_with_the_password() {
    let mut bench = Bench::new(Dc::default().holds(1105, || Telling::user(1105).password(4)));
    bench.page(vec![Telling::group(512)], vec![link(512, 1105, true)]);
    bench.resolve();
    assert_eq!(bench.page(vec![Telling::user(1105)], vec![]).privileged, 1);
    bench.page(vec![], vec![link(512, 1105, false)]);
    let batch = bench.doubts();
    assert_eq!(drafts(&batch), [(1105, Presence::Present, USER_ATTRIBUTES, true)]);
    assert_eq!(bench.dc.asked_with_secrets(), [1105]);
    assert_eq!(drafts(&bench.doubts()), []);
}

#[test]
fn a_demotion_that_is_none_any_more_ends() {
    let dc = Dc::default().holds(1105, || Telling::user(1105).number(Attribute::AdminCount, 1));
    let mut bench = Bench::new(dc);
    bench.page(vec![Telling::group(512)], vec![link(512, 1105, true)]);
    bench.resolve();
    bench.page(vec![Telling::user(1105)], vec![]);
    bench.page(vec![], vec![link(512, 1105, false)]);
    assert_eq!(drafts(&bench.doubts()), [(1105, Presence::Privileged, 0, false)]);
    assert_eq!(drafts(&bench.doubts()), []);
}

#[test]
fn entering_protected_users_is_told_and_does_not_hold_back() {
    let mut bench = Bench::new(Dc::default());
    bench.page(vec![Telling::group(525), Telling::user(1105)], vec![link(525, 1105, true)]);
    let batch = bench.doubts();
    assert_eq!(drafts(&batch), [(1105, Presence::Present, 0, false)]);
    assert_eq!(batch.drafts[0].protected_user, Some(true));
    bench.page(vec![], vec![link(525, 1105, false)]);
    assert_eq!(bench.doubts().drafts[0].protected_user, Some(false));
}

#[test]
fn what_cannot_be_read_goes_to_quarantine_and_comes_back_whole() {
    let mut bench = Bench::new(Dc::default().holds(1105, || Telling::user(1105).password(2)));
    bench.page(vec![Telling::user(1105), Telling::user(1106)], vec![]);
    let mut odd = told(vec![], vec![], Progress::More);
    odd.quarantined
        .push(Quarantined { object: Some(guid(1105)), why: "a value of the wrong length".to_owned() });
    let batch = bench.run(|mirror, dc, rules| page(odd, mirror, dc, rules));
    assert_eq!((batch.drafts.len(), batch.quarantined), (0, 1));
    assert_eq!(bench.mirror.quarantined().unwrap().len(), 1);
    let batch = bench.page(vec![Telling::of(1105).password(2)], vec![]);
    assert_eq!(drafts(&batch), [(1105, Presence::Present, USER_ATTRIBUTES, true)]);
    assert!(bench.mirror.quarantined().unwrap().is_empty());
}

#[test]
fn a_value_that_the_wire_cannot_carry_holds_back_its_account_alone() {
    let mut bench = Bench::new(Dc::default());
    let long = Telling::user(1105).with(Attribute::SamAccountName, Some(Value::Text("x".repeat(300))));
    let batch = bench.page(vec![long, Telling::user(1106)], vec![]);
    assert_eq!(drafts(&batch), [(1106, Presence::Present, USER_ATTRIBUTES, true)]);
    assert_eq!(batch.quarantined, 1);
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
    crate::privileged::learn(&bench.mirror, &mut bench.dc, &domain()).unwrap();
    bench.resolve();
    let batch = bench.page(vec![Telling::user(1105)], vec![]);
    assert_eq!(drafts(&batch), [(1105, Presence::Privileged, 0, false)]);
    assert!(bench.dc.asked_with_secrets().is_empty());
    let mut asked: Vec<_> = bench.dc.asked.iter().map(|(rid, _)| *rid).collect();
    asked.sort_unstable();
    assert_eq!(asked, [500, 512, 1105, 1200, 1201], "each once, though they form a ring");
}
