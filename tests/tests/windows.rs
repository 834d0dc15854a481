//! phs beside a fake domain controller that answers as Windows does (`lab::windows_fake`): connections and sessions in
//! this process, and the real program with a real tenant.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use landbridge_crypto::salted_digest::{Profile, SaltedDigest};
use landbridge_crypto::secret::Password;
use landbridge_drsr::Error;
use landbridge_drsr::drs::attribute::Attribute;
use landbridge_drsr::drs::change::{Page, Progress};
use landbridge_drsr::drs::sid::Sid;
use landbridge_phs::config::Config;
use landbridge_phs::error::PhsError;
use landbridge_phs::read::pull::{
    Client, Connection, Controller, Credential, Directory, From, Keytab, ObjectId, Principal, PullError,
    Reading, reach,
};
use landbridge_phs::read::session::{Session, Singles};
use landbridge_phs::scope::Scope;
use landbridge_tests::lab::domain::CONTROLLER;
use landbridge_tests::lab::phs::write_private;
use landbridge_tests::lab::population::{ACCOUNT, DOMAIN};
use landbridge_tests::lab::program::Finished;
use landbridge_tests::lab::windows_fake::objects::{
    DISPLAY_NAME, FakeObject, MEMBER, least, name_value, text,
};
use landbridge_tests::lab::windows_fake::{
    Behaviour, Call, FakeAttribute, NAME, PORT, Trouble, WindowsFake, domain, guid,
};
use landbridge_tests::lab::{
    Application, Domain, Phs, PhsSettings, Population, Proof, RunningTenant, TenantSettings, Try,
};
use rustix::process::Signal;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// NT hash of `Pa$$w0rd`.
const NT_HASH: [u8; 16] =
    [0x92, 0x93, 0x79, 0x45, 0xb5, 0x18, 0x81, 0x43, 0x41, 0xde, 0x3f, 0x72, 0x65, 0x00, 0xd4, 0xff];
const PASSWORD: &str = "Pa$$w0rd";
/// Forms of names of DRSCrackNames: objectGUID, SID.
const BY_GUID: u32 = 6;
const BY_SID: u32 = 11;

/// A domain with Alice and Bob beside what every domain holds.
fn served(behaviour: Behaviour) -> WindowsFake {
    let mut objects = least(ACCOUNT);
    for (rid, sam) in [(1101, "alice"), (1102, "bob")] {
        let person = FakeObject::person(rid, sam).with(DISPLAY_NAME, text(sam));
        objects.push(FakeObject { nt_hash: Some(NT_HASH), ..person });
    }
    WindowsFake::serve(objects, behaviour).unwrap()
}

fn controller(fake: &WindowsFake, port: Option<u16>) -> Controller {
    Controller { name: NAME.to_owned(), address: Some(fake.address()), port }
}

fn directory(fake: &WindowsFake) -> Directory {
    Directory {
        domain: DOMAIN.to_owned(),
        controller: controller(fake, None),
        account: ACCOUNT.to_owned(),
        client: Arc::new(Client {
            account: Principal::account(ACCOUNT, DOMAIN).unwrap(),
            credential: Credential::Keytab(Keytab::parse(&fake.keytab(ACCOUNT)).unwrap()),
            workstation: None,
        }),
        page_objects: 4,
        further: Vec::new(),
        extensions: Vec::new(),
        ids: Vec::new(),
        ancestors: false,
    }
}

fn connected(fake: &WindowsFake) -> Connection {
    Connection::open(&directory(fake)).unwrap()
}

/// A session as a cycle has it, with the connections that are kept.
fn session(fake: &WindowsFake) -> Result<Session, PhsError> {
    session_of(fake, &domain())
}

fn session_of(fake: &WindowsFake, domain: &Sid) -> Result<Session, PhsError> {
    let folder = tempfile::tempdir().unwrap();
    let keytab = folder.path().join("keytab");
    write_private(&keytab, &fake.keytab(ACCOUNT)).unwrap();
    let file = folder.path().join("phs.toml");
    let text = format!(
        "state_directory = \"/nowhere\"\n[directory]\ndomain = \"{DOMAIN}\"\naccount = \"{ACCOUNT}\"\n\
         keytab = {keytab:?}\n[[directory.controllers]]\nname = \"{NAME}\"\naddress = \"{}\"\n",
        fake.address()
    );
    std::fs::write(&file, text).unwrap();
    let config = Config::load(&file).unwrap();
    Session::open(&config.directory, &Scope::default(), domain, &[], &[], None, "")
}

