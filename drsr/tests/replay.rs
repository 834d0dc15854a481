//! What a real DC answered, read again offline: see `captures/README.md`.
//! Stubs and PDUs only. A whole association cannot be replayed: Kerberos and NTLM answer to fresh nonces of
//! ours, so a recorded bind_ack fits no second bind. What the association refuses is tested beside it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use landbridge_crypto::drs_secret::SessionKeys;
use landbridge_crypto::salted_digest::{Profile, SaltedDigest};
use landbridge_crypto::secret::Password;
use landbridge_drsr::Error;
use landbridge_drsr::drs::attribute::{Attribute, Class, Value};
use landbridge_drsr::drs::change::{Change, Page, Progress};
use landbridge_drsr::drs::cursor::Cursor;
use landbridge_drsr::drs::further::{Further, SchemaId};
use landbridge_drsr::drs::page::{self, Asked};
use landbridge_drsr::drs::{bind, reply};
use landbridge_drsr::rpc::epm;
use landbridge_drsr::rpc::pdu::{HEADER_SIGN, NDR, PRIVACY, Pdu};
use std::path::PathBuf;
use std::sync::Arc;

fn capture(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("captures").join(name)).unwrap()
}

fn keys() -> Arc<SessionKeys> {
    let mut keys = SessionKeys::new();
    keys.push_newest(capture("session.key"));
    Arc::new(keys)
}

fn page(name: &str, asked: Asked) -> Page {
    let stub = capture(name);
    let page = page::read(&reply::decode(&stub).unwrap(), asked, &[], keys()).unwrap();
    assert_eq!(page.quarantined, [], "{name}");
    page
}

const CHANGES: Asked = Asked::Changes { secrets: true };

fn value(change: &Change, attribute: Attribute) -> Option<&Value> {
    change.attributes.iter().find(|changed| changed.attribute == attribute)?.value.as_ref()
}

fn text(change: &Change, attribute: Attribute) -> Option<&str> {
    let value = value(change, attribute)?;
    let Value::Text(text) = value else { panic!("{value:?}") };
    Some(text)
}

fn password_is(page: &Page, change: &Change, password: &str) -> bool {
    let hash =
        change.nt_hash.as_ref().unwrap().open(&page.keys, change.object.sid.as_ref().unwrap().rid()).unwrap();
    SaltedDigest::derive(hash, Profile::Entra).verify(&Password::new(password.to_owned()))
}

fn cursor(page: &Page) -> &Cursor {
    match &page.progress {
        Progress::Last(cursor) => cursor,
        Progress::More | Progress::Object => panic!("not the last page"),
    }
}

#[test]
fn the_pages_of_a_whole_domain_hold_its_accounts_policies_and_links() {
    let pages = [1, 2, 3].map(|number| page(&format!("page-{number}.stub"), CHANGES));
    assert!(matches!(pages[0].progress, Progress::More) && matches!(pages[1].progress, Progress::More));
    assert!(cursor(&pages[2]).usn() > 0);
    assert_eq!(cursor(&pages[2]).invocation_id(), pages[0].source.invocation_id);
    assert_eq!(cursor(&pages[2]).vector().len(), 1);
    assert!(pages[0].objects_in_domain.unwrap() > 200);
    assert!(pages.iter().map(|page| page.changes.len()).sum::<usize>() > 200);

    let all = || pages.iter().flat_map(|page| page.changes.iter().map(move |change| (page, change)));
    let (_, head) = all().find(|(_, change)| change.domain_head).unwrap();
    assert_eq!(head.object.dn, "DC=corp,DC=example,DC=com");
    assert_eq!(value(head, Attribute::LockoutThreshold), Some(&Value::Integer(0)));
    assert!(matches!(value(head, Attribute::MaxPwdAge), Some(Value::LargeInteger(age)) if *age < 0));
    assert!(
        matches!(value(head, Attribute::ObjectClass), Some(Value::Classes(c)) if c.contains(&Class::DomainDns))
    );

    for number in 0..6 {
        let name = format!("capture{number}");
        let (page, user) =
            all().find(|(_, change)| text(change, Attribute::SamAccountName) == Some(&name)).unwrap();
        assert!(password_is(page, user, &format!("Before-{number}")), "{name}");
        assert!(!password_is(page, user, "Before-9"), "{name}");
        let control = if number == 5 { 0x202 } else { 0x200 };
        assert_eq!(value(user, Attribute::UserAccountControl), Some(&Value::Integer(control)), "{name}");
        assert_eq!(value(user, Attribute::PrimaryGroupId), Some(&Value::Integer(513)));
        assert_eq!(text(user, Attribute::UserPrincipalName), Some(&*format!("{name}@corp.example.com")));
        let Some(Value::Classes(classes)) = value(user, Attribute::ObjectClass) else { panic!("{name}") };
        assert!(classes.contains(&Class::User) && !classes.contains(&Class::Computer));
    }
    let (_, controller) =
        all().find(|(_, change)| text(change, Attribute::SamAccountName) == Some("DCX$")).unwrap();
    let Some(Value::Classes(classes)) = value(controller, Attribute::ObjectClass) else { panic!() };
    assert!(classes.contains(&Class::Computer));

    let links: Vec<_> = pages.iter().flat_map(|page| &page.links).collect();
    let members = links.iter().filter(|link| link.from.dn.starts_with("CN=CaptureGroup,")).count();
    assert_eq!(members, 3);
    assert!(links.iter().all(|link| link.present && !link.to.guid.is_nil()));
}

