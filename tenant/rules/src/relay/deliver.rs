//! Deliveries: the choice of a link, the envelope, the verdict, and the one repetition.
//! Neighbours: [`super::Relay`] passes messages and time in; [`super::line`] has the state of each link.

use super::line::RelayLine;
use super::ticket::{Delivery, PasswordPair, Purpose, Task};
use super::{Alarm, Closed, Event, Link, NoAnswer, Output, Relay};
use crate::model::Principal;
use landbridge_crypto::envelope::About;
use landbridge_crypto::envelope::change::AboutChange;
use landbridge_wire::bounded::{Blob, Text};
use landbridge_wire::change::{ChangeAnswer, ChangeOutcome, ChangeRequest};
use landbridge_wire::signin::{Answer, Decline, Declined, DirectoryVerdict, FromTenant, SignInRequest};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Limit on deliveries of one ticket: each may add a bad password to AD's count.
const DELIVERIES: usize = 2;
/// Limit on agents that decline a ticket because of their own bound. Such a delivery adds nothing to AD's count, so it
/// does not count among [`DELIVERIES`].
const MOST_AT_BOUND: usize = 16;

impl Relay {
    /// Delivers a ticket to an agent, or ends it if that is not possible.
    pub(super) fn deliver(&mut self, ticket: u64, now: Instant) {
        // 1. A link, while there is time.
        let Some(waiting) = self.tickets.get(&ticket) else { return };
        let missed = waiting.missed;
        if now >= waiting.deadline {
            return self.fail(ticket, NoAnswer::TooLate);
        }
        let chosen = if self.draining { Err(NoAnswer::NoAgent) } else { self.choose(ticket, now) };
        let link = match chosen {
            Ok(link) => link,
            // The failure of the first delivery explains more than the lack of a second agent.
            Err(why) => return self.fail(ticket, missed.unwrap_or(why)),
        };
        // 2. The ticket notes link and agent, so that a repetition prefers another agent.
        let Some(waiting) = self.tickets.get_mut(&ticket) else { return };
        waiting.links.push(link);
        if let Some(line) = self.lines.get(&link) {
            waiting.agents.push(line.facts.agent);
        }
        // 3. The envelope is sent.
        let again = waiting.links.len() > 1;
        let (account, task, deadline) = (waiting.principal, waiting.task.clone(), waiting.deadline);
        let purpose = match task {
            Task::SignIn(_) => Purpose::SignIn(ticket),
            Task::Change(_) => Purpose::Change(ticket),
        };
        if self.send(link, purpose, account, &task, deadline, now) {
            self.output.push_back(Output::Counted(if again { Event::Redelivered } else { Event::Delivered }));
        } else {
            self.delivery_failed(ticket, NoAnswer::Lost, false, now);
        }
    }

    /// Chooses two links at random and returns the one with the smaller weight. Links of agents that respond, and of
    /// agents without a delivery of this ticket, are preferred.
    fn choose(&mut self, ticket: u64, now: Instant) -> Result<Link, NoAnswer> {
        // 1. The links of the domain that accept such deliveries and have not had this ticket.
        let Some(waiting) = self.tickets.get(&ticket) else { return Err(NoAnswer::Lost) };
        let is_change = matches!(waiting.task, Task::Change(_));
        let mut of_domain = self
            .lines
            .iter()
            .filter(|(link, line)| {
                line.facts.domain == waiting.domain
                    && line.accepts_deliveries(now)
                    && (line.changes_passwords || !is_change)
                    && !waiting.links.contains(link)
                    && !waiting.at_bound.contains(&line.facts.agent)
            })
            .peekable();
        if of_domain.peek().is_none() {
            return Err(NoAnswer::NoAgent);
        }
        // 2. Those with capacity, and of these the preferred ones.
        let mut free: Vec<(Link, &RelayLine)> =
            of_domain.filter(|(_, line)| line.has_capacity()).map(|(link, line)| (*link, line)).collect();
        prefer(&mut free, |line| line.is_responsive(now));
        prefer(&mut free, |line| !waiting.agents.contains(&line.facts.agent));
        // 3. Two different ones, each pair as likely.
        let one = self.chance.below(free.len());
        let other = (one + 1 + self.chance.below(free.len().saturating_sub(1))).checked_rem(free.len());
        let (one, other) = (free.get(one), other.and_then(|other| free.get(other)));
        match (one, other) {
            (Some((_, a)), Some((link, b))) if b.weight() < a.weight() => Ok(*link),
            (Some((link, _)), _) => Ok(*link),
            (None, _) => Err(NoAnswer::Busy),
        }
    }

