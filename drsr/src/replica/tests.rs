//! Whole sessions against a server in memory that speaks with a real DC's stubs (`captures/`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::drs::dsname::Dsname;
use crate::drs::made;
use crate::rpc::association::server::{self, KEY, Made, ack, fragment_of, plain, response};
use crate::rpc::pdu;
use std::collections::VecDeque;

fn capture(name: &str) -> Vec<u8> {
    let folder = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("captures");
    std::fs::read(folder.join(name)).unwrap()
}

/// A session whose DC answers its calls with these stubs, in turn.
struct Bench {
    replica: Replica,
    stubs: VecDeque<Vec<u8>>,
    incoming: VecDeque<u8>,
    /// The number of the next one of this connection.
    fragments: u32,
    requests: Vec<Vec<u8>>,
    /// `opnum` of each of them, without the endpoint mapper's.
    operations: Vec<u16>,
    /// The ports that were connected to.
    ports: Vec<u16>,
    /// The status of a fault that answers the next request.
    fault: Option<u32>,
}

fn target(domain: &str) -> Target {
    Target {
        domain: domain.to_owned(),
        controller: "dc.corp.example.com".to_owned(),
        port: None,
        account: "svc".to_owned(),
        page_objects: 100,
        further: Vec::new(),
        ancestors: false,
    }
}

impl Bench {
    fn new(stubs: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self::of(target(DOMAIN), stubs)
    }

    fn of(target: Target, stubs: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mapper = target.port.is_none().then(|| capture("epm-reply.stub"));
        let security = Security::pretend(KEY);
        let replica = Replica { machine: Machine::new(|io| session(io, target, security)) };
        let mut all: VecDeque<_> = mapper.into_iter().chain([capture("drs-bind-reply.stub")]).collect();
        all.extend(stubs);
        Self {
            replica,
            stubs: all,
            incoming: VecDeque::new(),
            fragments: 1,
            requests: Vec::new(),
            operations: Vec::new(),
            ports: Vec::new(),
            fault: None,
        }
    }

    /// A bound one.
    fn bound(stubs: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut bench = Self::new(stubs);
        assert!(matches!(bench.run().unwrap(), Step::Ready(_)));
        bench
    }

    /// Until it asks for something that is not IO.
    fn run(&mut self) -> Result<Step, Error> {
        loop {
            match self.replica.next_step(Duration::ZERO)? {
                Step::Connect { port } => {
                    self.ports.push(port);
                    self.fragments = 1;
                    self.replica.answer(Answer::Done);
                }
                Step::Send(bytes) => {
                    self.take(bytes);
                    self.replica.answer(Answer::Done);
                }
                Step::Receive(count) => {
                    let bytes = self.incoming.drain(..count).collect();
                    self.replica.answer(Answer::Bytes(bytes));
                }
                other @ (Step::Kdc(_)
                | Step::Ready(_)
                | Step::Page(_)
                | Step::Refused(_)
                | Step::Finished) => {
                    return Ok(other);
                }
            }
        }
    }

    fn take(&mut self, bytes: Vec<u8>) {
        let protected = self.ports.last() != Some(&epm::PORT);
        match bytes[2] {
            11 if protected => self.incoming.extend(ack().bytes()),
            11 => self.incoming.extend(Made { flags: 3, ..ack() }.unprotected().bytes()),
            0 => {
                self.requests.push(bytes[pdu::CALL_HEAD..].to_vec());
                if protected {
                    self.operations.push(u16::from_le_bytes(bytes[22..24].try_into().unwrap()));
                }
                let call_id = u32::from_le_bytes(bytes[12..16].try_into().unwrap());
                if let Some(status) = self.fault.take() {
                    return self.incoming.extend(server::fault(call_id, status).bytes());
                }
                let stub = self.stubs.pop_front().expect("no more answers");
                if protected {
                    self.say(&stub, call_id)
                } else {
                    self.incoming.extend(plain(3, &stub).bytes())
                }
            }
            16 => {}
            other => panic!("PDU {other}"),
        }
    }

