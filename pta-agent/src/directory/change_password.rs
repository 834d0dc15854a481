//! Changes a password at a domain controller with the old one: the Kerberos change of password (RFC 3244), sealed with
//! the key of the old password. It needs no other account and no right, and works if the old password has expired or
//! must be changed.
//!
//! The tenant is not trusted with AD. An LDAP bind tries the old password first, within the same bounds as a sign-in.
//! If the bind succeeds, the account's own entry shows its name and whether it is protected. An account whose password
//! has expired cannot read its entry. Then the name is the one that the tenant sent, and a bind with the new password
//! shows afterwards which account was changed. If it was another account or a protected one, the tenant lies, and this
//! process changes no further password.
//!
//! The request for the change is sent once, to one domain controller. If it was not sent, nothing was changed. If it
//! was sent, only an authenticated answer, or a good bind with the new password, shows the outcome.
//! Not protected against: there is no FAST (RFC 6113), so an attacker who records the exchange and later guesses the
//! old password can read the new one.
//! Before it on the road: `unseal`. After it: `session` returns the outcome.

use super::bind::{Tried, Validator, departure, may_be_tried};
use super::config::ControllerConfig;
use super::kerberos_port::{self, KDC, NoReply};
use super::requested::RequestedAccount;
use super::verdict::NoVerdict;
use landbridge_crypto::secret::Password;
use landbridge_kerberos::Error;
use landbridge_kerberos::as_exchange::Next;
use landbridge_kerberos::client::{Client, Credential};
use landbridge_kerberos::kdc::Ticket;
use landbridge_kerberos::password_change::{self, Outcome, PasswordChange, Reason};
use landbridge_kerberos::principal::Principal;
use landbridge_kerberos::random::SystemRandom;
use landbridge_wire::bounded::Text;
use landbridge_wire::change::{ChangeOutcome, MAX_REASON, NewRefused, PasswordRules};
use landbridge_wire::privileged::ACCOUNTS;
use landbridge_wire::signin::{Decline, DirectoryVerdict};
use std::time::{Duration, Instant, SystemTime};

/// Time that is kept for the bind with the new password, out of the time that the tenant waits.
const FOR_THE_BIND: Duration = Duration::from_secs(2);
/// Least time for a change whose account's name only the tenant knows. A tenant that leaves less could have the old password
/// tried for another account, and the answer come too late to be seen.
const FOR_UNSHOWN: Duration = Duration::from_secs(3);
/// KDC_ERR_PREAUTH_FAILED, KRB_AP_ERR_BAD_INTEGRITY: the KDC has another password (RFC 4120 7.5.9).
const WRONG_PASSWORD: [i32; 2] = [24, 31];
/// KDC_ERR_C_PRINCIPAL_UNKNOWN
const UNKNOWN_NAME: i32 = 6;
/// KDC_ERR_POLICY, KDC_ERR_CLIENT_REVOKED: the account may not have this ticket, here or now.
const NOT_PERMITTED: [i32; 2] = [12, 18];
/// Results of the service after which nothing was changed (RFC 3244 2): it did not understand the request, did not accept
/// who sent it, or refuses the new password. A hard error is none of them.
const UNCHANGED: [u16; 6] = [1, 3, 4, 5, 6, 7];
/// KRB5_KPASSWD_ACCESSDENIED (RFC 3244 2)
const ACCESS_DENIED: u16 = 5;
/// Names of the KDC's own account and of the service for passwords. No person has them.
const SERVICES: [&str; 2] = ["krbtgt", "kadmin"];

/// The outcome of the exchange with the domain controller.
enum Exchanged {
    /// The password was changed. The answer is authenticated.
    Changed,
    /// The new password was refused. The answer is authenticated, or no request was sent.
    Refused(NewRefused),
    /// The service failed: these are its words. The answer is authenticated, and does not say that nothing was changed.
    Failed(NewRefused),
    /// The request was sent, and there is no answer that can be trusted.
    NotKnown,
}

/// The account whose password is changed.
struct Named {
    /// sAMAccountName.
    name: String,
    /// Whether the account's own entry has shown the name. Otherwise the tenant sent it.
    is_shown: bool,
}

