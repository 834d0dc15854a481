//! Tests of the relay. `tests/tests/pta/joined.rs` runs it in simulated time, with random events.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::wildcard_enum_match_arm)]

use super::*;
use landbridge_crypto::envelope::change::AboutChange;
use landbridge_crypto::envelope::{About, Envelope, EnvelopeKey, VerdictKey};
use landbridge_wire::bounded::Blob;
use landbridge_wire::change::{CHANGE_PASSWORD, ChangeAnswer, ChangeRequest};
use landbridge_wire::signin::{Answer, Decline, Declined, Heartbeat, SignInRequest};

const SID: &str = "S-1-5-21-1-2-3";
const TENANT: Uuid = Uuid::from_u128(1);
const DOMAIN: i64 = 7;
/// The account of most tickets.
const ACCOUNT: Principal = Principal { object: Uuid::from_u128(9), rid: 1105 };
/// A canary account.
const CANARY: Principal = Principal { object: Uuid::from_u128(77), rid: 1177 };
const NOBODY: Principal = Principal { object: Uuid::nil(), rid: 1 };

/// An agent's end of a link.
struct Inside {
    link: Link,
    agent: Uuid,
    connection: Uuid,
    key: EnvelopeKey,
}

struct World {
    relay: Relay,
    now: Instant,
    inside: Vec<Inside>,
    links: u64,
    /// Answers to changes of password.
    changed: Vec<(u64, AgentAnswer<ChangeOutcome>)>,
}

impl World {
    /// `agents` agents with one link each, whose first canaries are answered.
    fn of(agents: u128) -> Self {
        let relay = Relay::new(TENANT, vec!["https://tenant.test".to_owned()], 5);
        let mut world = Self { relay, now: Instant::now(), inside: vec![], links: 0, changed: vec![] };
        for agent in 0..agents {
            world.connect(Uuid::from_u128(100 + agent), Uuid::from_u128(200 + agent));
        }
        world
    }

    fn connect(&mut self, agent: Uuid, instance: Uuid) -> Link {
        self.connect_with(agent, instance, &[BY_SID])
    }

    /// The same, of an agent with these abilities.
    fn connect_with(&mut self, agent: Uuid, instance: Uuid, abilities: &[&str]) -> Link {
        self.links += 1;
        let (link, key) = (Link(self.links), EnvelopeKey::generate());
        let until = self.now + Duration::from_secs(86_400);
        let (serial, public) = (vec![1], key.public());
        let facts = Facts { agent, domain: DOMAIN, domain_sid: SID.to_owned(), serial, key: public, until };
        self.relay.connected(link, facts, self.now);
        let connection = Uuid::from_u128(1_000 + u128::from(self.links));
        let software = Text::new("test").unwrap();
        let abilities = abilities.iter().map(|name| Text::new(*name).unwrap()).collect();
        let abilities = List::new(abilities).unwrap();
        let hello = Hello { connection, instance, software, capacity: 4, abilities };
        self.relay.receive(link, FromAgent::Hello(hello), self.now);
        self.inside.push(Inside { link, agent, connection, key });
        for (link, ask) in self.asks() {
            self.answer(link, &ask, DirectoryVerdict::Wrong);
        }
        self.outputs();
        link
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.relay.poll_output()).collect()
    }

    /// The deliveries that are sent now. Other outputs are dropped.
    fn asks(&mut self) -> Vec<(Link, SignInRequest)> {
        let asks = self.outputs().into_iter().filter_map(|output| match output {
            Output::Send { link, message: FromTenant::SignIn(ask) } => Some((link, *ask)),
            _ => None,
        });
        asks.collect()
    }

    fn ask(&mut self, ticket: u64) -> Vec<(Link, SignInRequest)> {
        let password = Arc::new(Password::new("secret".to_owned()));
        self.relay.submit(ticket, DOMAIN, ACCOUNT, password, 2, self.now);
        self.asks()
    }

    fn open(&self, link: Link, ask: &SignInRequest) -> (Password, VerdictKey) {
        let inside = self.inside.iter().find(|inside| inside.link == link).unwrap();
        let about = About {
            request: ask.request.into_bytes(),
            connection: inside.connection.into_bytes(),
            agent: inside.agent.into_bytes(),
            serial: &[1],
            tenant: TENANT.into_bytes(),
            domain_sid: SID,
            object: ask.object.into_bytes(),
            sid: ask.sid.as_ref().map(Text::as_str),
            due: ask.due,
        };
        let encapsulated = ask.encapsulated.as_bytes().try_into().unwrap();
        inside.key.open(&about, &Envelope { encapsulated, sealed: ask.sealed.as_bytes().to_vec() }).unwrap()
    }

    fn answer(&mut self, link: Link, ask: &SignInRequest, verdict: DirectoryVerdict) {
        let (_, key) = self.open(link, ask);
        let tag = Blob::new(key.tag(&verdict.authenticated(ask.request))).unwrap();
        self.relay.receive(link, FromAgent::Answer(Answer { request: ask.request, verdict, tag }), self.now);
    }

    fn ended(&mut self) -> Vec<(u64, AgentAnswer)> {
        let ended = self.outputs().into_iter().filter_map(|output| match output {
            Output::Answered { ticket, answer } => Some((ticket, answer)),
            _ => None,
        });
        ended.collect()
    }
}

