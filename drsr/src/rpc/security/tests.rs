//! Tokens and KDC replies that are not what they should be, through `sspi`: an error, never a panic or a hang.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::rpc::machine::{Answer, Machine, Step};
use crate::rpc::pdu::Pdu;

fn capture(name: &str) -> Vec<u8> {
    let folder = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("captures");
    std::fs::read(folder.join(name)).unwrap()
}

fn security(how: Authentication) -> Security {
    let parties = Parties {
        account: "svc".to_owned(),
        domain: "corp.example.com".to_owned(),
        service: "ldap/dc.corp.example.com".to_owned(),
    };
    Security::new(parties, how, &Credential::Password(Password::new("secret".to_owned()))).unwrap()
}

/// Both legs, the server's token being this.
fn ntlm_with(challenge: Vec<u8>) -> Result<Step, Error> {
    let mut machine = Machine::new(|io| async move {
        let mut security = security(Authentication::Ntlm);
        let first = security.step(&io, &[]).await?;
        assert!(!first.done && first.token.starts_with(b"NTLMSSP\0"));
        security.step(&io, &challenge).await.map(|_| ())
    });
    machine.next_step()
}

/// The first leg, the KDC saying this to whatever it is asked.
fn kerberos_with(reply: &[u8]) -> Error {
    let mut machine =
        Machine::new(|io| async move { security(Authentication::Kerberos).step(&io, &[]).await.map(|_| ()) });
    for _ in 0..8 {
        match machine.next_step() {
            Ok(Step::Kdc(request)) => {
                assert!(!request.windows(6).any(|window| window == b"secret"));
                machine.answer(Answer::Bytes(reply.to_vec()));
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => return error,
        }
    }
    panic!("it asks for ever");
}

#[test]
fn a_challenge_of_ntlm_cut_or_bent_anywhere_never_panics() {
    let pdu = capture("bind-ack-ntlm.pdu");
    let (_, Pdu::BindAck(ack)) = Pdu::parse(&pdu).unwrap() else { panic!() };
    let challenge = ack.auth.unwrap().token.to_vec();
    assert!(matches!(ntlm_with(challenge.clone()), Ok(Step::Finished)));
    for end in 0..challenge.len() {
        let _ = ntlm_with(challenge[..end].to_vec());
    }
    for at in 0..challenge.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bent = challenge.clone();
            bent[at] = value;
            let _ = ntlm_with(bent);
        }
    }
}

#[test]
fn a_reply_of_the_kdc_cut_or_bent_anywhere_is_an_error_and_never_a_panic() {
    let mut reply = capture("krb-error-wrong-password.der");
    assert!(matches!(kerberos_with(&reply), Error::WrongPassword { .. }));
    // The same with the code that starts pre-authentication, so that `sspi` reads it.
    let at = reply.windows(5).position(|window| window == [0xa6, 3, 2, 1, 24]).unwrap();
    reply[at + 4] = 25;
    let _ = kerberos_with(&reply);
    for end in 0..reply.len() {
        let _ = kerberos_with(&reply[..end]);
    }
    for at in 0..reply.len() {
        for value in [0, 0x30, 0x7f, 0x84, 0xff] {
            let mut bent = reply.clone();
            bent[at] = value;
            let _ = kerberos_with(&bent);
        }
    }
}

#[test]
fn what_cannot_prove_anybody_is_refused_before_anything_is_sent() {
    let parties =
        || Parties { account: "svc".to_owned(), domain: "corp".to_owned(), service: "ldap/dc".to_owned() };
    let empty = Credential::Password(Password::new(String::new()));
    for how in [Authentication::Kerberos, Authentication::Ntlm] {
        assert!(matches!(Security::new(parties(), how, &empty), Err(Error::Credential { .. })));
    }
    let mut record = vec![0, 1, 0, 4];
    record.extend(b"CORP\0\x05other\0\0\0\x01\0\0\0\0\x01\0\x12\0\x20");
    record.extend([7; 32]);
    let length = u32::try_from(record.len()).unwrap().to_be_bytes();
    let keytab = || Credential::Keytab(Keytab::parse(&[&[5, 2], &length[..], &record].concat()).unwrap());
    let Err(Error::Credential { why, .. }) = Security::new(parties(), Authentication::Kerberos, &keytab())
    else {
        panic!()
    };
    assert!(why.contains("other@CORP"), "{why}");
    let Err(Error::Credential { why, .. }) = Security::new(parties(), Authentication::Ntlm, &keytab()) else {
        panic!()
    };
    assert!(why.contains("needs a password"), "{why}");
}