impl Validator {
    /// Changes the password of an account from the first to the second. `account` is the sAMAccountName that the tenant
    /// sent. Returns by `by`. The error: nothing was changed, and why.
    pub async fn change_password(
        &self,
        requested: &RequestedAccount,
        account: &str,
        [old, new]: [Password; 2],
        by: Instant,
    ) -> Result<ChangeOutcome, NoVerdict> {
        let arrived = Instant::now();
        // 1. Refusals without a domain controller.
        if !self.changes().is_on() {
            return Err(NoVerdict { why: Decline::ChangesNoPasswords, tried: false });
        }
        if !may_be_tried(&new) {
            return Ok(ChangeOutcome::NewRefused(NewRefused::NotComplex));
        }
        // 2. The old password, tried as in a sign-in.
        let tried =
            if may_be_tried(&old) { Some(self.try_password(requested, &old, None, by).await?) } else { None };
        let shown = match &tried {
            Some(Tried { verdict: DirectoryVerdict::Valid, own: Some(own), .. }) => own.account.as_deref(),
            // The built-in accounts are protected. Their RID shows it even if their entry cannot be read.
            Some(Tried {
                verdict: DirectoryVerdict::PasswordExpired | DirectoryVerdict::MustChange, ..
            }) if requested.sid.as_ref().is_some_and(|sid| ACCOUNTS.contains(&sid.rid())) => {
                return self.old_refused(DirectoryVerdict::Wrong, arrived).await;
            }
            Some(Tried {
                verdict: DirectoryVerdict::PasswordExpired | DirectoryVerdict::MustChange, ..
            }) => None,
            Some(Tried { verdict, .. }) => return self.old_refused(*verdict, arrived).await,
            None => return self.old_refused(DirectoryVerdict::Wrong, arrived).await,
        };
        let named = Named { name: shown.unwrap_or(account).to_owned(), is_shown: shown.is_some() };
        let Some(controller) = tried.map(|tried| tried.controller) else {
            return Err(NoVerdict { why: Decline::NoDirectory, tried: false });
        };
        // 3. The change, at the domain controller that has just answered.
        //    Each name that only the tenant knows may be a lie that costs another account a bad password. So these go one
        //    at a time, and the first lie stops all that wait.
        let until = by.checked_sub(FOR_THE_BIND).unwrap_or(by);
        let turn = match named.is_shown {
            true => None,
            false => match tokio::time::timeout_at(until.into(), self.unshown.lock()).await {
                Ok(_) if until < Instant::now() + FOR_UNSHOWN => {
                    return Err(NoVerdict { why: Decline::TooLate, tried: false });
                }
                Ok(turn) if self.changes().is_on() => Some(turn),
                Ok(_) => return Err(NoVerdict { why: Decline::ChangesNoPasswords, tried: false }),
                Err(_) => return Err(NoVerdict { why: Decline::TooLate, tried: false }),
            },
        };
        let exchanged = self.exchange(requested, controller.config(), (&named, old), &new, until).await?;
        let (was_changed, failed) = match exchanged {
            Exchanged::Refused(why) => return Ok(ChangeOutcome::NewRefused(why)),
            Exchanged::Failed(why) => (false, Some(why)),
            Exchanged::Changed => (true, None),
            Exchanged::NotKnown => (false, None),
        };
        // 4. The account whose password was changed, by a bind at the same domain controller: others may not have the
        //    change yet.
        let tried = self.try_password(requested, &new, Some(&controller), by).await;
        drop(turn);
        match tried {
            Ok(Tried { verdict: DirectoryVerdict::Valid, own, .. }) => {
                return Ok(ChangeOutcome::Changed { password_set: own.and_then(|own| own.password_set) });
            }
            // The name that the tenant sent is another account's than the SID, or a protected account's.
            Ok(Tried { said: DirectoryVerdict::Wrong | DirectoryVerdict::Valid, .. })
            | Err(NoVerdict { why: Decline::OtherAccount, .. })
                if was_changed && !named.is_shown =>
            {
                self.changes().stop(requested, (&named.name, true), now());
            }
            // It may have been another account's password that was changed.
            Ok(Tried { said: DirectoryVerdict::Wrong, .. }) if failed.is_none() && !named.is_shown => {
                self.changes().note_unanswered(requested, &named.name, now());
            }
            // The same domain controller has said that it failed, and that the new password is wrong.
            Ok(Tried { said: DirectoryVerdict::Wrong, .. }) if let Some(why) = failed => {
                return Ok(ChangeOutcome::NewRefused(why));
            }
            Ok(_) | Err(_) => {}
        }
        Ok(if was_changed { ChangeOutcome::Changed { password_set: None } } else { ChangeOutcome::NotKnown })
    }