    fn say(&mut self, stub: &[u8], call_id: u32) {
        let parts: Vec<_> = stub.chunks(4096).collect();
        for (at, part) in parts.iter().enumerate() {
            let flags = u8::from(at == 0) | if at + 1 == parts.len() { 2 } else { 0 };
            let made = fragment_of(response(flags, call_id), u64::from(self.fragments), part);
            self.incoming.extend(made.bytes());
            self.fragments += 1;
        }
    }

    fn order(&mut self, order: Order) -> Result<Page, Error> {
        self.replica.answer(Answer::Order(order));
        match self.run()? {
            Step::Page(page) => {
                self.replica.answer(Answer::Done);
                assert!(matches!(self.run()?, Step::Ready(_)));
                Ok(*page)
            }
            Step::Refused(error) => {
                self.replica.answer(Answer::Done);
                assert!(matches!(self.run()?, Step::Ready(_)));
                Err(error)
            }
            other @ (Step::Connect { .. }
            | Step::Send(_)
            | Step::Receive(_)
            | Step::Kdc(_)
            | Step::Ready(_)
            | Step::Finished) => {
                panic!("{other:?}")
            }
        }
    }

    fn changes(&mut self, from: Start) -> Result<Page, Error> {
        self.order(Order::Changes { from, what: Attributes::WithSecrets })
    }

    /// The invocation id and the cookie of the last request.
    fn position(&self) -> (Uuid, &[u8]) {
        let request = self.requests.last().unwrap();
        (Uuid::from_bytes_le(request[48..64].try_into().unwrap()), &request[72..96])
    }
}

fn last(page: Page) -> Cursor {
    match page.progress {
        Progress::Last(cursor) => cursor,
        Progress::More | Progress::Object => panic!("not the last"),
    }
}

fn three_pages() -> [Vec<u8>; 3] {
    [1, 2, 3].map(|number| capture(&format!("page-{number}.stub")))
}

fn moved(cursor: &Cursor, dsa: Uuid, invocation_id: Uuid) -> Cursor {
    Cursor::new(dsa, invocation_id, *cursor.cookie(), cursor.vector().to_vec())
}

#[test]
fn a_cycle_gives_its_cursor_on_the_last_page_and_sends_each_cookie_back_byte_for_byte() {
    let mut bench = Bench::bound(three_pages().into_iter().chain([capture("after-reset.stub")]));
    let first = bench.changes(Start::Beginning).unwrap();
    assert!(matches!(first.progress, Progress::More));
    assert_eq!(bench.position(), (Uuid::nil(), &[0; COOKIE][..]));
    bench.changes(Start::NextPage).unwrap();
    let page_1 = capture("page-1.stub");
    let cookie = reply::decode(&page_1).unwrap().cookie;
    assert_eq!(bench.position(), (first.source.invocation_id, &cookie[..]));
    let cursor = last(bench.changes(Start::NextPage).unwrap());

    let stored = Cursor::from_bytes(&cursor.to_bytes()).unwrap();
    let increment = bench.changes(Start::Cursor(stored)).unwrap();
    assert_eq!(bench.position(), (first.source.invocation_id, &cursor.cookie()[..]));
    assert_eq!(increment.changes.len(), 1);
    assert!(matches!(bench.changes(Start::NextPage), Err(Error::OutOfOrder(_))));
}

#[test]
fn another_dc_gets_the_vector_and_no_foreign_cookie() {
    let cursor = last(cycle_of("after-reset.stub"));
    let foreign = moved(&cursor, Uuid::from_u128(1), Uuid::from_u128(2));
    let increment = || capture("after-membership.stub");
    let mut bench = Bench::bound([increment(), increment()]);
    let page = bench.changes(Start::Cursor(foreign)).unwrap();
    // The first answer showed that it is another: it was left aside, and asked anew without a cookie.
    assert_eq!(bench.position(), (Uuid::nil(), &[0; COOKIE][..]));
    assert!(bench.stubs.is_empty() && page.links.len() == 2);
    assert_ne!(last(page).invocation_id(), Uuid::from_u128(2));
}