fn built_in(rid: u32) -> ObjectId {
    ObjectId::Sid(format!("S-1-5-32-{rid}").parse().unwrap())
}

/// The error of drsr in one of phs.
#[track_caller]
fn refusal(error: PhsError) -> Error {
    let PhsError::Pull(PullError::Directory { error, .. }) = error else { panic!("{error}") };
    error
}

/// All pages of the domain.
fn pages(connection: &mut Connection) -> Vec<Page> {
    let mut pages = vec![connection.page(From::Beginning, Reading::WithSecrets).unwrap()];
    while matches!(pages.last().unwrap().progress, Progress::More) {
        pages.push(connection.page(From::NextPage, Reading::WithSecrets).unwrap());
    }
    pages
}

#[test]
fn a_domain_is_read_page_by_page_with_names_and_passwords() {
    let fake = served(Behaviour::default());
    let pages = pages(&mut connected(&fake));
    assert_eq!(pages.len(), 4);
    let people: Vec<_> = pages
        .iter()
        .flat_map(|page| page.changes.iter().map(move |change| (page, change)))
        .filter_map(|(page, change)| Some((page, change, change.nt_hash.as_ref()?)))
        .collect();
    assert_eq!(people.len(), 2);
    for (page, change, sealed) in people {
        let hash = sealed.open(&page.keys, change.object.sid.as_ref().unwrap().rid()).unwrap();
        let digest = SaltedDigest::derive(hash, Profile::Entra);
        assert!(digest.verify(&Password::new(PASSWORD.to_owned())));
        // The schema's version in the prefix table, which has the index of another entry, has displaced nothing.
        for attribute in [Attribute::ObjectClass, Attribute::DisplayName, Attribute::SamAccountName] {
            assert!(change.value(attribute).is_some(), "{attribute:?} of {change:?}");
        }
    }
    assert!(pages.iter().all(|page| page.quarantined.is_empty()));
}

#[test]
fn an_attribute_under_an_attid_that_was_not_asked_for_disturbs_no_object() {
    let fake = served(Behaviour::default());
    fake.edit(|objects| {
        for object in objects {
            let values = vec![text("NoSync")];
            object.attributes.push(FakeAttribute { attid: 0x9a3f_5c01, values, unasked: true });
        }
    });
    let pages = pages(&mut connected(&fake));
    assert!(pages.iter().all(|page| page.quarantined.is_empty() && !page.changes.is_empty()));
}

#[test]
fn a_domain_that_was_renamed_is_bound_to_again_with_its_epoch_and_only_once() {
    for extensions in [28, 48, 52] {
        let fake = served(Behaviour { epoch: 7, extensions, ..Behaviour::default() });
        let mut connection = connected(&fake);
        connection.object(ObjectId::Guid(guid("alice")), false).unwrap();
        pages(&mut connection);
        let binds: Vec<_> = fake.calls().into_iter().take(4).collect();
        let alice = Call::Object(guid("alice"), false);
        assert_eq!(binds, [Call::Bind(0), Call::Unbind, Call::Bind(7), alice], "{extensions}");
    }
}

#[test]
fn a_dc_that_refuses_the_epoch_that_it_named_is_told_in_words_and_not_bound_to_for_ever() {
    let fake = served(Behaviour { epoch: 7, named_epoch: Some(8), ..Behaviour::default() });
    let error = session(&fake).unwrap_err();
    let said = error.to_string();
    assert_eq!(refusal(error), Error::OtherEpoch { sent: 8 });
    assert!(said.contains("8593") && said.contains("rendom"), "{said}");
    let binds = fake.calls().into_iter().filter(|call| matches!(call, Call::Bind(_))).count();
    assert_eq!(binds, 2);
}

/// How a DC, or a firewall before it, gives up a connection that was kept.
const GIVEN_UP: [Trouble; 6] = [
    Trouble::Shutdown,
    Trouble::Fault(8594),
    Trouble::Fault(6),
    Trouble::Fault(0x1c00_001a),
    Trouble::Fault(8593),
    Trouble::Code(8594),
];