#[test]
fn a_sign_in_goes_to_one_agent_and_its_verdict_comes_back() {
    let mut world = World::of(2);
    let asks = world.ask(1);
    let [(link, ask)] = &asks[..] else { panic!("{asks:?}") };
    world.open(*link, ask).0.lend(|password| assert_eq!(password, "secret"));
    world.answer(*link, ask, DirectoryVerdict::Valid);
    let ended = world.ended();
    assert_eq!((ended.len(), ended[0].1.outcome, ended[0].1.tried), (1, Ok(DirectoryVerdict::Valid), 1));
    // The same verdict again belongs to no delivery.
    world.answer(*link, ask, DirectoryVerdict::Valid);
    assert!(matches!(world.outputs()[..], [Output::Counted(Event::Stray)]));
}

#[test]
fn a_sign_in_on_a_link_that_dies_goes_to_another_agent_once() {
    let mut world = World::of(3);
    let (first, _) = world.ask(1).remove(0);
    world.relay.lost(first, world.now);
    let (second, ask) = world.asks().remove(0);
    assert_ne!(first, second);
    world.relay.lost(second, world.now);
    let ended = world.ended();
    assert_eq!((ended[0].1.outcome, ended[0].1.tried), (Err(NoAnswer::Lost), 2));
    world.answer(second, &ask, DirectoryVerdict::Valid);
    assert!(world.ended().is_empty(), "a verdict of a lost link is stray");
}

#[test]
fn a_delivery_that_may_have_reached_ad_is_not_repeated_beyond_the_binds_that_its_budget_allows() {
    let mut world = World::of(3);
    let password = Arc::new(Password::new("secret".to_owned()));
    world.relay.submit(1, DOMAIN, ACCOUNT, password, 1, world.now);
    let (first, _) = world.asks().remove(0);
    world.relay.lost(first, world.now);
    let ended = world.ended();
    assert_eq!((ended[0].1.outcome, ended[0].1.tried), (Err(NoAnswer::Lost), 1));
    assert!(world.relay.is_idle());
}

#[test]
fn a_verdict_with_another_tag_or_over_another_link_is_not_believed() {
    let mut world = World::of(2);
    let (link, ask) = world.ask(1).remove(0);
    let (_, key) = world.open(link, &ask);
    // The agent's verdict is "wrong". On the way it becomes "valid".
    let tag = Blob::new(key.tag(&DirectoryVerdict::Wrong.authenticated(ask.request))).unwrap();
    let flipped = Answer { request: ask.request, verdict: DirectoryVerdict::Valid, tag };
    let other = world.inside.iter().find(|inside| inside.link != link).unwrap().link;
    world.relay.receive(other, FromAgent::Answer(flipped.clone()), world.now);
    assert!(matches!(world.outputs()[..], [Output::Counted(Event::Forged)]));
    world.relay.receive(link, FromAgent::Answer(flipped), world.now);
    let outputs = world.outputs();
    assert!(outputs.iter().any(|o| matches!(o, Output::Close { why: Closed::Breach(_), .. })), "{outputs:?}");
    assert!(!outputs.iter().any(|o| matches!(o, Output::Answered { .. })), "{outputs:?}");
}