#[test]
fn a_dc_with_a_new_database_is_noticed() {
    let cursor = last(cycle_of("after-reset.stub"));
    let before = moved(&cursor, cursor.dsa(), Uuid::from_u128(2));
    let mut bench = Bench::bound([capture("after-membership.stub")]);
    assert_eq!(bench.changes(Start::Cursor(before)).unwrap_err(), Error::Restored { dsa: cursor.dsa() });
}

#[test]
fn a_dc_that_is_behind_its_own_past_is_noticed() {
    let cursor = last(cycle_of("after-deletion.stub"));
    let mut bench = Bench::bound([capture("after-reset.stub")]);
    let outcome = bench.changes(Start::Cursor(cursor.clone())).unwrap_err();
    let Error::Rollback { dsa, before, now } = outcome else { panic!("{outcome}") };
    assert_eq!((dsa, before), (cursor.dsa(), cursor.usn()));
    assert!(now < before);
    // The session is over: nothing more is read from such a DC.
    assert!(matches!(bench.replica.next_step(Duration::ZERO), Ok(Step::Finished)));
}

/// The DC's answer to the question for a name.
fn name_reply(status: u32, domain: &str, guid: Option<Uuid>) -> Vec<u8> {
    made::name_reply(status, Some(domain), guid.map(|guid| format!("{{{guid}}}")).as_deref())
}

const DOMAIN: &str = "corp.example.com";

fn known_as(guid: Uuid) -> Vec<u8> {
    name_reply(0, DOMAIN, Some(guid))
}

fn not_found() -> Vec<u8> {
    name_reply(2, DOMAIN, None)
}

/// The group of `group-alone.stub`.
fn admins() -> Dsname {
    let stub = capture("group-alone.stub");
    reply::decode(&stub).unwrap().objects[0].name.unwrap().checked().unwrap()
}

fn alone(which: ObjectId) -> Order {
    Order::Object { which, secrets: false }
}

impl Bench {
    /// The session ends with this order.
    fn fails(mut self, order: Order) -> Error {
        self.replica.answer(Answer::Order(order));
        self.run().unwrap_err()
    }
}

#[test]
fn an_unknown_object_leaves_the_session_open_and_a_wrong_one_ends_it() {
    let mut bench = Bench::bound([
        capture("unknown-object.stub"),
        not_found(),
        not_found(),
        known_as(admins().guid),
        capture("group-alone.stub"),
        capture("user-alone-withheld.stub"),
    ]);
    let nobody = Uuid::from_u128(1);
    assert!(matches!(bench.order(alone(ObjectId::Guid(nobody))), Err(Error::UnknownObject { .. })));
    let sid = admins().sid.unwrap();
    let outcome = bench.order(alone(ObjectId::Sid(sid.clone())));
    assert_eq!(outcome.unwrap_err(), Error::UnknownObject { object: sid.to_string() });
    let page = bench.order(alone(ObjectId::Sid(sid))).unwrap();
    assert!(matches!(page.progress, Progress::Object) && page.links.len() == 1);
    assert!(matches!(bench.fails(alone(ObjectId::Guid(Uuid::from_u128(2)))), Error::Protocol(_)));
}