    /// Seals one password, or two, to the agent of a link and sends them. The account's SID goes with it, unless the agent is of
    /// version 0.1 and would refuse it. False: the link is gone, or the agent's key cannot be sealed to.
    pub(super) fn send(
        &mut self,
        link: Link,
        purpose: Purpose,
        account: Principal,
        task: &Task,
        deadline: Instant,
        now: Instant,
    ) -> bool {
        // 1. The envelope is bound to this delivery, connection, certificate, tenant, domain and account.
        let Some(line) = self.lines.get_mut(&link) else { return false };
        let (request, object, due) = (Uuid::new_v4(), account.object, line.clock(deadline));
        let sid = line.by_sid.then(|| format!("{}-{}", line.facts.domain_sid, account.rid));
        let about = About {
            request: request.into_bytes(),
            connection: line.connection.into_bytes(),
            agent: line.facts.agent.into_bytes(),
            serial: &line.facts.serial,
            tenant: self.tenant.into_bytes(),
            domain_sid: &line.facts.domain_sid,
            object: object.into_bytes(),
            sid: sid.as_deref(),
            due,
        };
        let (message, key) = match task {
            Task::SignIn(password) => {
                let Ok((envelope, key)) = line.facts.key.seal(&about, password) else { return false };
                let (Ok(encapsulated), Ok(sealed), Ok(sid)) = (
                    Blob::new(envelope.encapsulated),
                    Blob::new(envelope.sealed),
                    sid.map(Text::new).transpose(),
                ) else {
                    return false;
                };
                let request = SignInRequest { request, object, sid, due, encapsulated, sealed };
                (FromTenant::SignIn(Box::new(request)), key)
            }
            Task::Change(PasswordPair { account, old, new }) => {
                let about = AboutChange { delivery: about, account };
                let Ok((envelope, key)) = line.facts.key.seal_change(&about, old, new) else { return false };
                let (Ok(encapsulated), Ok(sealed), Ok(account), Some(Ok(sid))) = (
                    Blob::new(envelope.encapsulated),
                    Blob::new(envelope.sealed),
                    Text::new(account.clone()),
                    sid.map(Text::new),
                ) else {
                    return false;
                };
                let request = ChangeRequest { request, object, sid, account, due, encapsulated, sealed };
                (FromTenant::Change(Box::new(request)), key)
            }
        };
        // 2. The delivery waits with the key that its answer's tag must have.
        line.note_delivery();
        let number = self.delivered;
        self.delivered += 1;
        self.deliveries.insert(request, Delivery { link, purpose, number, key, sent: now, deadline });
        self.output.push_back(Output::Send { link, message });
        true
    }

    /// Processes a verdict. It counts if link, deadline and tag fit a waiting delivery.
    pub(super) fn receive_answer(&mut self, link: Link, answer: &Answer, now: Instant) {
        let said = answer.verdict.authenticated(answer.request);
        let Some((purpose, (agent, domain), took)) =
            self.end_delivery((link, answer.request), (false, &said, answer.tag.as_bytes()), now)
        else {
            return;
        };
        // What the verdict means for the ticket, or for the agent.
        match purpose {
            // The kind was compared.
            Purpose::Change(_) => {}
            Purpose::SignIn(ticket) => {
                if answer.verdict != DirectoryVerdict::Valid {
                    self.note_refusal(domain, took);
                }
                if let Some(waiting) = self.tickets.get_mut(&ticket) {
                    waiting.tried += 1;
                }
                self.finish(ticket, answer.verdict, agent);
            }
            Purpose::Canary if answer.verdict == DirectoryVerdict::Valid => {
                self.output.push_back(Output::Counted(Event::CanaryAccepted));
                self.alarm(agent, Alarm::CanaryAccepted, now);
            }
            Purpose::Canary => {
                // While people's passwords reach no DC, the canaries show how long one takes now.
                self.note_refusal(domain, took);
                self.output.push_back(Output::Counted(Event::CanaryRefused));
                self.canaries.note_refusal(agent, now);
            }
        }
        self.close_if_drained(link, now);
    }

