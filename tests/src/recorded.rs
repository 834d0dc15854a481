//! One walk through all exchanges of the Kerberos client, with fixed time and randomness: a ticket by password, a ticket
//! for a service, a change of password. Recorded once with real KDCs (`tests/road/kdcs.rs`), and replayed without them
//! (`tests/offline.rs`).

use landbridge_crypto::secret::Password;
use landbridge_kerberos::Error;
use landbridge_kerberos::as_exchange::{AsExchange, Next};
use landbridge_kerberos::client::{Client, Credential};
use landbridge_kerberos::kdc::Ticket;
use landbridge_kerberos::memory::Counting;
use landbridge_kerberos::password_change::{self, Outcome, PasswordChange};
use landbridge_kerberos::principal::Principal;
use landbridge_kerberos::tgs_exchange::TgsExchange;
use std::time::Duration;

/// The account of the recordings. Its passwords were made for them and open nothing.
pub const ACCOUNT: &str = "recorded";
/// Its password before the change, and after it.
pub const PASSWORDS: [&str; 2] = ["Before it was recorded (8)", "After it was recorded (9)"];
/// The steps of a walk, by the names of their files.
pub const STEPS: [&str; 6] = ["as-1", "as-2", "tgs", "passwords-as-1", "passwords-as-2", "passwords"];

/// What a walk ended in.
#[derive(Debug)]
pub struct Walked {
    /// For the ticket-granting service.
    pub granting: Ticket,
    /// For `ldap/dc1.<domain>/<domain>`.
    pub service: Ticket,
    /// Of the change of password.
    pub outcome: Outcome,
}

/// Walks. `send` is given the step, the port and the message, and returns the reply.
///
/// # Errors
/// What the client says of a reply.
pub fn walk(
    domain: &str,
    now: Duration,
    mut send: impl FnMut(&str, u16, &[u8]) -> Vec<u8>,
) -> Result<Walked, Error> {
    let [old, new] = PASSWORDS.map(|text| Password::new(text.to_owned()));
    let credential = Credential::Password(old);
    let client = Client { account: Principal::account(ACCOUNT, domain)?, credential, workstation: None };

    let begun = AsExchange::begin(&client, &mut Counting(1))?;
    let granting = proven(begun, now, ["as-1", "as-2"], &mut send)?;
    let host = format!("dc1.{domain}");
    let service = Principal::service(&["ldap", &host, domain], domain)?;
    let (exchange, request) = TgsExchange::begin(&granting, service, now, &mut Counting(3));
    let service = exchange.answer(&send("tgs", 88, &request), now)?;

    let begun = password_change::begin_ticket(&client, &mut Counting(4))?;
    let ticket = proven(begun, now, ["passwords-as-1", "passwords-as-2"], &mut send)?;
    let (change, message) = PasswordChange::begin(&ticket, &new, now, &mut Counting(6))?;
    let outcome = change.answer(&send("passwords", password_change::PORT, &message), now)?;
    Ok(Walked { granting, service, outcome })
}

/// An AS exchange of two requests.
fn proven(
    (mut exchange, request): (AsExchange<'_>, Vec<u8>),
    now: Duration,
    [first, second]: [&str; 2],
    send: &mut impl FnMut(&str, u16, &[u8]) -> Vec<u8>,
) -> Result<Ticket, Error> {
    match exchange.answer(&send(first, 88, &request), now, &mut Counting(2))? {
        Next::Done(ticket) => Ok(*ticket),
        Next::Send(request) => match exchange.answer(&send(second, 88, &request), now, &mut Counting(5))? {
            Next::Done(ticket) => Ok(*ticket),
            Next::Send(_) => Err(Error::Protocol("a third request was asked for")),
        },
    }
}