#[test]
fn a_single_object_over_a_connection_that_was_given_up_comes_over_another() {
    for trouble in GIVEN_UP.into_iter().chain([Trouble::Swallowed]) {
        let fake = served(Behaviour::default());
        let mut session = session(&fake).unwrap();
        let mut alice = || session.object(ObjectId::Guid(guid("alice")), false);
        alice().unwrap().unwrap();
        let before = fake.connections();
        fake.next_call_meets(trouble);
        alice().unwrap_or_else(|error| panic!("{trouble:?}: {error}")).unwrap();
        assert_eq!(fake.connections(), before + 1, "{trouble:?}");
    }
}

#[test]
fn a_first_page_over_a_connection_that_was_given_up_comes_over_another() {
    for trouble in GIVEN_UP {
        let fake = served(Behaviour::default());
        // The connection of the pages was used for the domain's head.
        let session = session(&fake).unwrap();
        let before = fake.connections();
        fake.next_call_meets(trouble);
        let pages = session.pages().from(None, Reading::WithoutSecrets).unwrap();
        let objects: usize = pages.iter().map(|page| page.unwrap().changes.len()).sum();
        assert_eq!(objects, least(ACCOUNT).len() + 2, "{trouble:?}");
        assert_eq!(fake.connections(), before + 1, "{trouble:?}");
    }
}

#[test]
fn changes_since_a_cursor_over_a_connection_that_was_dropped_silently_come_over_another() {
    let fake = served(Behaviour::default());
    let session = session(&fake).unwrap();
    let whole = session.pages().from(None, Reading::WithoutSecrets).unwrap();
    let last = whole.iter().last().unwrap().unwrap();
    let Progress::Last(cursor) = last.progress else { panic!("not the last page") };
    let before = fake.connections();
    fake.next_call_meets(Trouble::Swallowed);
    let since = session.pages().from(Some(cursor), Reading::WithoutSecrets).unwrap();
    let page = since.recv().unwrap().unwrap();
    assert!(page.changes.is_empty() && matches!(page.progress, Progress::Last(_)));
    assert_eq!(fake.connections(), before + 1);
}

#[test]
fn a_dc_that_gives_up_the_new_connection_too_is_not_asked_for_ever() {
    for trouble in [Trouble::Shutdown, Trouble::Fault(8594)] {
        let fake = served(Behaviour::default());
        let mut session = session(&fake).unwrap();
        session.object(ObjectId::Guid(guid("alice")), false).unwrap().unwrap();
        let before = fake.connections();
        (0..3).for_each(|_| fake.next_call_meets(trouble));
        session.object(ObjectId::Guid(guid("alice")), false).unwrap_err();
        assert_eq!(fake.connections(), before + 1, "{trouble:?}");
    }
}

#[test]
fn an_object_is_named_by_its_guid_and_a_sid_is_looked_up_once_a_session() {
    let fake = served(Behaviour::default());
    let mut session = session(&fake).unwrap();
    fake.calls();
    for _ in 0..2 {
        session.object(built_in(544), false).unwrap().unwrap();
    }
    let (looked_up, group) =
        (Call::Name(BY_SID, "S-1-5-32-544".to_owned()), Call::Object(guid("S-1-5-32-544"), false));
    assert_eq!(fake.calls(), [Call::Bind(0), looked_up, group.clone(), group]);
}

#[test]
fn a_global_catalog_with_several_groups_of_a_sid_gives_the_domains_own_or_an_error_and_never_none() {
    let behaviour = Behaviour { several_built_in: true, refuses_sids: false, ..Behaviour::default() };
    let fake = served(behaviour);
    let mut session = session(&fake).unwrap();
    let page = session.object(built_in(544), false).unwrap().unwrap();
    assert_eq!(page.changes[0].object.guid, guid("S-1-5-32-544"));
    // The one that comes is of a domain below.
    fake.edit(|objects| {
        let group = objects.iter_mut().find(|object| object.guid == guid("S-1-5-32-544")).unwrap();
        group.dn = "CN=Administrators,CN=Builtin,DC=child,DC=corp,DC=example,DC=com".to_owned();
    });
    let error = refusal(session.object(built_in(544), false).unwrap_err());
    assert!(matches!(error, Error::Ambiguous { .. }), "{error}");
    fake.behave(|behaviour| behaviour.refuses_sids = true);
    let error = refusal(session.object(built_in(548), false).unwrap_err());
    assert!(matches!(error, Error::Ambiguous { .. }), "{error}");
}

