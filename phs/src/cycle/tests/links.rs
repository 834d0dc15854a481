//! Links that Samba does not send: from before 2003, with an end, before their object. And objects that come twice.

use super::*;
use crate::fixture::{link_stamp, quarantined};
use landbridge_drsr::drs::change::{LinkStamp, Rewritten};

/// A member for a time.
fn ending(group: u32, member: u32, until: i64) -> Link {
    Link { until: Some(until), ..link(group, member, true) }
}

/// A member from before 2003, where the attribute has this version.
fn old(group: u32, member: u32, version: u32) -> Link {
    Link { stamp: LinkStamp { created: 0, written: stamp(version) }, ..link(group, member, true) }
}

/// One page, of which the members of these groups came whole.
fn with_lists(links: Vec<Link>, lists: &[(u32, u32)], usn: u8) -> Vec<Page> {
    let rewritten = |(group, version): &(u32, u32)| Rewritten {
        what: Linked::Member,
        from: guid(*group),
        stamp: stamp(*version),
    };
    let rewritten = lists.iter().map(rewritten).collect();
    vec![Page { rewritten, ..page(vec![], links, Progress::Last(cursor(usn))) }]
}

/// Who must be in group 1201 to be carried.
fn scoped_to_a_group(bench: &mut Bench) {
    let dc = std::mem::take(&mut bench.dc).group(1201, &[]);
    bench.dc = (1100..1110).fold(dc, |dc, rid| dc.holds(rid, move || Telling::user(rid)));
    bench.scope = Scope { groups: vec!["CN=1201,DC=x".to_owned()], ..Scope::default() };
}

fn first_page(bench: &mut Bench, links: Vec<Link>) -> Counts {
    bench.links.clone_from(&links);
    let mut all = users(1100..1104);
    all.insert(0, Telling::group(1201).tell());
    bench.cycle(vec![page(all, links, Progress::Last(cursor(4)))]).unwrap()
}

/// The links that were sent: to whom, whether present, and the stamp; and forgets them.
fn sent(bench: &mut Bench) -> Vec<(Uuid, bool, upload::Stamp)> {
    std::mem::take(&mut bench.cloud.links).iter().map(|link| (link.to, link.present, link.stamp)).collect()
}

fn presence(bench: &Bench, rid: u32) -> Option<Sent> {
    bench.mirror().object(guid(rid)).unwrap().unwrap().sent
}

#[test]
fn a_membership_that_ends_by_itself_ends_with_the_next_cycle_though_nothing_changes_in_the_directory() {
    let mut bench = Bench::new();
    scoped_to_a_group(&mut bench);
    first_page(&mut bench, vec![ending(1201, 1100, 60), link(1201, 1101, true), ending(1201, 1102, 61)]);
    sent(&mut bench);
    bench.now = 59;
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().removed, 0);
    assert!(sent(&mut bench).is_empty());
    bench.now = 60;
    let counts = bench.cycle(last(0..0, 4)).unwrap();
    assert_eq!((counts.mode, counts.removed, counts.links_sent), ("incremental", 1, 1));
    let end = translate_stamp(link_stamp(1).next());
    assert_eq!(sent(&mut bench), [(guid(1100), false, end)]);
    assert_eq!(
        (presence(&bench, 1100), presence(&bench, 1101)),
        (Some(Sent::OutOfScope), Some(Sent::Present))
    );
    let counts = bench.cycle(last(0..0, 4)).unwrap();
    assert_eq!((counts.removed, counts.links_sent), (0, 0), "once");
    // Given again: a later version, which is greater than the end.
    let again = Link { stamp: link_stamp(2), ..ending(1201, 1100, 90) };
    let counts = bench.cycle(vec![page(vec![], vec![again], Progress::Last(cursor(5)))]).unwrap();
    assert_eq!((counts.records_sent, presence(&bench, 1100)), (1, Some(Sent::Present)));
    let given = sent(&mut bench);
    assert!(given.contains(&(guid(1100), true, translate_stamp(link_stamp(2)))), "{given:?}");
    assert!(translate_stamp(link_stamp(2)) > end);
}

fn translate_stamp(stamp: LinkStamp) -> upload::Stamp {
    qualify::translate::stamp(stamp.written)
}

#[test]
fn a_membership_that_is_prolonged_in_the_cycle_in_which_it_would_end_goes_on() {
    let mut bench = Bench::new();
    scoped_to_a_group(&mut bench);
    first_page(&mut bench, vec![ending(1201, 1100, 60), ending(1201, 1101, 60), ending(1201, 1102, 60)]);
    sent(&mut bench);
    bench.now = 60;
    let longer = Link { stamp: link_stamp(2), ..ending(1201, 1100, 99) };
    let for_ever = Link { stamp: link_stamp(2), ..link(1201, 1101, true) };
    let pages = vec![page(vec![], vec![longer, for_ever], Progress::Last(cursor(5)))];
    assert_eq!(bench.cycle(pages).unwrap().removed, 1, "1102");
    assert_eq!(bench.mirror().next_end().unwrap(), Some(99));
}

