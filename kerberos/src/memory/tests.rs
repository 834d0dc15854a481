//! The client joined to an honest KDC and service in memory, and to ones that lie.

use super::*;
use crate::asn1::Text;
use crate::password_change::{Reason, begin_ticket};
use crate::wrap::seal_as_acceptor;

fn tickets(lie: Lie, enctype: Enctype) -> Result<Ticket, Error> {
    let granting = first_ticket(&Memory::honest(enctype), &client(PASSWORD), NOW)?;
    service_ticket(&Memory { enctype, lie, kept: false, now: NOW }, &granting)
}

#[test]
fn an_honest_other_side_ends_in_a_context_in_every_type() {
    for enctype in Enctype::ALL {
        let memory = Memory::honest(enctype);
        let granting = first_ticket(&memory, &client(PASSWORD), NOW).unwrap();
        assert_eq!(granting.service.to_string(), "krbtgt/CORP.EXAMPLE.COM@CORP.EXAMPLE.COM");
        let ticket = service_ticket(&memory, &granting).unwrap();
        assert_eq!(ticket.service.to_string(), "ldap/dc1.corp.example.com/corp.example.com@CORP.EXAMPLE.COM");
        assert_eq!(
            (ticket.client.to_string(), ticket.ends),
            ("svc-Jörg@CORP.EXAMPLE.COM".into(), after_hours(10))
        );
        let (initiator, token) = first_leg(ticket);
        let (mut context, third) = initiator.answer(&memory.service(&token), NOW, &mut Counting(5)).unwrap();
        assert!(memory.takes_third_leg(&third));
        let number = u64::from(SERVICE_SEQUENCE);
        let (data, token) = seal_as_acceptor(&memory.subkey(), number, b"head", b"sixteen bytes...", b"");
        assert_eq!(*context.open(b"head", &data, b"", &token).unwrap(), *b"sixteen bytes...");
    }
}

fn after_hours(hours: u32) -> Duration {
    Duration::from_secs((NOW + hours * HOUR).as_secs())
}

#[test]
fn a_lying_kdc_gets_no_ticket_accepted() {
    #[rustfmt::skip]
    let lies = [
        (Lie::FewIterations, "names 4095 iterations"),
        (Lie::ManyIterations, "names 4294967295 iterations"),
        (Lie::OnlyRc4, "offers rc4-hmac, rc4-hmac"),
        (Lie::NoTypes, "offers no type"),
        (Lie::NoTimestamp, "does not accept a timestamp"),
        (Lie::AgainAndAgain, "again and again"),
        (Lie::OtherSalt, "wrong password"),
        (Lie::OtherKey, "does not open"),
        (Lie::OtherUsage, "does not open"),
        (Lie::OtherTag, "malformed"),
        (Lie::OtherNonce, "another request"),
        (Lie::OtherService, "another service"),
        (Lie::OtherRealmOfService, "refers to the realm CORP.EXAMPLE.COM"),
        (Lie::Referral, "refers to the realm EVIL"),
        (Lie::OtherClient, "another account"),
        (Lie::OtherRealm, "another account"),
        (Lie::Rc4Session, "session key of the type rc4-hmac"),
        (Lie::ShortSession, "session key"),
        (Lie::EndedLongAgo, "ended already"),
        (Lie::StartsTomorrow, "the clock of the KDC is 86400 s ahead"),
        (Lie::OtherVersion, "version or type"),
        (Lie::OtherMessageType, "version or type"),
    ];
    for enctype in Enctype::ALL {
        for (lie, why) in lies {
            let error = first_ticket(&Memory { enctype, lie, kept: false, now: NOW }, &client(PASSWORD), NOW)
                .unwrap_err()
                .to_string();
            assert!(error.contains(why), "{lie:?}, {enctype}: {error}");
        }
    }
}

#[test]
fn a_lying_kdc_gets_no_service_ticket_accepted() {
    for (lie, why) in [
        (Lie::OtherNonce, "another request"),
        (Lie::OtherService, "another service"),
        (Lie::OtherRealmOfService, "another service"),
        (Lie::Referral, "refers to the realm EVIL.EXAMPLE.COM, which is not followed"),
        (Lie::OtherClient, "another account"),
        (Lie::OtherRealm, "another account"),
        (Lie::Rc4Session, "session key of the type rc4-hmac"),
        (Lie::EndedLongAgo, "ended already"),
        (Lie::OtherVersion, "version or type"),
        (Lie::OtherMessageType, "version or type"),
    ] {
        for enctype in Enctype::ALL {
            let error = tickets(lie, enctype).unwrap_err().to_string();
            assert!(error.contains(why), "{lie:?}, {enctype}: {error}");
        }
    }
}

#[test]
fn a_lying_service_gets_no_context() {
    for (lie, why) in [
        (Lie::OtherKey, "proof of the service does not open"),
        (Lie::OtherTime, "answers another request"),
        (Lie::NoSubkey, "chose no key"),
        (Lie::NoSequence, "no sequence number"),
        (Lie::Rc4Subkey, "not AES"),
    ] {
        for enctype in Enctype::ALL {
            let (initiator, token) = first_leg(tickets(Lie::None, enctype).unwrap());
            let answer = Memory { enctype, lie, kept: false, now: NOW }.service(&token);
            let Err(error) = initiator.answer(&answer, NOW, &mut Counting(5)) else { panic!("{lie:?}") };
            assert!(error.to_string().contains(why), "{lie:?}, {enctype}: {error}");
        }
    }
}