#[test]
fn a_global_catalog_that_finds_another_domains_group_first_never_means_that_there_is_none() {
    let fake = served(Behaviour { refuses_sids: false, ..Behaviour::default() });
    let mut session = session(&fake).unwrap();
    fake.edit(|objects| {
        let mut other = FakeObject::group("S-1-5-32-544", "Administrators", &[]);
        other.guid = guid("of another domain");
        other.dn = "CN=Administrators,CN=Builtin,DC=child,DC=corp,DC=example,DC=com".to_owned();
        other.domain = "child.corp.example.com".to_owned();
        objects.insert(0, other);
    });
    let error = refusal(session.object(built_in(544), false).unwrap_err());
    assert!(matches!(error, Error::Ambiguous { .. }), "{error}");
    // A SID of an account stands in one domain only: one of another domain is none of this one's.
    fake.edit(|objects| {
        let other = FakeObject::person(1500, "of.another.domain");
        objects.push(FakeObject { domain: "child.corp.example.com".to_owned(), ..other });
    });
    assert!(session.object(ObjectId::Sid(domain().with_rid(1500)), false).unwrap().is_none());
}

#[test]
fn what_exists_and_is_answered_as_unknown_is_a_missing_right_with_the_command_that_grants_it() {
    let fake = served(Behaviour::default());
    let mut held = session(&fake).unwrap();
    let denied = |name: &str| {
        let name = guid(name);
        fake.behave(move |behaviour| {
            behaviour.denied.insert(name);
        });
    };
    denied("S-1-5-32-544");
    denied("alice");
    fake.calls();
    for which in [built_in(544), ObjectId::Guid(guid("alice"))] {
        let error = refusal(held.object(which, false).unwrap_err());
        assert!(matches!(error, Error::MissingRight { .. }), "{error}");
        let said = error.to_string();
        assert!(said.contains("dsacls") && said.contains("inherit-only") && said.contains(ACCOUNT), "{said}");
    }
    let asked = Call::Name(BY_GUID, format!("{{{}}}", guid("alice")));
    assert!(fake.calls().contains(&asked));
    // The domain's head: the SID is right, and the right is not there.
    denied(&domain().to_string());
    let error = refusal(session(&fake).unwrap_err());
    assert!(matches!(error, Error::MissingRight { .. }), "{error}");
    let error = connected(&fake).page(From::Beginning, Reading::WithSecrets).unwrap_err();
    assert!(matches!(&error, PullError::Directory { error: Error::MissingRight { .. }, .. }), "{error}");
}

#[test]
fn what_does_not_exist_is_unknown_and_the_session_goes_on() {
    let fake = served(Behaviour::default());
    let mut held = session(&fake).unwrap();
    let nobody = [
        ObjectId::Guid(guid("nobody")),
        built_in(999),
        ObjectId::Dn("CN=X,DC=corp,DC=example,DC=com".into()),
    ];
    let before = fake.connections();
    for which in nobody {
        assert!(held.object(which, false).unwrap().is_none());
    }
    assert!(held.account("nobody").unwrap().is_none());
    assert!(held.account(ACCOUNT).unwrap().is_some());
    assert_eq!(fake.connections(), before + 1);
    let other: Sid = "S-1-5-21-7-7-7".parse().unwrap();
    assert!(matches!(session_of(&fake, &other), Err(PhsError::OtherSid { .. })));
}

#[test]
fn a_missing_right_is_told_as_such() {
    let fake = served(Behaviour { missing_right: true, ..Behaviour::default() });
    assert!(matches!(refusal(session(&fake).unwrap_err()), Error::MissingRight { .. }));
}