#[test]
fn an_object_is_read_by_its_guid_and_its_sid_is_looked_up_once_a_session() {
    let group = || capture("group-alone.stub");
    let guid = admins().guid;
    let mut bench = Bench::bound([known_as(guid), group(), group(), known_as(guid), group()]);
    let sid = admins().sid.unwrap();
    for _ in 0..2 {
        bench.order(alone(ObjectId::Sid(sid.clone()))).unwrap();
    }
    bench.order(alone(ObjectId::Dn(admins().dn))).unwrap();
    assert_eq!(bench.operations, [bind::BIND, 12, 3, 3, 12, 3]);
    let calls = bench.requests[1..].iter().zip(&bench.operations);
    for (request, _) in calls.filter(|(_, operation)| **operation == GET_CHANGES) {
        // The DSNAME's GUID, and no SID and no text beside it.
        let at = request.windows(16).position(|bytes| bytes == guid.to_bytes_le()).unwrap();
        assert_eq!(request[at - 4..at], [0; 4], "SidLen");
    }
}

#[test]
fn an_object_that_exists_and_is_not_sent_is_a_missing_right_and_not_a_missing_object() {
    let guid = admins().guid;
    let unknown = || capture("unknown-object.stub");
    let missing = Error::MissingRight { account: "svc".to_owned(), naming_context: BASE.to_owned() };
    let by_guid = Bench::bound([unknown(), known_as(guid)]);
    assert_eq!(by_guid.fails(alone(ObjectId::Guid(guid))), missing);
    let by_sid = Bench::bound([known_as(guid), unknown(), known_as(guid)]);
    assert_eq!(by_sid.fails(alone(ObjectId::Sid(admins().sid.unwrap()))), missing);
    let pages = Bench::bound([unknown(), known_as(guid)]);
    let whole = Order::Changes { from: Start::Beginning, what: Attributes::WithSecrets };
    assert_eq!(pages.fails(whole.clone()), missing);
    let misspelt = Bench::bound([unknown(), not_found()]).fails(whole);
    assert!(matches!(misspelt, Error::UnknownName { code: 8439, .. }), "{misspelt}");
    let text = missing.to_string();
    assert!(text.contains("inherit-only") && text.contains("without /I"), "{text}");
}

#[test]
fn an_object_of_another_domain_or_with_the_sid_in_its_history_is_none_of_this_domain() {
    let guid = admins().guid;
    let sid = admins().sid.unwrap();
    let mut bench = Bench::bound([
        name_reply(0, "other.example.com", Some(guid)),
        capture("unknown-object.stub"),
        name_reply(0, "other.example.com", Some(guid)),
        known_as(guid),
        capture("group-alone.stub"),
    ]);
    let unknown = |outcome: Result<Page, Error>| matches!(outcome, Err(Error::UnknownObject { .. }));
    assert!(unknown(bench.order(alone(ObjectId::Sid(sid.clone())))));
    assert!(unknown(bench.order(alone(ObjectId::Guid(guid)))));
    let former: Sid = "S-1-5-21-9-9-9-512".parse().unwrap();
    assert!(unknown(bench.order(alone(ObjectId::Sid(former)))));
    assert!(bench.stubs.is_empty());
}

#[test]
fn of_several_objects_with_a_sid_only_the_domains_own_is_believed() {
    let sid = admins().sid.unwrap();
    let several = || name_reply(3, DOMAIN, None);
    let mut bench = Bench::bound([several(), capture("group-alone.stub")]);
    assert_eq!(bench.order(alone(ObjectId::Sid(sid.clone()))).unwrap().links.len(), 1);
    let bench = Bench::bound([several(), capture("unknown-object.stub")]);
    let error = bench.fails(alone(ObjectId::Sid(sid.clone())));
    assert_eq!(error, Error::Ambiguous { object: sid.to_string() });
    // The same group, seen by somebody whose domain is above or beside this one.
    for domain in ["example.com", "com", "other.example.com"] {
        let mut bench = Bench::of(target(domain), [name_reply(3, domain, None), capture("group-alone.stub")]);
        assert!(matches!(bench.run().unwrap(), Step::Ready(_)));
        assert!(
            matches!(bench.fails(alone(ObjectId::Sid(sid.clone()))), Error::Ambiguous { .. }),
            "{domain}"
        );
    }
}