#[test]
fn an_agent_that_declines_has_no_second_delivery_and_only_tried_binds_count() {
    let mut world = World::of(2);
    let (link, ask) = world.ask(1).remove(0);
    let declined = Declined { request: ask.request, why: Decline::NoDirectory, tried: false };
    world.relay.receive(link, FromAgent::Declined(declined), world.now);
    let (second, ask) = world.asks().remove(0);
    assert_ne!(link, second);
    let declined = Declined { request: ask.request, why: Decline::NoDirectory, tried: true };
    world.relay.receive(second, FromAgent::Declined(declined), world.now);
    let ended = world.ended();
    assert_eq!((ended[0].1.outcome, ended[0].1.tried), (Err(NoAnswer::NoDirectory), 1));
}

#[test]
fn a_silent_agent_is_dead_after_three_seconds_and_a_sign_in_after_ten() {
    let mut world = World::of(1);
    world.ask(1);
    world.now += Duration::from_secs(3);
    world.relay.timeout(world.now);
    let ended = world.ended();
    assert_eq!(ended[0].1.outcome, Err(NoAnswer::Lost));
    let mut world = World::of(1);
    world.ask(1);
    let link = world.inside[0].link;
    for _ in 0..10 {
        world.now += Duration::from_secs(1);
        world.relay.receive(link, FromAgent::Heartbeat(Heartbeat { at: 0 }), world.now);
        world.relay.timeout(world.now);
    }
    let ended = world.ended();
    assert_eq!((ended[0].1.outcome, ended[0].1.tried), (Err(NoAnswer::TooLate), 1));
}

#[test]
fn without_an_agent_or_without_capacity_a_ticket_ends_immediately() {
    let mut world = World::of(0);
    world.relay.submit(1, DOMAIN, NOBODY, Arc::new(Password::new("x".to_owned())), 2, world.now);
    assert_eq!(world.ended()[0].1.outcome, Err(NoAnswer::NoAgent));
    assert_eq!(world.relay.unable(DOMAIN, world.now), Some(NoAnswer::NoAgent));
    let mut world = World::of(1);
    assert_eq!(world.relay.unable(DOMAIN, world.now), None);
    for ticket in 0..4 {
        assert_eq!(world.ask(ticket).len(), 1);
    }
    world.relay.submit(9, DOMAIN, NOBODY, Arc::new(Password::new("x".to_owned())), 2, world.now);
    assert_eq!(world.ended()[0].1.outcome, Err(NoAnswer::Busy));
    assert_eq!(world.relay.unable(DOMAIN, world.now), Some(NoAnswer::Busy), "also without a ticket");
    world.relay.submit(10, DOMAIN + 1, NOBODY, Arc::new(Password::new("x".to_owned())), 2, world.now);
    assert_eq!(
        world.ended()[0].1.outcome,
        Err(NoAnswer::NoAgent),
        "agents of another domain receive nothing"
    );
}

#[test]
fn an_agent_that_accepts_a_canary_raises_one_alarm_and_loses_its_links() {
    let mut world = World::of(2);
    world.relay.canaries(DOMAIN, vec![CANARY]);
    let mut tried = Vec::new();
    for _ in 0..60 {
        world.now += Duration::from_millis(500);
        for inside in &world.inside {
            world.relay.receive(inside.link, FromAgent::Heartbeat(Heartbeat { at: 0 }), world.now);
        }
        world.relay.timeout(world.now);
        tried.extend(world.asks());
        if tried.len() >= 2 {
            break;
        }
    }
    let (link, ask) = tried.remove(0);
    assert_eq!(ask.object, CANARY.object, "the named account");
    assert_eq!(ask.sid.as_ref().unwrap().as_str(), "S-1-5-21-1-2-3-1177");
    world.answer(link, &ask, DirectoryVerdict::Valid);
    let outputs = world.outputs();
    let alarms = outputs.iter().filter(|o| matches!(o, Output::Alarm { alarm: Alarm::CanaryAccepted, .. }));
    assert_eq!(alarms.count(), 1);
    assert!(outputs.iter().any(|o| matches!(o, Output::Close { why: Closed::Cut, .. })));
    let liar = world.inside.iter().find(|inside| inside.link == link).unwrap().agent;
    world.connect(liar, Uuid::from_u128(5));
    assert!(!world.relay.agents().iter().any(|view| view.agent == liar), "it does not come back by itself");
}

