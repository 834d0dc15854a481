//! Whole sessions against a server in memory that speaks with a real DC's stubs (`captures/`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::rpc::association::server::{KEY, Made, ack, fragment_of, plain};
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
    connections: u32,
}

impl Bench {
    fn new(stubs: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let target = Target {
            domain: "corp.example.com".to_owned(),
            controller: "dc.corp.example.com".to_owned(),
            account: "svc".to_owned(),
            page_objects: 100,
            further: Vec::new(),
            ancestors: false,
        };
        let security = Security::pretend(KEY);
        let replica = Replica { machine: Machine::new(|io| session(io, target, security)) };
        let mut all: VecDeque<_> = [capture("epm-reply.stub"), capture("drs-bind-reply.stub")].into();
        all.extend(stubs);
        Self {
            replica,
            stubs: all,
            incoming: VecDeque::new(),
            fragments: 1,
            requests: Vec::new(),
            connections: 0,
        }
    }

    /// A bound one.
    fn bound(stubs: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut bench = Self::new(stubs);
        assert!(matches!(bench.run().unwrap(), Step::Ready));
        bench
    }

    /// Until it asks for something that is not IO.
    fn run(&mut self) -> Result<Step, Error> {
        loop {
            match self.replica.next_step(Duration::ZERO)? {
                Step::Connect { .. } => {
                    self.connections += 1;
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
                other @ (Step::Kdc(_) | Step::Ready | Step::Page(_) | Step::Refused(_) | Step::Finished) => {
                    return Ok(other);
                }
            }
        }
    }

    fn take(&mut self, bytes: Vec<u8>) {
        let protected = self.connections > 1;
        match bytes[2] {
            11 if protected => self.incoming.extend(ack().bytes()),
            11 => self.incoming.extend(Made { flags: 3, trailer: None, token: Vec::new(), ..ack() }.bytes()),
            0 => {
                self.requests.push(bytes[pdu::CALL_HEAD..].to_vec());
                let stub = self.stubs.pop_front().expect("no more answers");
                let call_id = u32::from_le_bytes(bytes[12..16].try_into().unwrap());
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
            let made = Made { kind: 2, flags, call_id, body: vec![0; 8], trailer: None, token: Vec::new() };
            self.incoming.extend(fragment_of(made, u64::from(self.fragments), part).bytes());
            self.fragments += 1;
        }
    }

    fn order(&mut self, order: Order) -> Result<Page, Error> {
        self.replica.answer(Answer::Order(order));
        match self.run()? {
            Step::Page(page) => {
                self.replica.answer(Answer::Done);
                assert!(matches!(self.run()?, Step::Ready));
                Ok(*page)
            }
            Step::Refused(error) => {
                self.replica.answer(Answer::Done);
                assert!(matches!(self.run()?, Step::Ready));
                Err(error)
            }
            other @ (Step::Connect { .. }
            | Step::Send(_)
            | Step::Receive(_)
            | Step::Kdc(_)
            | Step::Ready
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

#[test]
fn an_unknown_object_leaves_the_session_open_and_a_wrong_one_ends_it() {
    let stubs = ["unknown-object.stub", "group-alone.stub", "user-alone-withheld.stub"].map(capture);
    let mut bench = Bench::bound(stubs);
    let order = |guid: u128| Order::Object { which: ObjectId::Guid(Uuid::from_u128(guid)), secrets: false };
    assert!(matches!(bench.order(order(1)), Err(Error::UnknownObject { .. })));
    let admins: crate::drs::sid::Sid = {
        let stub = capture("group-alone.stub");
        let name = reply::decode(&stub).unwrap().objects[0].name.unwrap();
        name.checked().unwrap().sid.unwrap()
    };
    let page = bench.order(Order::Object { which: ObjectId::Sid(admins), secrets: false }).unwrap();
    assert!(matches!(page.progress, Progress::Object) && page.links.len() == 1);
    bench.replica.answer(Answer::Order(order(2)));
    assert!(matches!(bench.run(), Err(Error::Protocol(_))));
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

/// The answer of a DC that can do everything, with this `dwFlagsExt`, cut after so many bytes of its extensions.
fn bind_reply(more_flags: u32, length: usize) -> Vec<u8> {
    let mut extensions = crate::rpc::ndr::Writer::new();
    extensions.u32(u32::MAX); // dwFlags
    extensions.raw(&[1; 16 + 4]); // site, process
    extensions.u32(0); // epoch
    extensions.u32(more_flags);
    extensions.raw(&[2; 16 + 4]); // configuration, capabilities
    let mut extensions = extensions.into_bytes();
    extensions.truncate(length);
    let mut stub = crate::rpc::ndr::Writer::new();
    stub.pointer(true);
    stub.count(extensions.len());
    stub.count(extensions.len());
    stub.raw(&extensions);
    stub.align(4);
    stub.raw(&[7; 20]); // the handle
    stub.u32(0);
    stub.into_bytes()
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
    for (more_flags, length, offers) in
        [(0x300, 28, false), (0, 52, false), (0x104, 52, false), (0x304, 52, true)]
    {
        let mut binds = vec![bind_reply(more_flags, length)];
        if offers {
            binds.extend([vec![0; 24], bind_reply(more_flags, length)]);
        }
        let reply = MadeReply { v9: offers, links: vec![ending], ..MadeReply::default() };
        let mut bench = Bench::new([]);
        bench.stubs.truncate(1);
        bench.stubs.extend(binds.into_iter().chain([reply.bytes()]));
        assert!(matches!(bench.run().unwrap(), Step::Ready));
        // The first request is for the port.
        assert_eq!(offered(&bench.requests[1]), 0, "before the DC has said that there are any");
        assert_eq!(bench.requests.len(), if offers { 4 } else { 2 });
        if offers {
            assert_eq!(bench.requests[2][..20], [7; 20], "the first handle is given back");
            assert_eq!(offered(&bench.requests[3]), 0x300);
        }
        let page = bench.changes(Start::Beginning).unwrap();
        assert_eq!(page.links[0].until, offers.then_some(1_795_932_000));
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