#[test]
fn a_name_that_cannot_be_looked_up_is_no_name_that_does_not_exist() {
    for status in [1, 4, 7] {
        let bench = Bench::bound([name_reply(status, DOMAIN, None)]);
        let error = bench.fails(alone(ObjectId::Sid(admins().sid.unwrap())));
        assert!(matches!(error, Error::Refused { .. }), "{status}: {error}");
    }
}

/// The DC's answer to the bind, with the extensions cut to this length, this site and this epoch.
fn bind_reply(length: usize, site: Uuid, epoch: u32) -> Vec<u8> {
    let real = capture("drs-bind-reply.stub");
    // Pointer and two lengths stand before the extensions.
    let count = usize::try_from(u32::from_le_bytes(real[4..8].try_into().unwrap())).unwrap();
    let mut extensions = real[12..12 + count].to_vec();
    extensions.resize(52, 0);
    extensions[4..20].copy_from_slice(&site.to_bytes_le());
    extensions[24..28].copy_from_slice(&epoch.to_le_bytes());
    extensions.truncate(length);
    let length = u32::try_from(length).unwrap().to_le_bytes();
    let end = &real[(12 + count).next_multiple_of(4)..];
    [&real[..4], &length, &length, &extensions, end].concat()
}

/// The epoch in a bind's request.
fn epoch_in(request: &[u8]) -> u32 {
    u32::from_le_bytes(request[56..60].try_into().unwrap())
}

#[test]
fn a_dc_of_another_epoch_is_bound_to_once_more_with_the_epoch_that_it_names() {
    for length in [28, 48, 52] {
        let mut bench = Bench::new([]);
        let reply = || bind_reply(length, Uuid::nil(), 5);
        bench.stubs.truncate(1);
        bench.stubs.extend([reply(), vec![0; 24], reply(), capture("after-nothing.stub")]);
        assert!(matches!(bench.run().unwrap(), Step::Ready(_)));
        bench.changes(Start::Beginning).unwrap();
        assert_eq!(bench.operations, [bind::BIND, bind::UNBIND, bind::BIND, 3]);
        assert_eq!((epoch_in(&bench.requests[1]), epoch_in(&bench.requests[3])), (0, 5));
    }
}

#[test]
fn a_dc_that_names_another_epoch_each_time_is_given_up_after_the_second() {
    let mut bench = Bench::new([]);
    bench.stubs.truncate(1);
    bench.stubs.extend([bind_reply(52, Uuid::nil(), 5), vec![0; 24], bind_reply(52, Uuid::nil(), 6)]);
    assert_eq!(bench.run().unwrap_err(), Error::OtherEpoch { sent: 5 });
}

#[test]
fn single_objects_are_read_for_the_site_of_the_dc_and_pages_for_a_client() {
    let site = Uuid::from_u128(0x517e);
    for (site, expected) in [(site, site), (Uuid::nil(), bind::CLIENT)] {
        let mut bench = Bench::new([]);
        bench.stubs.truncate(1);
        bench.stubs.extend([bind_reply(52, site, 0), capture("group-alone.stub"), capture("page-1.stub")]);
        assert!(matches!(bench.run().unwrap(), Step::Ready(_)));
        bench.order(alone(ObjectId::Guid(admins().guid))).unwrap();
        bench.changes(Start::Beginning).unwrap();
        let destination = |request: &[u8]| Uuid::from_bytes_le(request[32..48].try_into().unwrap());
        let [.., single, page] = bench.requests.as_slice() else { panic!() };
        assert_eq!((destination(single), destination(page)), (expected, bind::CLIENT));
    }
}

#[test]
fn a_dc_whose_port_is_configured_is_not_asked_for_it() {
    let mut bench = Bench::of(Target { port: Some(5000), ..target(DOMAIN) }, [capture("page-1.stub")]);
    assert!(matches!(bench.run().unwrap(), Step::Ready(_)));
    bench.changes(Start::Beginning).unwrap();
    assert_eq!(bench.ports, [5000]);
    assert_eq!(Bench::bound([]).ports[0], epm::PORT);
}

