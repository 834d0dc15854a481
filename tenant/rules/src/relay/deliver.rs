//! A ticket's way to an agent and back: choice, envelope, verdict, and the one repetition.

use super::line::Line;
use super::{Alarm, Closed, Event, Link, NoAnswer, Output, PATIENCE, Relay};
use landbridge_crypto::envelope::{About, VerdictKey};
use landbridge_crypto::secret::Password;
use landbridge_wire::bounded::Blob;
use landbridge_wire::signin::{Answer, Decline, Declined, FromTenant, SignInRequest, Verdict};
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// A sign-in is delivered so often at most.
const DELIVERIES: usize = 2;

/// A sign-in that waits.
#[derive(Debug)]
pub(super) struct Ticket {
    domain: i64,
    object: Uuid,
    password: Arc<Password>,
    by: Instant,
    /// Where it was delivered.
    links: Vec<Link>,
    agents: Vec<Uuid>,
    /// So many binds may have reached the directory.
    pub(super) tried: u32,
    /// Why the last delivery came to nothing.
    missed: Option<NoAnswer>,
}

impl Ticket {
    pub(super) fn new(domain: i64, object: Uuid, password: Arc<Password>, now: Instant) -> Self {
        let by = now + PATIENCE;
        Self { domain, object, password, by, links: vec![], agents: vec![], tried: 0, missed: None }
    }
}

/// An envelope that is out.
#[derive(Debug)]
pub(super) struct Delivery {
    link: Link,
    purpose: For,
    /// Which one it was: what is lost together is asked again in this order.
    number: u64,
    key: VerdictKey,
    sent: Instant,
    pub(super) by: Instant,
}

/// What an envelope is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// A person's sign-in.
    Ticket(u64),
    /// A trial of the agent.
    Canary,
}

impl Relay {
    /// Delivers a ticket, or says that it cannot be.
    pub(super) fn deliver(&mut self, ticket: u64, now: Instant) {
        let Some(waiting) = self.tickets.get(&ticket) else { return };
        let missed = waiting.missed;
        if now >= waiting.by {
            return self.over(ticket, Err(NoAnswer::TooLate), None);
        }
        let chosen = if self.draining { Err(NoAnswer::NoAgent) } else { self.choose(ticket, now) };
        let link = match chosen {
            Ok(link) => link,
            // What became of the first delivery says more than that there is no second agent.
            Err(why) => return self.over(ticket, Err(missed.unwrap_or(why)), None),
        };
        let Some(waiting) = self.tickets.get_mut(&ticket) else { return };
        waiting.links.push(link);
        if let Some(line) = self.lines.get(&link) {
            waiting.agents.push(line.facts.agent);
        }
        let again = waiting.links.len() > 1;
        let (object, password, by) = (waiting.object, waiting.password.clone(), waiting.by);
        if self.send(link, For::Ticket(ticket), object, &password, by, now) {
            self.output.push_back(Output::Counted(if again { Event::Redelivered } else { Event::Delivered }));
        } else {
            self.missed(ticket, NoAnswer::Lost, false, now);
        }
    }

    /// The better of two links, by chance. Rather one that can be hoped to answer, and rather one of an agent that was
    /// not asked yet.
    fn choose(&mut self, ticket: u64, now: Instant) -> Result<Link, NoAnswer> {
        let Some(waiting) = self.tickets.get(&ticket) else { return Err(NoAnswer::Lost) };
        let mut of_domain = self
            .lines
            .iter()
            .filter(|(link, line)| {
                line.facts.domain == waiting.domain && line.takes(now) && !waiting.links.contains(link)
            })
            .peekable();
        if of_domain.peek().is_none() {
            return Err(NoAnswer::NoAgent);
        }
        let mut free: Vec<(Link, &Line)> =
            of_domain.filter(|(_, line)| line.has_room()).map(|(link, line)| (*link, line)).collect();
        prefer(&mut free, |line| line.is_hopeful(now));
        prefer(&mut free, |line| !waiting.agents.contains(&line.facts.agent));
        let one = self.chance.below(free.len());
        // Another one than the first, each as likely.
        let other = (one + 1 + self.chance.below(free.len().saturating_sub(1))).checked_rem(free.len());
        let (one, other) = (free.get(one), other.and_then(|other| free.get(other)));
        match (one, other) {
            (Some((_, a)), Some((link, b))) if b.weight() < a.weight() => Ok(*link),
            (Some((link, _)), _) => Ok(*link),
            (None, _) => Err(NoAnswer::Busy),
        }
    }

