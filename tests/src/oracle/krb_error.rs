//! What a KDC sends before it is authenticated, to an account with a password: a ticket never comes of it, and an error
//! is short and names no secret.

use landbridge_crypto::secret::Password;
use landbridge_kerberos::as_exchange::{AsExchange, Next};
use landbridge_kerberos::client::{Client, Credential};
use landbridge_kerberos::principal::Principal;
use landbridge_kerberos::random::Random;
use std::time::Duration;

/// 2026-11-28
const NOW: Duration = Duration::from_secs(1_795_824_000);
const PASSWORD: &str = "a password that is in no answer";

/// Always the same bytes, so that a finding can be replayed.
struct Fixed;

impl Random for Fixed {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// Takes the bytes as a reply of the KDC to the first request.
pub fn krb_error(data: &[u8]) {
    let client = Client {
        account: Principal::account("svc", "corp.example.com").expect("a sound name"),
        credential: Credential::Password(Password::new(PASSWORD.to_owned())),
        workstation: None,
    };
    let (mut exchange, _) = AsExchange::begin(&client, &mut Fixed).expect("a password");
    match exchange.answer(data, NOW, &mut Fixed) {
        Ok(Next::Done(ticket)) => panic!("a ticket out of nothing: {ticket:?}"),
        Ok(Next::Send(request)) => {
            assert!(request.len() < 2 * data.len() + 1_000, "a request of {}", request.len())
        }
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty() && text.chars().count() < 2_000, "{} characters", text.chars().count());
            assert!(!text.contains(PASSWORD) && !text.contains('\n'), "{text:?}");
        }
    }
}