#[test]
fn single_objects_are_asked_for_in_the_name_of_the_site() {
    // A DC that reads them for what it knows alone has one thing that it knows: its site.
    let fake = served(Behaviour::default());
    connected(&fake).object(ObjectId::Guid(guid("bob")), true).unwrap();
    // One that does not tell its site in the bind is told as unfit, whatever code it uses.
    for code in [3, 6, 16] {
        fake.behave(|behaviour| (behaviour.extensions, behaviour.unknown_caller) = (4, Some(code)));
        let error = connected(&fake).object(ObjectId::Guid(guid("bob")), true).unwrap_err();
        assert!(error.to_string().contains(&format!("extended code {code}")), "{error}");
    }
}

#[test]
fn codes_and_faults_of_a_dc_say_who_must_act() {
    let fake = served(Behaviour::default());
    let said = [
        (8418, "alternate_login"),
        (8420, "is the domain's name right"),
        (8464, "schema"),
        (8451, "log of the Directory Service"),
        (8236, "newest version"),
        (8593, "rendom"),
        (8, "out of memory"),
        (1722, "directory service"),
    ];
    for (code, part) in said {
        for trouble in [Trouble::Code(code), Trouble::Fault(code)] {
            let mut connection = connected(&fake);
            fake.next_call_meets(trouble);
            let error = connection.page(From::Beginning, Reading::WithSecrets).unwrap_err().to_string();
            // What is said to be another domain is looked up, and exists.
            let part = if code == 8420 { "lacks the right" } else { part };
            assert!(error.contains(part), "{trouble:?}: {error}");
        }
    }
}

#[test]
fn a_mapper_that_is_closed_to_strangers_is_named_and_a_configured_port_needs_none() {
    let fake = served(Behaviour { mapper_closed: true, ..Behaviour::default() });
    let Err(error) = Connection::open(&directory(&fake)) else { panic!("the mapper is closed") };
    let said = error.to_string();
    assert!(said.contains("RestrictRemoteClients") && said.contains("`port`"), "{said}");
    let pinned = Directory { controller: controller(&fake, Some(PORT)), ..directory(&fake) };
    assert_eq!(reach(&pinned.controller).unwrap(), fake.address());
    let mut connection = Connection::open(&pinned).unwrap();
    assert_eq!(connection.port(), Some(PORT));
    assert!(!pages(&mut connection).is_empty());
}

/// A tenant and a phs for the domain of the fake. With `port` its replication port is configured.
fn installed(fake: &WindowsFake, port: bool) -> (RunningTenant, Phs) {
    let tenant = RunningTenant::start(&TenantSettings::default()).unwrap();
    tenant.add_domain(&domain().to_string(), &[]).unwrap();
    let port = if port { format!("port = {PORT}\n") } else { String::new() };
    let phs = Phs::install(&PhsSettings {
        domain: "corp.example.com",
        profile: "entra",
        proof: Proof::Keytab,
        account: ACCOUNT.to_owned(),
        password: "unused".to_owned(),
        keytab: None,
        before: Vec::new(),
        controller: String::new(),
        address: None,
        // Several pages, so that the protected groups are read first.
        page_objects: 4,
        also: Vec::new(),
        include: Vec::new(),
        alternate_login: None,
        photos: false,
        top: "",
        further: format!(
            "[[directory.controllers]]\nname = \"{NAME}\"\naddress = \"{}\"\n{port}",
            fake.address()
        ),
        schedule: "",
        level: "info",
        state: None,
    })
    .unwrap();
    write_private(&phs.folder().join("keytab"), &fake.keytab(ACCOUNT)).unwrap();
    phs.join(&tenant).unwrap();
    (tenant, phs)
}

#[test]
fn people_of_a_domain_of_the_fake_sign_in_with_their_passwords_and_with_no_other() {
    let fake = served(Behaviour { epoch: 2, ..Behaviour::default() });
    let (tenant, phs) = installed(&fake, false);
    phs.once(&[]).unwrap().expect_code(0);
    let application = Application::of(&tenant, "windows").unwrap();
    let sign_in = |name: &str, password: &str| application.sign_in(&Try::from(0, name, password)).unwrap();
    let (right, wrong) =
        (sign_in("alice@corp.example.com", PASSWORD), sign_in("bob@corp.example.com", "Pa$$w0rd1"));
    assert!(right.accepted() && wrong.refused(), "{right:?} {wrong:?}");
}