#[test]
fn an_end_that_has_no_receipt_is_sent_again_by_the_next_cycle() {
    let mut bench = Bench::new();
    scoped_to_a_group(&mut bench);
    first_page(&mut bench, vec![ending(1201, 1100, 60)]);
    bench.now = 70;
    bench.cloud.breaks_after = Some(bench.cloud.uploads.len());
    bench.cycle(last(0..0, 4)).unwrap_err();
    sent(&mut bench);
    bench.cloud.breaks_after = None;
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().removed, 1);
    assert_eq!(sent(&mut bench), [(guid(1100), false, translate_stamp(link_stamp(1).next()))]);
}

#[test]
fn who_was_an_administrator_for_a_time_is_carried_when_the_time_is_over_unless_marked_by_ad() {
    let mut bench = Bench::new();
    let marked = || Telling::user(1101).number(Attribute::AdminCount, 1);
    bench.dc = std::mem::take(&mut bench.dc).holds(1100, || Telling::user(1100)).holds(1101, marked);
    let all = vec![Telling::group(512).tell(), Telling::user(1100).tell(), marked().tell()];
    let links = vec![ending(512, 1100, 60), ending(512, 1101, 60)];
    let counts = bench.cycle(vec![page(all, links, Progress::Last(cursor(4)))]).unwrap();
    assert_eq!((counts.privileged, counts.in_scope), (2, 0));
    bench.now = 59;
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().records_sent, 0);
    bench.now = 60;
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().records_sent, 1);
    assert_eq!(
        (presence(&bench, 1100), presence(&bench, 1101)),
        (Some(Sent::Present), Some(Sent::Privileged))
    );
    assert_eq!(bench.dc.asked_with_secrets(), [1100], "with the password");
}

#[test]
fn of_members_from_before_2003_those_leave_that_the_next_list_does_not_name_and_no_others() {
    let mut bench = Bench::new();
    scoped_to_a_group(&mut bench);
    let all = vec![old(1201, 1100, 3), old(1201, 1101, 3), old(1201, 1102, 3), link(1201, 1103, true)];
    assert_eq!(first_page(&mut bench, all).in_scope, 4);
    sent(&mut bench);
    // 1. Without 1100: the member of the newer form is in no list.
    let list = vec![old(1201, 1101, 4), old(1201, 1102, 4)];
    let counts = bench.cycle(with_lists(list, &[(1201, 4)], 5)).unwrap();
    assert_eq!((counts.removed, counts.links_sent), (1, 3));
    assert_eq!(sent(&mut bench).first(), Some(&(guid(1100), false, translate_stamp(old(1, 1, 4).stamp))));
    // 2. 1101 gets a stamp of its own, and leaves the list with it.
    let counts = bench.cycle(with_lists(vec![old(1201, 1102, 5), link(1201, 1101, true)], &[(1201, 5)], 6));
    assert_eq!(counts.unwrap().removed, 0);
    // 3. A list of a domain controller that lags behind does not take the stamp back.
    let lags = vec![old(1201, 1101, 4), old(1201, 1102, 4)];
    bench.cycle(with_lists(lags, &[(1201, 4)], 7)).unwrap();
    let held = bench.mirror().link(Linked::Member, guid(1201), guid(1101)).unwrap();
    assert_eq!(held, Some(link_stamp(1)));
    // 4. An empty list: the others stay.
    let counts = bench.cycle(with_lists(vec![], &[(1201, 6)], 8)).unwrap();
    assert_eq!((counts.removed, presence(&bench, 1102)), (1, Some(Sent::OutOfScope)));
    assert_eq!((presence(&bench, 1101), presence(&bench, 1103)), (Some(Sent::Present), Some(Sent::Present)));
}

#[test]
fn an_administrator_from_before_2003_is_held_back_also_where_the_group_is_read_alone() {
    let mut bench = Bench::new();
    let members = || vec![old(512, 1100, 3), link(512, 1101, true)];
    bench.dc = std::mem::take(&mut bench.dc).group_with(512, members);
    let pages = vec![
        page(users(1100..1103), vec![], Progress::More),
        page(vec![Telling::group(512).tell()], members(), Progress::Last(cursor(4))),
    ];
    let counts = bench.cycle(pages).unwrap();
    assert_eq!((counts.privileged, counts.in_scope), (2, 1));
    assert_eq!(bench.cloud.offers, [guid(1102)]);
}