#[test]
fn faults_have_the_meaning_of_the_codes_that_they_carry() {
    type Is = fn(&Error) -> bool;
    let meanings: [(u32, Is); 6] = [
        (5, |error| matches!(error, Error::NotAdmitted { .. })),
        (8453, |error| matches!(error, Error::MissingRight { .. })),
        (8593, |error| *error == Error::OtherEpoch { sent: 0 }),
        (8594, |error| *error == Error::Stale { code: 8594 }),
        (0x1c00_001a, |error| matches!(error, Error::Stale { .. })),
        (1460, |error| matches!(error, Error::Busy { .. })),
    ];
    for (status, is) in meanings {
        let mut bench = Bench::bound([]);
        bench.fault = Some(status);
        let error = bench.fails(Order::Changes { from: Start::Beginning, what: Attributes::WithSecrets });
        assert!(is(&error), "{status:#x}: {error}");
    }
    let mut mapper = Bench::new([]);
    mapper.fault = Some(5);
    assert_eq!(mapper.run().unwrap_err(), Error::MapperClosed);
}

#[test]
fn a_missing_right_names_the_account_and_the_commands() {
    let mut bench = Bench::bound([capture("missing-right.stub")]);
    let error = bench.changes(Start::Beginning).unwrap_err();
    let expected = Error::MissingRight { account: "svc".to_owned(), naming_context: BASE.to_owned() };
    assert_eq!(error, expected);
    let text = error.to_string();
    for part in ["samba-tool dsacl set", "1131f6ad-9c07-11d1-f79f-00c04fc2dcd2", "dsacls", "svc", BASE] {
        assert!(text.contains(part), "{part}");
    }
}

const BASE: &str = "DC=corp,DC=example,DC=com";

/// A session in which only this increment was read, from the beginning.
fn cycle_of(name: &str) -> Page {
    Bench::bound([capture(name)]).changes(Start::Beginning).unwrap()
}

#[test]
fn a_host_without_the_interface_is_no_controller() {
    let mut none = capture("epm-reply.stub");
    none[20..].fill(0);
    let mut bench = Bench::new([]);
    bench.stubs[0] = none;
    assert_eq!(bench.run().unwrap_err(), Error::NotAController);
}

#[test]
fn a_dc_that_lacks_what_is_needed_is_unfit() {
    let mut bench = Bench::new([]);
    // dwFlags follows the pointer and the two lengths.
    bench.stubs[1][12..16].fill(0);
    assert!(matches!(bench.run(), Err(Error::Unfit { .. })));
}

/// The DC's answer to the bind, with this epoch and this `dwFlagsExt`, cut to this length.
fn bind_reply_with(more_flags: u32, length: usize, epoch: u32) -> Vec<u8> {
    let mut reply = bind_reply(length, Uuid::nil(), epoch);
    // Pointer and two lengths stand before the extensions.
    if length >= 32 {
        reply[12 + 28..12 + 32].copy_from_slice(&more_flags.to_le_bytes());
    }
    reply
}