#[test]
fn two_processes_of_one_identity_are_one_alarm() {
    let mut world = World::of(1);
    let (agent, old) = (world.inside[0].agent, world.inside[0].link);
    world.connect(agent, Uuid::from_u128(999));
    let beat = |at| FromAgent::Heartbeat(Heartbeat { at });
    world.now += Duration::from_secs(2);
    world.relay.receive(old, beat(2_000), world.now);
    assert!(!world.outputs().iter().any(|o| matches!(o, Output::Alarm { .. })), "a restart may overlap");
    world.now += Duration::from_secs(4);
    world.relay.receive(old, beat(6_000), world.now);
    assert!(world.outputs().iter().any(|o| matches!(o, Output::Alarm { alarm: Alarm::TwoInstances, .. })));
    // While the alarm lasts, the new process is refused as well, also where it uploads.
    let noted = world.relay.note_process(agent, Uuid::from_u128(999), world.now, world.now);
    assert_eq!(noted, NotedProcess::Second);
    assert!(!world.outputs().iter().any(|o| matches!(o, Output::Alarm { .. })), "one alarm");
}

#[test]
fn a_superseded_process_that_returns_old_heartbeats_or_none_loses_its_link() {
    let beat = FromAgent::Heartbeat(Heartbeat { at: 500 });
    for quiet in [beat, FromAgent::Heartbeat(Heartbeat { at: u64::MAX }), FromAgent::Unknown] {
        let mut world = World::of(1);
        let (agent, old) = (world.inside[0].agent, world.inside[0].link);
        world.now += Duration::from_secs(1);
        world.connect(agent, Uuid::from_u128(999));
        for _ in 0..5 {
            world.now += Duration::from_secs(1);
            world.relay.receive(old, quiet.clone(), world.now);
            assert!(world.outputs().is_empty(), "a restart may overlap");
        }
        world.now += Duration::from_secs(1);
        world.relay.receive(old, quiet, world.now);
        let outputs = world.outputs();
        let closed =
            |o: &Output| matches!(o, Output::Close { link, why: Closed::Superseded } if *link == old);
        assert!(outputs.iter().any(closed) && !outputs.iter().any(|o| matches!(o, Output::Alarm { .. })));
    }
}

fn at_bound(world: &mut World, link: Link, ask: &SignInRequest) {
    let declined = Declined { request: ask.request, why: Decline::AtBound, tried: false };
    world.relay.receive(link, FromAgent::Declined(declined), world.now);
}

#[test]
fn a_sign_in_goes_from_agent_to_agent_while_they_are_at_their_bounds_and_to_each_once() {
    let mut world = World::of(4);
    // A second link of the first agent is not another agent.
    world.connect(Uuid::from_u128(100), Uuid::from_u128(200));
    let mut asked = Vec::new();
    let (mut link, mut ask) = world.ask(1).remove(0);
    for _ in 0..3 {
        asked.push(world.inside.iter().find(|inside| inside.link == link).unwrap().agent);
        at_bound(&mut world, link, &ask);
        (link, ask) = world.asks().remove(0);
    }
    let last = world.inside.iter().find(|inside| inside.link == link).unwrap().agent;
    assert!(!asked.contains(&last));
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), 3, "each agent once");
    world.answer(link, &ask, DirectoryVerdict::Valid);
    let ended = world.ended();
    assert_eq!((ended[0].1.outcome, ended[0].1.tried), (Ok(DirectoryVerdict::Valid), 1));
}

#[test]
fn when_each_agent_is_at_its_bound_a_sign_in_ends_with_that_and_no_bind() {
    let mut world = World::of(2);
    let (link, ask) = world.ask(1).remove(0);
    at_bound(&mut world, link, &ask);
    let (link, ask) = world.asks().remove(0);
    at_bound(&mut world, link, &ask);
    let ended = world.ended();
    assert_eq!((ended[0].1.outcome, ended[0].1.tried), (Err(NoAnswer::AtBound), 0));
}