#[test]
fn a_reset_brings_the_password_and_its_time_and_nothing_else() {
    let page = page("after-reset.stub", CHANGES);
    let [user] = page.changes.as_slice() else { panic!("{:?}", page.changes) };
    let changed: Vec<_> = user.attributes.iter().map(|changed| changed.attribute).collect();
    assert_eq!(changed, [Attribute::PwdLastSet]);
    assert!(password_is(&page, user, "After-1") && !password_is(&page, user, "Before-1"));
    assert_eq!(user.nt_hash.as_ref().unwrap().stamp.version, 3);
    assert!(user.object.sid.is_some());
}

#[test]
fn a_password_opens_under_no_other_key_and_to_no_other_hash_with_another_rid() {
    let page = page("after-reset.stub", CHANGES);
    let user = &page.changes[0];
    let rid = user.object.sid.as_ref().unwrap().rid();
    let mut other = SessionKeys::new();
    other.push_newest(vec![7; 32]);
    assert!(user.nt_hash.as_ref().unwrap().open(&other, rid).is_err());
    let older = page.keys.with_newest(vec![7; 32]);
    let hash = user.nt_hash.as_ref().unwrap().open(&older, rid).unwrap();
    assert!(SaltedDigest::derive(hash, Profile::Entra).verify(&Password::new("After-1".to_owned())));
    let hash = user.nt_hash.as_ref().unwrap().open(&page.keys, rid + 1).unwrap();
    assert!(!SaltedDigest::derive(hash, Profile::Entra).verify(&Password::new("After-1".to_owned())));
}

#[test]
fn a_change_of_membership_brings_links_and_no_object() {
    let page = page("after-membership.stub", CHANGES);
    assert!(page.changes.is_empty(), "{:?}", page.changes);
    let mut seen: Vec<_> = page.links.iter().map(|link| (link.to.dn.clone(), link.present)).collect();
    seen.sort_unstable();
    let people = "OU=People,DC=corp,DC=example,DC=com";
    assert_eq!(seen, [(format!("CN=capture1,{people}"), false), (format!("CN=capture3,{people}"), true)]);
    assert!(page.links.iter().all(|link| link.from.dn.starts_with("CN=CaptureGroup,")));
}

#[test]
fn a_rename_a_removed_attribute_and_a_deletion_are_told_apart() {
    let renamed = page("after-rename.stub", CHANGES);
    let user = &renamed.changes[0];
    assert_eq!(text(user, Attribute::SamAccountName), Some("capture2b"));
    assert_eq!(text(user, Attribute::UserPrincipalName), Some("capture2b@corp.example.com"));
    assert!(user.nt_hash.is_none());

    let removed = page("after-removed-attribute.stub", CHANGES);
    let gone =
        removed.changes[0].attributes.iter().find(|changed| changed.attribute == Attribute::DisplayName);
    assert_eq!(gone.unwrap().value, None);

    let deleted = page("after-deletion.stub", CHANGES);
    let user = deleted.changes.iter().find(|change| change.object.dn.contains("\\0ADEL:")).unwrap();
    assert_eq!(value(user, Attribute::IsDeleted), Some(&Value::Boolean(true)));
    assert!(user.nt_hash.as_ref().unwrap().is_absent());

    let nothing = page("after-nothing.stub", CHANGES);
    assert!(nothing.changes.is_empty() && nothing.links.is_empty());
    assert!(cursor(&nothing).usn() >= cursor(&renamed).usn());
}