    /// Seals and sends. False: this agent's key cannot be sealed to.
    pub(super) fn send(
        &mut self,
        link: Link,
        purpose: For,
        object: Uuid,
        password: &Password,
        by: Instant,
        now: Instant,
    ) -> bool {
        let Some(line) = self.lines.get_mut(&link) else { return false };
        let (request, due) = (Uuid::new_v4(), line.clock(by));
        let about = About {
            request: request.into_bytes(),
            connection: line.connection.into_bytes(),
            agent: line.facts.agent.into_bytes(),
            serial: &line.facts.serial,
            tenant: self.tenant.into_bytes(),
            domain_sid: &line.facts.domain_sid,
            object: object.into_bytes(),
            due,
        };
        let Ok((envelope, key)) = line.facts.key.seal(&about, password) else { return false };
        let (Ok(encapsulated), Ok(sealed)) = (Blob::new(envelope.encapsulated), Blob::new(envelope.sealed))
        else {
            return false;
        };
        line.asked();
        let number = self.delivered;
        self.delivered += 1;
        self.deliveries.insert(request, Delivery { link, purpose, number, key, sent: now, by });
        let ask = Box::new(SignInRequest { request, object, due, encapsulated, sealed });
        self.output.push_back(Output::Send { link, message: FromTenant::SignIn(ask) });
        true
    }

    /// A verdict came.
    pub(super) fn answered(&mut self, link: Link, answer: &Answer, now: Instant) {
        let Some(delivery) = self.deliveries.get(&answer.request) else {
            return self.output.push_back(Output::Counted(Event::Stray));
        };
        if delivery.link != link {
            return self.output.push_back(Output::Counted(Event::Forged));
        }
        if now >= delivery.by {
            self.output.push_back(Output::Counted(Event::Stray));
            return self.expire(now);
        }
        let said = answer.verdict.authenticated(answer.request);
        if !delivery.key.verify(&said, answer.tag.as_bytes()) {
            self.output.push_back(Output::Counted(Event::Forged));
            return self.close(link, Closed::Breach("a verdict whose tag does not fit"), now);
        }
        let Some(delivery) = self.take(answer.request) else { return };
        let took = now.saturating_duration_since(delivery.sent);
        let Some(line) = self.lines.get_mut(&link) else { return };
        line.took(took);
        let (agent, domain) = (line.facts.agent, line.facts.domain);
        match delivery.purpose {
            For::Ticket(ticket) => {
                if answer.verdict == Verdict::Wrong {
                    self.note_refusal(domain, took);
                }
                if let Some(waiting) = self.tickets.get_mut(&ticket) {
                    waiting.tried += 1;
                }
                self.over(ticket, Ok(answer.verdict), Some(agent));
            }
            For::Canary if answer.verdict == Verdict::Valid => {
                self.output.push_back(Output::Counted(Event::CanaryAccepted));
                self.alarm(agent, Alarm::CanaryAccepted, now);
            }
            For::Canary => {
                self.output.push_back(Output::Counted(Event::CanaryRefused));
                self.canaries.refused(agent, now);
            }
        }
        self.close_if_drained(link, now);
    }