#[test]
fn an_agent_at_its_bound_takes_none_of_the_two_deliveries() {
    let mut world = World::of(3);
    let (link, ask) = world.ask(1).remove(0);
    at_bound(&mut world, link, &ask);
    for _ in 0..2 {
        let (link, _) = world.asks().remove(0);
        world.relay.lost(link, world.now);
    }
    let ended = world.ended();
    assert_eq!((ended[0].1.outcome, ended[0].1.tried), (Err(NoAnswer::Lost), 2));
    // One that says so and has tried is not believed to be at its bound.
    let mut world = World::of(3);
    for _ in 0..2 {
        let (link, ask) = if world.relay.is_idle() { world.ask(2).remove(0) } else { world.asks().remove(0) };
        let declined = Declined { request: ask.request, why: Decline::AtBound, tried: true };
        world.relay.receive(link, FromAgent::Declined(declined), world.now);
    }
    assert_eq!(world.ended()[0].1.tried, 2);
}

#[test]
fn the_welcome_names_what_the_tenant_understands() {
    let mut world = World::of(0);
    let facts = |key: &EnvelopeKey, until| Facts {
        agent: Uuid::from_u128(1),
        domain: DOMAIN,
        domain_sid: SID.to_owned(),
        serial: vec![1],
        key: key.public(),
        until,
    };
    let until = world.now + Duration::from_secs(60);
    world.relay.connected(Link(1), facts(&EnvelopeKey::generate(), until), world.now);
    let (connection, instance) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let (software, abilities) = (Text::new("0.1").unwrap(), List::default());
    let hello = Hello { connection, instance, software, capacity: 4, abilities };
    world.relay.receive(Link(1), FromAgent::Hello(hello), world.now);
    let welcome = world.outputs().into_iter().find_map(|output| match output {
        Output::Send { message: FromTenant::Welcome(welcome), .. } => Some(welcome),
        _ => None,
    });
    let abilities = welcome.unwrap().abilities.into_vec();
    assert_eq!(abilities.iter().map(Text::as_str).collect::<Vec<_>>(), ["at-bound", "by-sid"]);
}

#[test]
fn after_a_canary_account_that_an_agent_is_at_its_bound_for_the_next_canary_is_for_a_random_object() {
    let mut world = World::of(1);
    let named = CANARY.object;
    world.relay.canaries(DOMAIN, vec![CANARY]);
    let mut objects = Vec::new();
    for _ in 0..400 {
        world.now += Duration::from_millis(500);
        let link = world.inside[0].link;
        world.relay.receive(link, FromAgent::Heartbeat(Heartbeat { at: 0 }), world.now);
        world.relay.timeout(world.now);
        for (link, ask) in world.asks() {
            objects.push(ask.object);
            if ask.object == named {
                at_bound(&mut world, link, &ask);
            } else {
                let rid = ask.sid.as_ref().and_then(|sid| sid.as_str().strip_prefix("S-1-5-21-1-2-3-"));
                let rid: u32 = rid.unwrap().parse().unwrap();
                assert!(rid >= 1 << 31, "a relative id that no account has: {rid}");
                world.answer(link, &ask, DirectoryVerdict::Wrong);
            }
        }
    }
    assert!(objects.len() >= 6, "{objects:?}");
    for two in objects.windows(2) {
        assert_ne!(two[0] == named, two[1] == named, "in turns: {objects:?}");
    }
}

#[test]
fn an_agent_receives_the_accounts_sid_and_one_of_version_0_1_the_message_that_it_knows() {
    for (abilities, sid) in [
        (&[BY_SID][..], Some("S-1-5-21-1-2-3-1105")),
        (&["something newer", BY_SID][..], Some("S-1-5-21-1-2-3-1105")),
        (&["something newer"][..], None),
        (&[][..], None),
    ] {
        let mut world = World::of(0);
        world.connect_with(Uuid::from_u128(100), Uuid::from_u128(200), abilities);
        let (link, ask) = world.ask(1).remove(0);
        assert_eq!((ask.object, ask.sid.as_ref().map(Text::as_str)), (ACCOUNT.object, sid), "{abilities:?}");
        // The envelope is about the same names as the message, and so opens.
        world.open(link, &ask).0.lend(|password| assert_eq!(password, "secret"));
        world.answer(link, &ask, DirectoryVerdict::Valid);
        assert_eq!(world.ended()[0].1.outcome, Ok(DirectoryVerdict::Valid));
    }
}