#[test]
fn single_objects_come_whole_and_without_a_cursor() {
    let group = page("group-alone.stub", Asked::Object { secrets: false });
    assert!(matches!(group.progress, Progress::Object));
    assert_eq!(group.changes[0].object.sid.as_ref().unwrap().rid(), 512);
    assert_eq!(value(&group.changes[0], Attribute::AdminCount), Some(&Value::Integer(1)));
    assert_eq!(group.links.len(), 1);
    assert_eq!(group.links[0].to.sid.as_ref().unwrap().rid(), 500);

    let user = page("user-alone.stub", Asked::Object { secrets: true });
    assert!(password_is(&user, &user.changes[0], "After-1"));
    let withheld = page("user-alone-withheld.stub", Asked::Object { secrets: false });
    let hash = withheld.changes[0].nt_hash.as_ref().unwrap();
    assert!(hash.is_withheld() && !hash.is_absent());
    assert!(hash.open(&withheld.keys, 1).is_err());
}

#[test]
fn refusals_carry_the_code_of_the_dc() {
    let code = |name: &str| match reply::decode(&capture(name)) {
        Err(Error::Refused { code, .. }) => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code("missing-right.stub"), 8453);
    assert_eq!(code("unknown-object.stub"), 8439);
}

#[test]
fn the_way_to_a_bound_session_is_understood() {
    let port = epm::decode(&capture("epm-reply.stub")).unwrap();
    assert!(port >= 1024, "{port}");
    let bound = bind::decode(&capture("drs-bind-reply.stub")).unwrap();
    assert_ne!(bound.handle.0, [0; 20]);
    for (name, kind) in [("bind-ack-plain.pdu", None), ("bind-ack-kerberos.pdu", Some(16))] {
        let bytes = capture(name);
        let (head, Pdu::BindAck(ack)) = Pdu::parse(&bytes).unwrap() else { panic!("{name}") };
        assert_eq!(ack.max_receive, 5840);
        assert_eq!((ack.results[0].0, ack.results[0].2), (0, NDR.uuid));
        assert_eq!(ack.auth.as_ref().map(|auth| auth.kind), kind, "{name}");
        assert!(ack.auth.as_ref().is_none_or(|auth| auth.level == PRIVACY && head.flags & HEADER_SIGN != 0));
    }
    let bytes = capture("fault-refused-logon.pdu");
    let (_, Pdu::Fault { status }) = Pdu::parse(&bytes).unwrap() else { panic!() };
    assert_eq!(status, 0x1c01_000b);
}

#[test]
fn a_reply_cut_anywhere_is_refused() {
    for name in ["after-reset.stub", "after-membership.stub", "group-alone.stub"] {
        let stub = capture(name);
        for end in 0..stub.len() {
            assert!(reply::decode(&stub[..end]).is_err(), "{name} {end}");
        }
    }
    let stub = capture("drs-bind-reply.stub");
    for end in 0..stub.len() {
        assert!(bind::decode(&stub[..end]).is_err(), "{end}");
    }
}

/// A page of a DC in which one text of an object was changed: half a surrogate stands where its second byte was.
fn spoiled(file: &str, text: &str) -> Page {
    let mut stub = capture(file);
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let at = stub.windows(bytes.len()).position(|window| window == bytes).unwrap();
    stub[at + 1] = 0xd8;
    page::read(&reply::decode(&stub).unwrap(), CHANGES, &[], keys()).unwrap()
}

/// The page with the whole user `capture1`.
fn page_of_the_user() -> (&'static str, Page) {
    let is_it = |change: &Change| text(change, Attribute::SamAccountName) == Some("capture1");
    let pages = ["page-1.stub", "page-2.stub", "page-3.stub"].map(|file| (file, page(file, CHANGES)));
    pages.into_iter().find(|(_, page)| page.changes.iter().any(is_it)).unwrap()
}