#[test]
fn a_member_from_before_2003_that_cannot_be_read_ends_the_cycle_if_the_group_is_protected() {
    for (group, refused) in [(512, true), (1201, false)] {
        let mut bench = Bench::new();
        bench
            .cycle(vec![page(
                vec![Telling::group(512).tell(), Telling::group(1201).tell()],
                vec![],
                Progress::Last(cursor(4)),
            )])
            .unwrap();
        let mut odd = page(users(1100..1101), vec![old(group, 1101, 3)], Progress::Last(cursor(5)));
        odd.quarantined.push(quarantined(group, true, "one of its links: its value is no name"));
        bench.cloud.offers.clear();
        let cycle = bench.cycle(vec![odd]);
        if refused {
            let refused = cycle.unwrap_err();
            assert!(matches!(refused, PhsError::GroupUnreadable { .. }), "{refused}");
            assert!(bench.cloud.offers.is_empty());
        } else {
            let counts = cycle.unwrap();
            assert_eq!((counts.quarantined, counts.left_out), (0, 1), "the group goes on without it");
            assert_eq!(bench.mirror().flaws(9).unwrap()[0].object, guid(1201));
        }
    }
}

#[test]
fn links_that_come_before_their_object_are_sent_with_it_and_once() {
    // As Windows sends them, between the objects; and as Samba does.
    let links = || vec![link(1201, 1100, true), link(1201, 1101, true)];
    for early in [true, false] {
        let mut bench = Bench::new();
        let mut first = page(users(1100..1102), vec![], Progress::More);
        let mut second = page(vec![Telling::group(1201).tell()], vec![], Progress::Last(cursor(4)));
        let with_links = if early { &mut first } else { &mut second };
        with_links.links = links();
        let counts = bench.cycle(vec![first, second]).unwrap();
        assert_eq!((counts.mode, counts.links_sent), ("full", 2), "early {early}");
        let to: Vec<_> = sent(&mut bench).into_iter().map(|(to, present, _)| (to, present)).collect();
        assert_eq!(to, [(guid(1100), true), (guid(1101), true)]);
    }
}

#[test]
fn an_object_that_comes_twice_in_a_full_compare_keeps_what_its_second_coming_leaves_out() {
    let mut bench = Bench::new();
    let department = Some(Value::Text("Sales".to_owned()));
    let sales = crate::scope::Term { attribute: Attribute::Department, value: "sales".to_owned() };
    bench.scope = Scope { with: vec![sales], ..Scope::default() };
    let whole = || Telling::user(1100).with(Attribute::Department, department.clone()).tell();
    let changed = Telling::of(1100).number(Attribute::UserAccountControl, 0x202).tell();
    let admin = || Telling::user(500).with(Attribute::Department, department.clone()).tell();
    let pages = vec![
        page(vec![whole(), admin()], vec![], Progress::More),
        page(vec![changed, admin()], vec![], Progress::More),
        page(vec![whole()], vec![], Progress::Last(cursor(4))),
    ];
    let counts = bench.cycle(pages).unwrap();
    assert_eq!((counts.read, counts.in_scope, counts.privileged), (5, 1, 1), "each account is counted once");
    assert_eq!(presence(&bench, 1100), Some(Sent::Present));
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().records_sent, 0);
}

#[test]
fn pages_without_an_object_change_nothing_and_a_cycle_of_them_brought_nothing() {
    let mut bench = Bench::new();
    let empty = |progress| page(vec![], vec![], progress);
    let pages = vec![
        empty(Progress::More),
        page(users(1100..1101), vec![], Progress::More),
        empty(Progress::More),
        empty(Progress::Last(cursor(4))),
    ];
    let counts = bench.cycle(pages).unwrap();
    assert_eq!((counts.records_sent, counts.changed), (1, true));
    let counts = bench.cycle(vec![empty(Progress::More), empty(Progress::Last(cursor(5)))]).unwrap();
    assert_eq!((counts.records_sent, counts.changed), (0, false));
    // An object of which nothing came that phs requests.
    let bare = page(vec![Telling::of(1100).tell()], vec![], Progress::Last(cursor(6)));
    assert!(!bench.cycle(vec![bare]).unwrap().changed);
    let reset = page(vec![Telling::of(1100).password(2).tell()], vec![], Progress::Last(cursor(7)));
    assert!(bench.cycle(vec![reset]).unwrap().changed);
    let member = page(vec![], vec![link(1201, 1100, true)], Progress::Last(cursor(8)));
    assert!(bench.cycle(vec![member]).unwrap().changed);
}