#[test]
fn links_with_an_end_are_read_where_the_forest_has_them_and_offered_nowhere_else() {
    use crate::drs::made::{MEMBER, MadeLink, MadeReply};
    /// `dwFlagsExt` of a bind's request: pointer, GUID, pointer and two counts stand before the extensions.
    fn offered(bind: &[u8]) -> u32 {
        let at = 32 + 28;
        u32::from_le_bytes(bind[at..at + 4].try_into().unwrap())
    }
    let ending = MadeLink {
        attid: MEMBER,
        from: 10,
        to: 1,
        present: true,
        created: 5,
        version: 1,
        expires: 13_440_405_600,
    };
    // Windows 2003 sends 28 bytes of extensions; a DC of 2016 sends 52, and its forest has the feature or not.
    for (more_flags, length, epoch, offers) in [
        (0x300, 28, 0, false),
        (0, 52, 0, false),
        (0x104, 52, 0, false),
        (0x304, 52, 0, true),
        (0x304, 52, 5, true),
        (0x104, 52, 5, false),
    ] {
        let twice = offers || epoch != 0;
        let bound = || bind_reply_with(more_flags, length, epoch);
        let reply = MadeReply { v9: offers, links: vec![ending], ..MadeReply::default() };
        let mut bench = Bench::new([]);
        bench.stubs.truncate(1);
        bench.stubs.push_back(bound());
        if twice {
            bench.stubs.extend([vec![0; 24], bound()]);
        }
        bench.stubs.push_back(reply.bytes());
        assert!(matches!(bench.run().unwrap(), Step::Ready(_)));
        // The first request is for the port.
        assert_eq!(offered(&bench.requests[1]), 0, "before the DC has said that there are any");
        if twice {
            assert_eq!(offered(&bench.requests[3]), if offers { 0x300 } else { 0 });
            assert_eq!(epoch_in(&bench.requests[3]), epoch, "one more bind for both");
        }
        let page = bench.changes(Start::Beginning).unwrap();
        assert_eq!(page.links[0].until, offers.then_some(1_795_932_000));
        let binds = bench.operations.iter().filter(|operation| **operation == bind::BIND).count();
        assert_eq!(binds, if twice { 2 } else { 1 }, "{more_flags:#x} {epoch}");
    }
}

#[test]
fn a_group_from_before_2003_that_is_read_alone_has_all_its_members() {
    use crate::drs::made::{MEMBER, MadeLink, MadeObject, MadeReply, name};
    let group = || MadeObject { id: 10, attributes: vec![(MEMBER, 7, vec![name(1), name(2)])] };
    let newer =
        MadeLink { attid: MEMBER, from: 10, to: 3, present: true, created: 5, version: 1, expires: 0 };
    let order = || Order::Object { which: ObjectId::Guid(Uuid::from_u128(10)), secrets: false };
    let members = |page: &Page| page.links.iter().map(|link| link.to.guid.as_u128()).collect::<Vec<_>>();
    let alone = MadeReply { objects: vec![group()], links: vec![newer], alone: true, ..MadeReply::default() };
    let mut bench = Bench::bound([alone.bytes()]);
    assert_eq!(members(&bench.order(order()).unwrap()), [1, 2, 3]);
    // One with more links than the DC puts into one reply is picked out of all links of the domain.
    let cut = MadeReply { objects: vec![group()], more: true, alone: true, ..MadeReply::default() };
    let other = MadeObject { id: 11, attributes: vec![(MEMBER, 1, vec![name(9)])] };
    let all = MadeReply { objects: vec![other, group()], links: vec![newer], ..MadeReply::default() };
    let mut bench = Bench::bound([cut.bytes(), all.bytes()]);
    assert_eq!(members(&bench.order(order()).unwrap()), [1, 2, 3]);
}

#[test]
fn an_answer_that_does_not_fit_ends_the_session_and_never_panics() {
    for answer in [Answer::Bytes(vec![1]), Answer::Order(Order::Finish)] {
        let mut bench = Bench::new([]);
        assert!(matches!(bench.replica.next_step(Duration::ZERO), Ok(Step::Connect { port: 135 })));
        bench.replica.answer(answer);
        assert!(matches!(bench.replica.next_step(Duration::ZERO), Err(Error::OutOfOrder(_))));
        assert!(matches!(bench.replica.next_step(Duration::ZERO), Ok(Step::Finished)));
    }
    let mut bench = Bench::new([]);
    assert!(bench.replica.next_step(Duration::ZERO).is_ok());
    assert!(
        matches!(bench.replica.next_step(Duration::ZERO), Err(Error::OutOfOrder(_))),
        "it was not answered"
    );
}