#[test]
fn a_ticket_goes_on_from_an_agent_of_this_version_to_one_of_version_0_1_and_back() {
    let mut world = World::of(0);
    world.connect_with(Uuid::from_u128(100), Uuid::from_u128(200), &[BY_SID]);
    world.connect_with(Uuid::from_u128(101), Uuid::from_u128(201), &[]);
    let (first, one) = world.ask(1).remove(0);
    world.relay.lost(first, world.now);
    let (second, other) = world.asks().remove(0);
    assert_ne!(one.sid.is_some(), other.sid.is_some(), "each in its own form");
    world.answer(second, &other, DirectoryVerdict::Valid);
    assert_eq!(world.ended()[0].1.outcome, Ok(DirectoryVerdict::Valid));
}

#[test]
fn an_account_whose_names_do_not_belong_together_is_asked_about_once() {
    for tried in [true, false] {
        let mut world = World::of(3);
        let (link, ask) = world.ask(1).remove(0);
        let declined = Declined { request: ask.request, why: Decline::OtherAccount, tried };
        world.relay.receive(link, FromAgent::Declined(declined), world.now);
        let ended = world.ended();
        assert_eq!((ended[0].1.outcome, ended[0].1.tried), (Err(NoAnswer::OtherAccount), u32::from(tried)));
        assert!(world.relay.is_idle());
    }
}

/// A change of password that was delivered.
struct Changing {
    link: Link,
    request: ChangeRequest,
}

impl World {
    /// A link of a new agent that changes passwords.
    fn changer(&mut self) -> Link {
        let agent = Uuid::from_u128(500 + u128::from(self.links));
        self.connect_with(agent, Uuid::from_u128(600 + u128::from(self.links)), &[BY_SID, CHANGE_PASSWORD])
    }

    /// Submits a change, and returns its delivery.
    fn change(&mut self, ticket: u64) -> Option<Changing> {
        let password = |text: &str| Arc::new(Password::new(text.to_owned()));
        let pair =
            PasswordPair { account: "anna".to_owned(), old: password("before"), new: password("after") };
        self.relay.submit_change(ticket, DOMAIN, ACCOUNT, pair, self.now);
        self.next_change()
    }

    /// The change that is delivered now; other outputs are kept.
    fn next_change(&mut self) -> Option<Changing> {
        let mut found = None;
        for output in self.outputs() {
            match output {
                Output::Send { link, message: FromTenant::Change(request) } => {
                    assert!(found.is_none(), "one delivery at a time");
                    found = Some(Changing { link, request: *request });
                }
                Output::ChangeAnswered { ticket, answer } => self.changed.push((ticket, answer)),
                _ => {}
            }
        }
        found
    }

    fn open_change(&self, changing: &Changing) -> ([Password; 2], VerdictKey) {
        let inside = self.inside.iter().find(|inside| inside.link == changing.link).unwrap();
        let request = &changing.request;
        let delivery = About {
            request: request.request.into_bytes(),
            connection: inside.connection.into_bytes(),
            agent: inside.agent.into_bytes(),
            serial: &[1],
            tenant: TENANT.into_bytes(),
            domain_sid: SID,
            object: request.object.into_bytes(),
            sid: Some(request.sid.as_str()),
            due: request.due,
        };
        let about = AboutChange { delivery, account: request.account.as_str() };
        let encapsulated = request.encapsulated.as_bytes().try_into().unwrap();
        let envelope = Envelope { encapsulated, sealed: request.sealed.as_bytes().to_vec() };
        inside.key.open_change(&about, &envelope).unwrap()
    }

    /// The agent answers.
    fn answer_change(&mut self, changing: &Changing, outcome: ChangeOutcome) {
        let (_, key) = self.open_change(changing);
        let request = changing.request.request;
        let tag = Blob::new(key.tag(&outcome.authenticated(request))).unwrap();
        let answer = Box::new(ChangeAnswer { request, outcome, tag });
        self.relay.receive(changing.link, FromAgent::Changed(answer), self.now);
        self.next_change();
    }