    /// Processes the outcome of a change of password. It counts as a verdict does.
    pub(super) fn receive_changed(&mut self, link: Link, answer: ChangeAnswer, now: Instant) {
        let said = answer.outcome.authenticated(answer.request);
        let Some((purpose, (agent, _), _)) =
            self.end_delivery((link, answer.request), (true, &said, answer.tag.as_bytes()), now)
        else {
            return;
        };
        let Purpose::Change(ticket) = purpose else { return };
        if let Some(waiting) = self.tickets.get_mut(&ticket) {
            waiting.tried += 1;
        }
        self.finish_change(ticket, answer.outcome, Some(agent));
        self.close_if_drained(link, now);
    }

    /// Ends the delivery that an agent answers, if link, deadline, kind and tag fit. Returns its purpose, the agent and
    /// the row of its domain, and the time that it took.
    fn end_delivery(
        &mut self,
        (link, request): (Link, Uuid),
        (is_change, said, tag): (bool, &[u8], &[u8]),
        now: Instant,
    ) -> Option<(Purpose, (Uuid, i64), Duration)> {
        // 1. Link and deadline.
        let Some(delivery) = self.deliveries.get(&request) else {
            self.output.push_back(Output::Counted(Event::Stray));
            return None;
        };
        if delivery.link != link {
            self.output.push_back(Output::Counted(Event::Forged));
            return None;
        }
        if now >= delivery.deadline {
            self.output.push_back(Output::Counted(Event::Stray));
            self.expire(now);
            return None;
        }
        // 2. The kind, and the tag: only the opener of this envelope has the key.
        let is_of_kind = matches!(delivery.purpose, Purpose::Change(_)) == is_change;
        if !is_of_kind || !delivery.key.verify(said, tag) {
            self.output.push_back(Output::Counted(Event::Forged));
            self.close(link, Closed::Breach("a verdict whose tag does not fit"), now);
            return None;
        }
        // 3. The delivery has ended, and its duration counts.
        let delivery = self.remove_delivery(request)?;
        let took = now.saturating_duration_since(delivery.sent);
        let line = self.lines.get_mut(&link)?;
        line.note_latency(took);
        Some((delivery.purpose, (line.facts.agent, line.facts.domain), took))
    }

    /// Processes a decline: the agent has no verdict and sends the reason.
    pub(super) fn receive_declined(&mut self, link: Link, declined: Declined, now: Instant) {
        // 1. Link and deadline.
        let Some(delivery) = self.deliveries.get(&declined.request).filter(|delivery| delivery.link == link)
        else {
            return self.output.push_back(Output::Counted(Event::Stray));
        };
        if now >= delivery.deadline {
            self.output.push_back(Output::Counted(Event::Stray));
            return self.expire(now);
        }
        // 2. What the reason means for the link.
        let Some(delivery) = self.remove_delivery(declined.request) else { return };
        if let Some(line) = self.lines.get_mut(&link) {
            match declined.why {
                Decline::Draining => line.draining = true,
                // A change needs other ports than a sign-in, so it says nothing of these.
                Decline::NoDirectory if matches!(delivery.purpose, Purpose::Change(_)) => {}
                Decline::NoDirectory => line.note_no_directory(now),
                // Until its next hello.
                Decline::ChangesNoPasswords => line.changes_passwords = false,
                Decline::Overloaded
                | Decline::TooLate
                | Decline::Unopened
                | Decline::AtBound
                | Decline::OtherAccount => {}
            }
        }
        let agent = self.lines.get(&link).map(|line| line.facts.agent);
        // 3. What it means for the canary or the ticket. An agent that says it sent no bind has spent nothing.
        if let (Purpose::Canary, Decline::AtBound, Some(agent)) = (delivery.purpose, declined.why, agent) {
            self.canaries.note_at_bound(agent);
        }
        if let Purpose::SignIn(ticket) | Purpose::Change(ticket) = delivery.purpose {
            if let (Decline::AtBound, false, Some(agent), Some(waiting)) =
                (declined.why, declined.tried, agent, self.tickets.get_mut(&ticket))
            {
                waiting.at_bound.push(agent);
            }
            let why = match declined.why {
                Decline::NoDirectory => NoAnswer::NoDirectory,
                Decline::Overloaded => NoAnswer::Busy,
                Decline::TooLate => NoAnswer::TooLate,
                Decline::Draining | Decline::Unopened | Decline::ChangesNoPasswords => NoAnswer::Lost,
                Decline::AtBound => NoAnswer::AtBound,
                Decline::OtherAccount => NoAnswer::OtherAccount,
            };
            self.delivery_failed(ticket, why, declined.tried, now);
        }
        self.close_if_drained(link, now);
    }