#[test]
fn an_unreadable_attribute_that_decides_keeps_its_object_out_and_the_others_in() {
    let (file, whole) = page_of_the_user();
    let is_it = |change: &&Change| text(change, Attribute::SamAccountName) == Some("capture1");
    let user = whole.changes.iter().find(is_it).unwrap();
    let page = spoiled(file, "capture1@");
    let [quarantined] = page.quarantined.as_slice() else { panic!("{:?}", page.quarantined) };
    assert_eq!(quarantined.object, Some(user.object.guid));
    assert_eq!(quarantined.attribute, Some(Attribute::UserPrincipalName));
    assert!(quarantined.why.contains("half a character"), "{}", quarantined.why);
    assert_eq!((quarantined.sam.as_deref(), &quarantined.upn), (Some("capture1"), &None));
    assert_eq!(quarantined.dn, user.object.dn);
    assert_eq!(page.changes.len(), whole.changes.len() - 1);
}

#[test]
fn an_attribute_with_a_number_of_the_forests_own_is_read_by_that_number_alone() {
    const NUMBER: u32 = 0x9a3f_5c01;
    const DISPLAY_NAME: u32 = 0x0002_000d;
    let stub = capture("user-alone.stub");
    let asked = Asked::Object { secrets: true };
    let whole = page::read(&reply::decode(&stub).unwrap(), asked, &[], keys()).unwrap();
    let name = text(&whole.changes[0], Attribute::DisplayName).unwrap().to_owned();
    assert_eq!(whole.schema.unwrap()[0], 0xff, "the schema's version came along");

    // The same reply of a forest that gave a number of its own to what carries this text.
    let mut reply = reply::decode(&stub).unwrap();
    let attributes = &mut reply.objects[0].attributes;
    attributes.iter_mut().find(|one| one.attid == DISPLAY_NAME).unwrap().attid = NUMBER;
    let read = |further: &[Further]| {
        let page = page::read(&reply, asked, further, keys()).unwrap();
        assert_eq!(page.quarantined, []);
        assert_eq!(text(&page.changes[0], Attribute::DisplayName), None);
        text(&page.changes[0], Attribute::Extension(1)).map(str::to_owned)
    };
    let numbered = |number: Option<u32>| {
        let number = number.map(|number| number.to_string());
        let id = SchemaId::parse(number.as_deref(), "1.2.840.113556.1.2.423").unwrap();
        Further::of_this_schema(Attribute::Extension(1), id)
    };
    assert_eq!(read(&[numbered(Some(NUMBER))]), Some(name));
    assert_eq!(read(&[numbered(Some(NUMBER + 1))]), None);
    assert_eq!(read(&[numbered(None)]), None, "no prefix stands for it");
    assert_eq!(read(&[]), None);
}

#[test]
fn an_unreadable_attribute_that_describes_is_left_out_alone() {
    let (file, whole) = page_of_the_user();
    let page = spoiled(file, "Capture Nr1");
    assert_eq!((page.quarantined.as_slice(), page.changes.len()), (&[][..], whole.changes.len()));
    let is_it = |change: &&Change| text(change, Attribute::SamAccountName) == Some("capture1");
    let user = page.changes.iter().find(is_it).unwrap();
    let [unreadable] = user.unreadable.as_slice() else { panic!("{:?}", user.unreadable) };
    assert_eq!(unreadable.attribute, Attribute::DisplayName);
    assert!(unreadable.why.contains("half a character"), "{}", unreadable.why);
    assert_eq!(text(user, Attribute::UserPrincipalName), Some("capture1@corp.example.com"));
    let name = user.attributes.iter().find(|changed| changed.attribute == Attribute::DisplayName).unwrap();
    assert_eq!(name.value, None, "it is there, with its stamp and without a value");
    assert!(password_is(&page, user, "Before-1"), "the password goes on");
}

#[test]
fn a_distinguished_name_with_half_a_character_keeps_nobody_out() {
    let (file, whole) = page_of_the_user();
    let page = spoiled(file, "CN=capture1,");
    assert_eq!((page.quarantined.as_slice(), page.changes.len()), (&[][..], whole.changes.len()));
    assert!(page.changes.iter().any(|change| change.object.dn.starts_with("\u{fffd}N=capture1,")));
}