    /// Refuses the old password, after the same delay as a wrong one.
    async fn old_refused(
        &self,
        verdict: DirectoryVerdict,
        arrived: Instant,
    ) -> Result<ChangeOutcome, NoVerdict> {
        tokio::time::sleep_until(departure(arrived, Instant::now()).into()).await;
        Ok(ChangeOutcome::OldRefused(verdict))
    }

    /// Requests the ticket of a domain controller's KDC, and the change of its service for passwords.
    async fn exchange(
        &self,
        requested: &RequestedAccount,
        controller: &ControllerConfig,
        (named, old): (&Named, Password),
        new: &Password,
        by: Instant,
    ) -> Result<Exchanged, NoVerdict> {
        let no = |why| NoVerdict { why, tried: false };
        // 1. The ticket. If the name is another account's, that account gets a bad password.
        let name = named.name.as_str();
        let other_account = NoVerdict { why: Decline::OtherAccount, tried: false };
        if SERVICES.iter().any(|service| name.eq_ignore_ascii_case(service)) {
            return Err(other_account);
        }
        let Ok(principal) = Principal::account(name, self.domain()) else { return Err(other_account) };
        let client = Client { account: principal, credential: Credential::Password(old), workstation: None };
        let ticket = match ticket(&client, controller, by).await {
            Ok(ticket) => ticket,
            Err(NoTicket::NoReply { none, proof_sent }) => {
                if proof_sent && !named.is_shown {
                    self.changes().note_unanswered(requested, name, now());
                }
                tracing::warn!(
                    controller = controller.name,
                    why = none.why,
                    "no ticket for a change of password"
                );
                let why = if Instant::now() >= by { Decline::TooLate } else { Decline::NoDirectory };
                return Err(NoVerdict { why, tried: proof_sent });
            }
            Err(NoTicket::Refused(Error::Refused(refusal))) if refusal.code == UNKNOWN_NAME => {
                tracing::error!(
                    "the KDC does not know the name of the account whose password is to be changed"
                );
                return Err(other_account);
            }
            // The domain controller has just accepted this password for the account.
            Err(NoTicket::Refused(Error::Refused(refusal))) if WRONG_PASSWORD.contains(&refusal.code) => {
                if !named.is_shown {
                    self.changes().stop(requested, (name, false), now());
                }
                return Err(NoVerdict { why: Decline::OtherAccount, tried: true });
            }
            Err(NoTicket::Refused(Error::Refused(refusal))) if NOT_PERMITTED.contains(&refusal.code) => {
                return Ok(Exchanged::Refused(NewRefused::NotPermitted));
            }
            // Not authenticated, and not about the new password: another agent may do better.
            Err(NoTicket::Refused(error)) => {
                tracing::warn!(controller = controller.name, %error, "no ticket for a change of password");
                return Err(no(Decline::NoDirectory));
            }
        };
        // 2. The change.
        let begun = PasswordChange::begin(&ticket, new, now(), &mut SystemRandom);
        let (change, request) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                tracing::warn!(controller = controller.name, %error, "no request for a change of password");
                return Err(no(Decline::NoDirectory));
            }
        };
        let reply = match kerberos_port::exchange(controller, password_change::PORT, &request, by).await {
            Ok(reply) => reply,
            Err(NoReply { sent: false, why }) => {
                tracing::warn!(controller = controller.name, why, "no change of password");
                return Err(no(Decline::NoDirectory));
            }
            Err(NoReply { sent: true, why }) => {
                tracing::warn!(controller = controller.name, why, "a change of password was not answered");
                return Ok(Exchanged::NotKnown);
            }
        };
        match change.answer(&reply, now()) {
            Ok(Outcome::Changed) => Ok(Exchanged::Changed),
            Ok(Outcome::Refused { code, meaning, reason }) => {
                let why = refused(code, meaning, reason);
                Ok(if UNCHANGED.contains(&code) { Exchanged::Refused(why) } else { Exchanged::Failed(why) })
            }
            Err(why) => {
                tracing::warn!(controller = controller.name, %why, "the answer to a change of password is not trusted");
                Ok(Exchanged::NotKnown)
            }
        }
    }
}