    fn decline_change(&mut self, changing: &Changing, why: Decline) -> Option<Changing> {
        let declined = Declined { request: changing.request.request, why, tried: false };
        self.relay.receive(changing.link, FromAgent::Declined(declined), self.now);
        self.next_change()
    }

    /// The one answer to all changes so far.
    #[track_caller]
    fn only_change(&mut self) -> (u64, AgentAnswer<ChangeOutcome>) {
        self.next_change();
        assert_eq!(self.changed.len(), 1, "{:?}", self.changed);
        self.changed.remove(0)
    }
}

const CHANGED: ChangeOutcome = ChangeOutcome::Changed { password_set: Some(7) };

#[test]
fn a_change_of_password_goes_to_an_agent_that_makes_such_and_its_outcome_comes_back() {
    let mut world = World::of(3);
    assert!(world.change(1).is_none(), "agents of before do not change passwords");
    assert_eq!(world.only_change().1.outcome, Err(NoAnswer::NoAgent));
    assert!(!world.relay.changes_passwords(DOMAIN, world.now));
    let link = world.changer();
    assert!(world.relay.changes_passwords(DOMAIN, world.now));
    assert!(!world.relay.changes_passwords(DOMAIN + 1, world.now));
    let changing = world.change(2).unwrap();
    assert_eq!((changing.link, changing.request.account.as_str()), (link, "anna"));
    let (passwords, _) = world.open_change(&changing);
    assert_eq!(passwords.each_ref().map(|one| one.lend(str::to_owned)), ["before", "after"]);
    world.answer_change(&changing, CHANGED);
    let (ticket, answer) = world.only_change();
    assert_eq!((ticket, &answer.outcome, answer.tried), (2, &Ok(CHANGED), 1));
    assert!(answer.agent.is_some());
    // The same answer again belongs to no delivery.
    world.answer_change(&changing, CHANGED);
    assert_eq!(world.changed, []);
}

#[test]
fn a_change_that_was_declined_goes_to_one_other_agent_and_no_further() {
    let mut world = World::of(0);
    (0..3).for_each(|_| {
        world.changer();
    });
    let first = world.change(1).unwrap();
    let second = world.decline_change(&first, Decline::NoDirectory).unwrap();
    assert_ne!(first.link, second.link);
    assert!(world.decline_change(&second, Decline::NoDirectory).is_none());
    assert_eq!(world.only_change().1.outcome, Err(NoAnswer::NoDirectory));
}

#[test]
fn an_agent_that_changes_no_passwords_any_more_gets_no_further_change_before_its_next_hello() {
    let mut world = World::of(0);
    let stopped = world.changer();
    let changing = world.change(1).unwrap();
    assert!(world.decline_change(&changing, Decline::ChangesNoPasswords).is_none());
    assert_eq!(world.only_change().1.outcome, Err(NoAnswer::Lost));
    assert!(!world.relay.changes_passwords(DOMAIN, world.now));
    assert!(world.change(2).is_none());
    assert_eq!(world.only_change().1.outcome, Err(NoAnswer::NoAgent));
    let link = world.changer();
    assert_ne!(world.change(3).unwrap().link, stopped);
    assert!(world.relay.changes_passwords(DOMAIN, world.now), "{link:?}");
}

#[test]
fn a_change_that_was_sent_and_not_answered_is_never_sent_again_and_not_known() {
    // 1. The agent's connection ends.
    let mut world = World::of(0);
    (0..2).for_each(|_| {
        world.changer();
    });
    let changing = world.change(1).unwrap();
    world.relay.lost(changing.link, world.now);
    assert!(world.next_change().is_none());
    let (_, answer) = world.only_change();
    assert_eq!((answer.outcome, answer.tried), (Ok(ChangeOutcome::NotKnown), 0));
    // 2. It does not answer in time.
    let mut world = World::of(0);
    (0..2).for_each(|_| {
        world.changer();
    });
    world.change(1).unwrap();
    world.now += PATIENCE;
    world.relay.timeout(world.now);
    assert!(world.next_change().is_none());
    assert_eq!(world.only_change().1.outcome, Ok(ChangeOutcome::NotKnown));
}