#[test]
fn check_and_once_work_at_a_configured_port_without_the_mapper() {
    let fake = served(Behaviour { mapper_closed: true, ..Behaviour::default() });
    let (_tenant, phs) = installed(&fake, true);
    let check = phs.run(&["check"], None).unwrap();
    assert!(check.stdout.contains(&format!("ports 88 and {PORT}")), "{check}");
    phs.once(&[]).unwrap().expect_code(0);
}

#[test]
fn no_digest_leaves_while_a_group_of_administrators_cannot_be_read() {
    let administrators = "S-1-5-32-544";
    type Change = fn(&mut Behaviour);
    let changes: [(&str, Change); 3] = [
        ("dsacls", |behaviour| behaviour.denied.extend([guid("S-1-5-32-544")])),
        (administrators, |behaviour| behaviour.blank.extend([guid("S-1-5-32-544")])),
        ("global catalog", |behaviour| behaviour.several_built_in = true),
    ];
    let fake = served(Behaviour::default());
    let (tenant, phs) = installed(&fake, false);
    let refused = |finished: Finished, says: &str| {
        assert_eq!(finished.code, Some(4), "{says}: {finished}");
        assert!(finished.stderr.contains(says), "{says}: {finished}");
        assert_eq!(tenant.metric("landbridge_records_applied_total").unwrap(), Some(0.0), "{says}");
    };
    for (says, change) in changes {
        fake.behave(|behaviour| *behaviour = Behaviour::default());
        fake.behave(change);
        refused(phs.once(&[]).unwrap(), says);
    }
    fake.behave(|behaviour| *behaviour = Behaviour::default());
    fake.edit(|objects| objects.retain(|object| object.guid != guid(administrators)));
    refused(phs.once(&[]).unwrap(), administrators);
}

/// Seconds from 1601, where the times of replication begin, to 1970.
const EPOCH: u64 = 11_644_473_600;

/// A group whose members are carried, and no others: Alice and Bob.
fn pilots(phs: &Phs) -> FakeObject {
    let group = FakeObject::group("S-1-5-21-1000-2000-3000-1201", "Pilots", &[guid("alice"), guid("bob")]);
    let config = std::fs::read_to_string(phs.config()).unwrap();
    std::fs::write(phs.config(), format!("{config}\n[scope]\ngroups = [\"{}\"]\n", group.dn)).unwrap();
    group
}