    /// No verdict came, and the agent says why.
    pub(super) fn declined(&mut self, link: Link, declined: Declined, now: Instant) {
        let Some(delivery) = self.deliveries.get(&declined.request).filter(|delivery| delivery.link == link)
        else {
            return self.output.push_back(Output::Counted(Event::Stray));
        };
        if now >= delivery.by {
            self.output.push_back(Output::Counted(Event::Stray));
            return self.expire(now);
        }
        let Some(delivery) = self.take(declined.request) else { return };
        if let Some(line) = self.lines.get_mut(&link) {
            match declined.why {
                Decline::Draining => line.draining = true,
                Decline::NoDirectory => line.is_helpless(now),
                Decline::Overloaded | Decline::TooLate | Decline::Unopened => {}
            }
        }
        if let For::Ticket(ticket) = delivery.purpose {
            let why = match declined.why {
                Decline::NoDirectory => NoAnswer::NoDirectory,
                Decline::Overloaded => NoAnswer::Busy,
                Decline::TooLate => NoAnswer::TooLate,
                Decline::Draining | Decline::Unopened => NoAnswer::Lost,
            };
            self.missed(ticket, why, declined.tried, now);
        }
        self.close_if_drained(link, now);
    }

    /// A delivery came to nothing: once more, if that makes sense.
    pub(super) fn missed(&mut self, ticket: u64, why: NoAnswer, tried: bool, now: Instant) {
        let Some(waiting) = self.tickets.get_mut(&ticket) else { return };
        waiting.tried += u32::from(tried);
        waiting.missed = Some(why);
        if waiting.links.len() >= DELIVERIES || why == NoAnswer::TooLate {
            return self.over(ticket, Err(why), None);
        }
        self.deliver(ticket, now);
    }

    /// Ends what nobody waits for any longer.
    pub(super) fn expire(&mut self, now: Instant) {
        for (request, link) in self.deliveries_where(|delivery| now >= delivery.by) {
            let Some(delivery) = self.take(request) else { continue };
            // An agent that answers nothing but heartbeats is no quick one.
            if let Some(line) = self.lines.get_mut(&link) {
                line.took(now.saturating_duration_since(delivery.sent));
            }
            if let For::Ticket(ticket) = delivery.purpose {
                self.missed(ticket, NoAnswer::TooLate, true, now);
            }
            self.close_if_drained(link, now);
        }
    }

    /// What was in the hands of links that are gone.
    pub(super) fn bereaved(&mut self, gone: &[Link], now: Instant) {
        for (request, _) in self.deliveries_where(|delivery| gone.contains(&delivery.link)) {
            if let Some(Delivery { purpose: For::Ticket(ticket), .. }) = self.deliveries.remove(&request) {
                self.missed(ticket, NoAnswer::Lost, true, now);
            }
        }
    }

    /// In the order in which they were made.
    fn deliveries_where(&self, applies: impl Fn(&Delivery) -> bool) -> Vec<(Uuid, Link)> {
        let mut found: Vec<(u64, Uuid, Link)> = self
            .deliveries
            .iter()
            .filter(|(_, delivery)| applies(delivery))
            .map(|(request, delivery)| (delivery.number, *request, delivery.link))
            .collect();
        found.sort_unstable_by_key(|(number, ..)| *number);
        found.into_iter().map(|(_, request, link)| (request, link)).collect()
    }

    /// When the first of them is over.
    pub(super) fn first_due(&self) -> Option<Instant> {
        self.deliveries.values().map(|delivery| delivery.by).min()
    }

    fn take(&mut self, request: Uuid) -> Option<Delivery> {
        let delivery = self.deliveries.remove(&request)?;
        if let Some(line) = self.lines.get_mut(&delivery.link) {
            line.in_hand = line.in_hand.saturating_sub(1);
        }
        Some(delivery)
    }
}

/// Keeps the links of which this holds, if there are any.
fn prefer(free: &mut Vec<(Link, &Line)>, holds: impl Fn(&Line) -> bool) {
    if free.iter().any(|(_, line)| holds(line)) {
        free.retain(|(_, line)| holds(line));
    }
}