/// Why there is no ticket.
enum NoTicket {
    /// There is no reply. `proof_sent`: the request had a proof of the old password, which the KDC may have counted.
    NoReply {
        none: NoReply,
        proof_sent: bool,
    },
    Refused(Error),
}

/// The ticket for the service for passwords.
async fn ticket(client: &Client, controller: &ControllerConfig, by: Instant) -> Result<Ticket, NoTicket> {
    let (mut exchange, mut request) =
        password_change::begin_ticket(client, &mut SystemRandom).map_err(NoTicket::Refused)?;
    let mut has_proof = false;
    loop {
        let reply = kerberos_port::exchange(controller, KDC, &request, by).await;
        let reply = reply.map_err(|none| {
            let proof_sent = has_proof && none.sent;
            NoTicket::NoReply { none, proof_sent }
        })?;
        match exchange.answer(&reply, now(), &mut SystemRandom).map_err(NoTicket::Refused)? {
            // The first request has no proof; each later one has.
            Next::Send(next) => (request, has_proof) = (next, true),
            Next::Done(ticket) => return Ok(*ticket),
        }
    }
}

/// The time since 1970-01-01 UTC.
fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// The reason of a refusal. Windows sends its policy in figures, Samba a sentence (`source4/kdc/kpasswd-helper.c`).
fn refused(code: u16, meaning: &str, reason: Reason) -> NewRefused {
    let text = match reason {
        Reason::Policy { minimum_length, history, complex, minimum_age } => {
            let minimum_age = minimum_age.as_secs();
            return NewRefused::Rules(PasswordRules { minimum_length, history, complex, minimum_age });
        }
        Reason::Text(text) => text,
        Reason::None => String::new(),
    };
    let number_after = |start: &str| {
        let (_, rest) = text.split_once(start)?;
        rest.split(' ').next()?.parse::<u32>().ok()
    };
    if let Some(minimum) = number_after("password must be at least ") {
        return NewRefused::TooShort { minimum };
    }
    if let Some(remembered) = number_after("must not match any of your ") {
        return NewRefused::InHistory { remembered };
    }
    if text.contains("complexity") {
        return NewRefused::NotComplex;
    }
    if code == ACCESS_DENIED || text.contains("minimum password age") {
        return NewRefused::NotPermitted;
    }
    other_reason(if text.is_empty() { meaning } else { &text })
}

/// The reason with these words, cut at the limit of a message.
fn other_reason(words: &str) -> NewRefused {
    NewRefused::Other(Text::<MAX_REASON>::cut(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Reason {
        Reason::Text(text.to_owned())
    }

    #[test]
    fn what_samba_says_has_a_reason_and_what_windows_sends_has_rules() {
        let short = text("Password too short, password must be at least 7 characters long.");
        assert_eq!(refused(4, "", short), NewRefused::TooShort { minimum: 7 });
        let again = text(
            "Password is already in password history. New password must not match any of your 24 previous passwords.",
        );
        assert_eq!(refused(4, "", again), NewRefused::InHistory { remembered: 24 });
        let simple = text("Password does not meet complexity requirements");
        assert_eq!(refused(4, "", simple), NewRefused::NotComplex);
        let young = text(
            "Password change rejected, password changes may not be permitted on this account, or the minimum password \
             age may not have elapsed.",
        );
        assert_eq!(refused(4, "", young), NewRefused::NotPermitted);
        assert_eq!(refused(5, "", Reason::None), NewRefused::NotPermitted);
        let figures = Reason::Policy {
            minimum_length: 12,
            history: 24,
            complex: true,
            minimum_age: Duration::from_secs(86_400),
        };
        let rules = PasswordRules { minimum_length: 12, history: 24, complex: true, minimum_age: 86_400 };
        assert_eq!(refused(4, "", figures), NewRefused::Rules(rules));
    }

    #[test]
    fn other_words_are_kept_and_no_words_are_the_codes_own() {
        let NewRefused::Other(kept) = refused(4, "the new password was refused", text("Try harder")) else {
            panic!("a reason that is not known");
        };
        assert_eq!(kept.as_str(), "Try harder");
        let NewRefused::Other(own) = refused(2, "the service failed", Reason::None) else {
            panic!("a reason that is not known");
        };
        assert_eq!(own.as_str(), "the service failed");
    }
}