#[test]
fn a_membership_for_a_time_ends_though_the_dc_sends_nothing_and_nothing_else_wakes_the_daemon() {
    let fake = served(Behaviour { ending_links: true, ..Behaviour::default() });
    let (tenant, phs) = installed(&fake, false);
    let mut group = pilots(&phs);
    fake.edit(|objects| objects.push(group.clone()));
    phs.once(&[]).unwrap().expect_code(0);
    let application = Application::of(&tenant, "windows").unwrap();
    let sign_in = |name: &str| application.sign_in(&Try::from(0, name, PASSWORD)).unwrap();
    assert!(sign_in("alice@corp.example.com").accepted() && sign_in("bob@corp.example.com").accepted());
    // Alice gets an end, which the next page says. The timer comes after two minutes.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    group.links[0].expires = EPOCH + now + 5;
    fake.edit(|objects| {
        objects.retain(|object| object.guid != group.guid);
        objects.extend([group.clone(), FakeObject::person(1103, "carol")]);
    });
    fake.edit(|objects| objects.push(group.clone()));
    let mut running = phs.run_daemon().unwrap();
    let deadline = Instant::now() + Duration::from_secs(90);
    while sign_in("alice@corp.example.com").accepted() {
        assert!(Instant::now() < deadline, "she is in for ever");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(sign_in("bob@corp.example.com").accepted());
    running.signal(Signal::TERM);
    running.finish(20).unwrap().expect_code(0);
    // A full compare, in which the DC still sends the member as present, does not bring her back.
    phs.once(&["--full"]).unwrap().expect_code(0);
    assert!(!sign_in("alice@corp.example.com").accepted() && sign_in("bob@corp.example.com").accepted());
}

#[test]
fn an_administrator_from_before_2003_is_never_carried_and_one_that_cannot_be_read_ends_the_cycle() {
    let fake = served(Behaviour::default());
    let admins = guid("S-1-5-21-1000-2000-3000-512");
    let give = |values: Vec<Vec<u8>>| {
        fake.edit(|objects| {
            let group = objects.iter_mut().find(|object| object.guid == admins).unwrap();
            group.attributes.retain(|attribute| attribute.attid != MEMBER);
            group.attributes.push(FakeAttribute { attid: MEMBER, values, unasked: false });
        });
    };
    let alice = name_value(&FakeObject::person(1101, "alice"));
    give(vec![alice.clone()]);
    let (tenant, phs) = installed(&fake, false);
    phs.once(&[]).unwrap().expect_code(0);
    assert!(!tenant.holds_digest(guid("alice")).unwrap() && tenant.holds_digest(guid("bob")).unwrap());
    let applied = tenant.metric("landbridge_records_applied_total").unwrap();
    give(vec![alice, vec![1, 2, 3]]);
    let refused = phs.once(&["--full"]).unwrap();
    assert!(refused.code != Some(0) && refused.stderr.contains("Domain Admins"), "{refused}");
    assert_eq!(tenant.metric("landbridge_records_applied_total").unwrap(), applied);
}

#[test]
fn links_before_every_object_arrive_at_the_tenant_all_of_them() {
    for links_first in [true, false] {
        let fake = served(Behaviour { links_first, ..Behaviour::default() });
        let members = [guid("alice"), guid("bob")];
        fake.edit(|objects| {
            objects.push(FakeObject::group("S-1-5-21-1000-2000-3000-1201", "Pilots", &members));
        });
        let (tenant, phs) = installed(&fake, false);
        phs.once(&[]).unwrap().expect_code(0);
        let present = "SELECT count(*) FROM links WHERE present = 1";
        let links: u32 = tenant.open_database().unwrap().query_row(present, [], |row| row.get(0)).unwrap();
        assert_eq!(links, 2, "first {links_first}");
    }
}

/// The real DC of the lab beside the fake: what phs relies on must hold for both.
#[test]
fn samba_knows_objects_by_the_same_forms_of_names() {
    let samba = Domain::start(Population::of(5)).unwrap();
    let keytab = std::fs::read(samba.keytab()).unwrap();
    let mut connection = Connection::open(&Directory {
        controller: Controller { name: CONTROLLER.to_owned(), address: Some(samba.address()), port: None },
        client: Arc::new(Client {
            account: Principal::account(ACCOUNT, DOMAIN).unwrap(),
            credential: Credential::Keytab(Keytab::parse(&keytab).unwrap()),
            workstation: None,
        }),
        ..directory(&served(Behaviour::default()))
    })
    .unwrap();
    let mut read = |which: ObjectId| connection.object(which, false);
    let own: Sid = samba.sid().parse().unwrap();
    let by_sid = [own.clone(), own.with_rid(501), own.with_rid(512)].map(ObjectId::Sid);
    let built_in = [544, 548, 549, 550, 551, 552].map(built_in);
    for which in by_sid.into_iter().chain(built_in) {
        let page = read(which.clone()).unwrap_or_else(|error| panic!("{which}: {error}"));
        let [change] = &page.changes[..] else { panic!("{which}") };
        assert_eq!(ObjectId::Sid(change.object.sid.clone().unwrap()), which);
        // The same by the other forms.
        for other in [ObjectId::Guid(change.object.guid), ObjectId::Dn(change.object.dn.clone())] {
            assert_eq!(read(other).unwrap().changes[0].object, change.object);
        }
    }
    let nobody = [
        ObjectId::Sid(own.with_rid(99_999)),
        ObjectId::Sid("S-1-5-32-999".parse().unwrap()),
        ObjectId::Sid("S-1-5-21-7-7-7".parse().unwrap()),
        ObjectId::Guid(guid("nobody")),
        ObjectId::Dn("CN=Nobody,DC=corp,DC=example,DC=com".to_owned()),
        ObjectId::Dn("CN=Nobody,DC=other,DC=example,DC=com".to_owned()),
    ];
    for which in nobody {
        let error = read(which.clone()).unwrap_err();
        let unknown = matches!(&error, PullError::Directory { error: Error::UnknownObject { .. }, .. });
        assert!(unknown, "{which}: {error}");
    }
}
