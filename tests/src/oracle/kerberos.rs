//! What a KDC, a service and a service for passwords send. The first byte says whether the rest is the message, or the
//! part of it that is sealed, which is then sealed with the right key: so the fields behind the HMAC are reached too.
//! Nothing is accepted but for the account and the service that were asked for, and an error is short and one line.

use landbridge_kerberos::Error;
use landbridge_kerberos::enctype::Enctype;
use landbridge_kerberos::keytab::Keytab;
use landbridge_kerberos::memory::{self, Given, sasl};
use landbridge_kerberos::password_change::{Outcome, Reason};
use landbridge_kerberos::principal::Principal;

/// The account of the honest other side.
const ACCOUNT: &str = "svc-Jörg@CORP.EXAMPLE.COM";

/// Takes the bytes as an AS-REP.
pub fn as_rep(data: &[u8]) {
    let Some(given) = given(data) else { return };
    match memory::after_as_reply(given) {
        Ok(None) => {}
        Ok(Some(ticket)) => {
            assert_eq!(ticket.client.to_string().to_lowercase(), ACCOUNT.to_lowercase());
            assert_eq!(
                ticket.service.components().first().map(|name| name.to_lowercase()),
                Some("krbtgt".to_owned())
            );
        }
        Err(error) => sound(&error),
    }
}

/// Takes the bytes as a TGS-REP.
pub fn tgs_rep(data: &[u8]) {
    let Some(given) = given(data) else { return };
    match memory::after_tgs_reply(given) {
        Ok(ticket) => {
            assert_eq!(ticket.client.to_string().to_lowercase(), ACCOUNT.to_lowercase());
            let service: Vec<String> =
                ticket.service.components().iter().map(|name| name.to_lowercase()).collect();
            assert_eq!(service, ["ldap", "dc1.corp.example.com", "corp.example.com"]);
        }
        Err(error) => sound(&error),
    }
}

/// Takes the bytes as an AP-REP.
pub fn ap_rep(data: &[u8]) {
    let Some(given) = given(data) else { return };
    match memory::after_ap_reply(given) {
        Ok(context) => assert!((76..=88).contains(&context.token_length())),
        Err(error) => sound(&error),
    }
}

/// Takes the bytes as the answer to a change of password, or as what is sealed in its KRB-PRIV.
pub fn krb_priv(data: &[u8]) {
    let Some(given) = given(data) else { return };
    match memory::after_private(given) {
        Ok(Outcome::Changed) => assert!(given.bytes.len() > 20, "a change out of nothing"),
        Ok(Outcome::Refused { code, reason, .. }) => {
            assert_ne!(code, 0);
            if let Reason::Text(text) = reason {
                assert!(text.chars().count() <= 1_000 && !text.chars().any(char::is_control), "{text:?}");
            }
        }
        Err(error) => sound(&error),
    }
}

/// Takes the bytes as a token of a service behind SASL, or as the message in one.
pub fn sasl_token(data: &[u8]) {
    let Some(given) = given(data) else { return };
    match sasl::after_sasl(given) {
        Ok(message) if given.as_part => assert_eq!(message, given.bytes),
        Ok(message) => assert!(message.len() + 28 <= given.bytes.len(), "a message out of nothing"),
        Err(error) => sound(&error),
    }
}

/// Takes the bytes as a keytab.
pub fn keytab(data: &[u8]) {
    let Ok(keytab) = Keytab::parse(data) else { return };
    let names = keytab.principals();
    assert!(!names.is_empty(), "a keytab without a key");
    assert!(names.iter().map(String::len).sum::<usize>() <= data.len() * 2, "names out of nothing");
    for name in names {
        let Some((account, realm)) = name.rsplit_once('@') else { panic!("no realm: {name:?}") };
        let Ok(account) = Principal::account(account, realm) else { continue };
        for enctype in Enctype::ALL {
            if let Some(key) = keytab.newest(&account, enctype) {
                assert!(key.lend(|key| key.len() == enctype.key_length()));
            }
        }
    }
}

fn given(data: &[u8]) -> Option<Given<'_>> {
    let (first, bytes) = data.split_first()?;
    // A sealed part is some hundred bytes; what is longer is cut off by the limit on a message.
    (bytes.len() < 60_000).then_some(Given { as_part: first & 1 == 1, bytes })
}

fn sound(error: &Error) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.chars().count() < 5_000, "{} characters", text.chars().count());
    assert!(!text.chars().any(char::is_control), "{text:?}");
}