#[test]
fn an_answer_of_the_other_kind_or_with_another_tag_is_forged_and_the_change_not_known() {
    for forge in 0..3 {
        let mut world = World::of(0);
        (0..2).for_each(|_| {
            world.changer();
        });
        let changing = world.change(1).unwrap();
        let (_, key) = world.open_change(&changing);
        let request = changing.request.request;
        let of = |bytes: &[u8]| Blob::new(key.tag(bytes)).unwrap();
        let message = match forge {
            // The tag of another outcome, and that of another request.
            0 => {
                let tag = of(&ChangeOutcome::NotKnown.authenticated(request));
                FromAgent::Changed(Box::new(ChangeAnswer { request, outcome: CHANGED, tag }))
            }
            1 => {
                let tag = of(&CHANGED.authenticated(Uuid::nil()));
                FromAgent::Changed(Box::new(ChangeAnswer { request, outcome: CHANGED, tag }))
            }
            // A verdict, with a sound tag.
            _ => {
                let verdict = DirectoryVerdict::Valid;
                let tag = of(&verdict.authenticated(request));
                FromAgent::Answer(Answer { request, verdict, tag })
            }
        };
        world.relay.receive(changing.link, message, world.now);
        assert!(world.next_change().is_none());
        assert_eq!(world.only_change().1.outcome, Ok(ChangeOutcome::NotKnown), "{forge}");
    }
    // A change as the answer to a sign-in.
    let mut world = World::of(0);
    world.changer();
    let [(link, ask)] = &world.ask(1)[..] else { panic!("one delivery") };
    let (_, key) = world.open(*link, ask);
    let tag = Blob::new(key.tag(&CHANGED.authenticated(ask.request))).unwrap();
    let answer = Box::new(ChangeAnswer { request: ask.request, outcome: CHANGED, tag });
    world.relay.receive(*link, FromAgent::Changed(answer), world.now);
    assert_eq!(world.ended()[0].1.outcome, Err(NoAnswer::Lost));
}

#[test]
fn agents_that_were_welcomed_are_sent_other_nodes_once_and_later_ones_are_welcomed_with_them() {
    let mut world = World::of(2);
    // A link whose agent has sent no hello yet is sent nothing.
    let key = EnvelopeKey::generate().public();
    let until = world.now + Duration::from_secs(60);
    let (agent, domain_sid) = (Uuid::from_u128(300), SID.to_owned());
    let facts = Facts { agent, domain: DOMAIN, domain_sid, serial: vec![1], key, until };
    world.relay.connected(Link(99), facts, world.now);
    let sent = |world: &mut World| {
        let sent = world.outputs().into_iter().map(|output| match output {
            Output::Send { link, message: FromTenant::Nodes(changed) } => (link, changed.nodes),
            other => panic!("{other:?}"),
        });
        sent.collect::<Vec<_>>()
    };
    let two = || vec!["https://tenant.test".to_owned(), "https://two.tenant.test".to_owned()];
    world.relay.set_nodes(two());
    let list = node_urls(two());
    assert_eq!(sent(&mut world), [(Link(1), list.clone()), (Link(2), list.clone())]);
    // The same list, and an empty one, are no change.
    world.relay.set_nodes(two());
    world.relay.set_nodes(vec![]);
    assert_eq!(sent(&mut world), []);
    assert_eq!(*world.relay.nodes(), list);
    // The agent's hello is answered with the present list.
    let (connection, instance) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let (software, abilities) = (Text::new("test").unwrap(), List::default());
    let hello = Hello { connection, instance, software, capacity: 4, abilities };
    world.relay.receive(Link(99), FromAgent::Hello(hello), world.now);
    let welcomed = world.outputs().into_iter().find_map(|output| match output {
        Output::Send { message: FromTenant::Welcome(welcome), .. } => Some(welcome.nodes),
        _ => None,
    });
    assert_eq!(welcomed, Some(list));
}

#[test]
fn a_list_of_nodes_has_16_urls_of_512_bytes_at_most() {
    let mut world = World::of(0);
    let long = format!("https://{}.test", "a".repeat(512));
    let many = (0..20).map(|number| format!("https://node{number}.test"));
    world.relay.set_nodes(std::iter::once(long).chain(many).collect());
    let nodes = world.relay.nodes().as_slice();
    assert_eq!((nodes.len(), nodes[0].as_str()), (16, "https://node0.test"));
    assert_eq!(nodes[15].as_str(), "https://node15.test");
}