#[test]
fn a_wrong_password_and_a_skewed_clock_are_named() {
    let memory = Memory::honest(Enctype::Aes256Sha1);
    let error = first_ticket(&memory, &client("wrong"), NOW).unwrap_err();
    assert!(error.to_string().starts_with("wrong password"), "{error}");
    let second = Duration::from_secs(1);
    for (now, text) in [
        (NOW + Duration::from_secs(301), "the clock of this machine is 301 s ahead"),
        (NOW - Duration::from_secs(302), "the clock of the KDC is 30"),
    ] {
        let error = first_ticket(&memory, &client(PASSWORD), now).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        assert!(
            first_ticket(&memory, &client(PASSWORD), if now > NOW { now - second } else { now + 2 * second })
                .is_ok()
        );
    }
    assert!(first_ticket(&memory, &client(""), NOW).unwrap_err().to_string().contains("password is empty"));
}

/// Every byte of `message` turned in some ways, and cut at every place.
fn mutants(message: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let turned = (0..message.len()).flat_map(move |at| {
        [1u8, 0x80, 0xff].into_iter().map(move |turn| {
            let mut bent = message.to_vec();
            bent[at] ^= turn;
            bent
        })
    });
    turned.chain((0..message.len()).map(|end| message[..end].to_vec()))
}

#[test]
fn a_reply_that_was_altered_anywhere_is_not_accepted_unless_it_still_says_the_same() {
    for enctype in Enctype::ALL {
        let memory = Memory::honest(enctype);
        let account = client(PASSWORD);
        let (mut exchange, request) = AsExchange::begin(&account, &mut Counting(1)).unwrap();
        let Next::Send(request) = exchange.answer(&memory.kdc(&request), NOW, &mut Counting(2)).unwrap()
        else {
            panic!()
        };
        let reply = memory.kdc(&request);
        // What is not sealed and stays as it is: the ticket, which the service opens, and the key's number.
        let mut accepted = 0;
        for bent in mutants(&reply) {
            if let Ok(Next::Done(ticket)) = exchange.answer(&bent, NOW, &mut Counting(2)) {
                assert!(ticket.client.matches(&account.account) && ticket.session.lend(|key| key[0] == 0x51));
                accepted += 1;
            }
        }
        assert!(accepted < 150, "{accepted} of {}", reply.len() * 4);

        let granting = first_ticket(&memory, &account, NOW).unwrap();
        let (_, token) = first_leg(service_ticket(&memory, &granting).unwrap());
        let answer = memory.service(&token);
        for bent in mutants(&answer) {
            let (initiator, _) = first_leg(service_ticket(&memory, &granting).unwrap());
            assert!(initiator.answer(&bent, NOW, &mut Counting(5)).is_err());
        }
    }
}

#[test]
fn a_password_is_changed_and_the_answer_is_authenticated() {
    for enctype in Enctype::ALL {
        let memory = Memory::honest(enctype);
        let account = client(PASSWORD);
        let ticket = drive(&memory, begin_ticket(&account, &mut Counting(1)).unwrap(), NOW).unwrap();
        assert_eq!(ticket.service.to_string(), "kadmin/changepw@CORP.EXAMPLE.COM");
        let new = Password::new("Ein neues Paßwort".to_owned());
        let begin = || PasswordChange::begin(&ticket, &new, NOW, &mut Counting(6)).unwrap();
        let (change, message) = begin();
        assert!(!message.windows(5).any(|part| part == b"neues"));
        let (reply, sent) = memory.passwords(&message, &[0, 0]);
        assert_eq!(sent, "Ein neues Paßwort");
        assert_eq!(change.answer(&reply, NOW).unwrap(), Outcome::Changed);

        let refusal = [&[0, 4][..], "zu kurz".as_bytes()].concat();
        let (reply, _) = memory.passwords(&message, &refusal);
        let Outcome::Refused { code: 4, reason, .. } = begin().0.answer(&reply, NOW).unwrap() else {
            panic!()
        };
        assert_eq!(reason, Reason::Text("zu kurz".to_owned()));
        for bent in mutants(&reply) {
            assert!(begin().0.answer(&bent, NOW).is_err());
        }
        for lie in [Lie::OtherKey, Lie::OtherTime, Lie::Rc4Subkey] {
            let (reply, _) = Memory { enctype, lie, kept: false, now: NOW }.passwords(&message, &[0, 0]);
            assert!(begin().0.answer(&reply, NOW).is_err(), "{lie:?}");
        }
    }
}

#[test]
fn a_name_of_more_than_one_meaning_is_told_from_another() {
    let principal = |name: &str| Principal::account(name, DOMAIN).unwrap();
    assert!(principal("SVC").matches(&principal("svc")) && !principal("svc").matches(&principal("svc2")));
    assert!(principal("a@b.example").is_enterprise() && !principal("a").is_enterprise());
    for name in ["", "a\nb", "a\0", &"x".repeat(1_025)] {
        assert!(Principal::account(name, DOMAIN).is_err(), "{name:?}");
    }
    assert!(Principal::service(&[], DOMAIN).is_err() && Principal::service(&["ldap", ""], DOMAIN).is_err());
    assert!(Text::from_der(&[0x1b, 2, 0xff, 0xfe]).is_err(), "not UTF-8");
}

#[test]
fn the_fixed_ticket_is_the_one_of_an_exchange() {
    let granting = first_ticket(&MEMORY, &keytab_client(&MEMORY), NOW).unwrap();
    let (given, fixed) = (service_ticket(&MEMORY, &granting).unwrap(), fixed_ticket().unwrap());
    assert_eq!((&given.client, &given.service, given.ends), (&fixed.client, &fixed.service, fixed.ends));
    assert_eq!(given.bytes, fixed.bytes);
    assert!(given.session.lend(|one| fixed.session.lend(|other| one == other)));
}