    /// Repeats a ticket whose delivery failed, or ends it: after the last allowed delivery, or when its time is over.
    pub(super) fn delivery_failed(&mut self, ticket: u64, why: NoAnswer, tried: bool, now: Instant) {
        let Some(waiting) = self.tickets.get_mut(&ticket) else { return };
        waiting.tried += u32::from(tried);
        waiting.missed = Some(why);
        let spent = waiting.links.len().saturating_sub(waiting.at_bound.len());
        let is_last =
            spent >= DELIVERIES || waiting.at_bound.len() >= MOST_AT_BOUND || waiting.tried >= waiting.binds;
        // Another agent would find the same account, at the cost of one more bind.
        if is_last || matches!(why, NoAnswer::TooLate | NoAnswer::OtherAccount) {
            return self.fail(ticket, why);
        }
        self.deliver(ticket, now);
    }

    /// Ends the deliveries whose deadline has passed.
    pub(super) fn expire(&mut self, now: Instant) {
        for (request, link) in self.deliveries_where(|delivery| now >= delivery.deadline) {
            let Some(delivery) = self.remove_delivery(request) else { continue };
            // The agent's heartbeats arrive and its answers do not: its latency must grow.
            if let Some(line) = self.lines.get_mut(&link) {
                line.note_latency(now.saturating_duration_since(delivery.sent));
            }
            self.delivery_unanswered(delivery.purpose, NoAnswer::TooLate, now);
            self.close_if_drained(link, now);
        }
    }

    /// Repeats the deliveries of links that were removed. A canary is not repeated.
    pub(super) fn redeliver_lost(&mut self, gone: &[Link], now: Instant) {
        for (request, _) in self.deliveries_where(|delivery| gone.contains(&delivery.link)) {
            if let Some(Delivery { purpose, .. }) = self.deliveries.remove(&request) {
                self.delivery_unanswered(purpose, NoAnswer::Lost, now);
            }
        }
    }

    /// A delivery was sent and gets no answer. A sign-in is repeated; a change of password may have been made.
    fn delivery_unanswered(&mut self, purpose: Purpose, why: NoAnswer, now: Instant) {
        match purpose {
            Purpose::SignIn(ticket) => self.delivery_failed(ticket, why, true, now),
            Purpose::Change(ticket) => {
                let agent = self.tickets.get(&ticket).and_then(|waiting| waiting.agents.last().copied());
                self.finish_change(ticket, ChangeOutcome::NotKnown, agent);
            }
            Purpose::Canary => {}
        }
    }

    /// The deliveries to which `applies` is true, in the order in which they were sent.
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

    /// The first deadline of a delivery.
    pub(super) fn first_due(&self) -> Option<Instant> {
        self.deliveries.values().map(|delivery| delivery.deadline).min()
    }

    /// Removes a delivery that has ended, and frees its place on the link.
    fn remove_delivery(&mut self, request: Uuid) -> Option<Delivery> {
        let delivery = self.deliveries.remove(&request)?;
        if let Some(line) = self.lines.get_mut(&delivery.link) {
            line.in_hand = line.in_hand.saturating_sub(1);
        }
        Some(delivery)
    }
}

/// Keeps the links for which `holds` is true, if there are any.
fn prefer(free: &mut Vec<(Link, &RelayLine)>, holds: impl Fn(&RelayLine) -> bool) {
    if free.iter().any(|(_, line)| holds(line)) {
        free.retain(|(_, line)| holds(line));
    }
}
