//! The tenant's logic. Doors name this crate and none below it. Each door holds only the handles that it needs, as
//! values: [`sign_ins::SignIns`], [`directory::Directory`], [`administration::Administration`], [`agents::Agents`],
//! [`applications::Applications`], [`passwords::Passwords`], [`numbers::Snapshot`].
//!
//! # Files
//!
//! - `lib.rs`: this list, and the handles over one database
//! - `clock.rs`: the wall clock and the stop signal
//! - `lock.rs`: locks that outlive a panic
//! - `numbers.rs`: the metrics, and a snapshot of them
//! - `audit.rs`: writes sign-ins into the audit log, many in one transaction
//! - `events.rs`: audit entries about strangers and agents at the doors, limited by kind
//! - `agents.rs`: the handle on agents: identities, uploads, connections
//! - `agents/parts.rs`: what that handle works on
//! - `agents/certificate_names.rs`: the names in an agent's certificate
//! - `agents/authority.rs`: the tenant's CA
//! - `agents/enrolment.rs`: an identity for a one-time token, and the next certificate
//! - `agents/admission.rs`: whether an agent may upload, renew or connect now
//! - `agents/process.rs`: the process of an agent's connection, and the proof of its key
//! - `agents/open_connections.rs`: the open connections of agents, so that a revocation can cut them
//! - `agents/relay_driver.rs`: gives the relay its clock and its connections
//! - `agents/quarantine.rs`: acts on alarms about agents
//! - `nodes.rs`: what other nodes change, and whether this one is fit to serve
//! - `nodes/entry.rs`: which node a process is
//! - `ingest.rs`: applies the uploads of phs, each in one transaction
//! - `ingest/writer.rs`: one phs writes for a domain
//! - `ingest/offer.rs`: which of the offered passwords the tenant lacks
//! - `ingest/record.rs`: applies one record
//! - `ingest/reserved.rs`: names of accounts that are not carried
//! - `ingest/link.rs`: applies one link
//! - `ingest/suffixes.rs`: which names an account gets, by the UPN suffixes of its domain
//! - `ingest/homes.rs`: refuses objects that belong to another domain
//! - `ingest/outcome.rs`: counts what an upload changed
//! - `directory.rs`: the handle that reads the directory
//! - `directory/named.rs`: an object with the name that people know it by
//! - `directory/describe.rs`: everything known of the accounts behind a name
//! - `directory/image.rs`: the directory in memory, for doors that search it
//! - `directory/image/values.rs`: the attributes of an object, packed
//! - `directory/image/index.rs`: finds objects by the values of some attributes
//! - `directory/image/application.rs`: an application that reads the directory
//! - `directory/image/object_set.rs`: a set of objects
//! - `directory/image/seen.rs`: the directory as an application sees it
//! - `directory/groups.rs`: groups, their members, and their names
//! - `applications.rs`: the handle on applications: credentials and rates
//! - `applications/rates.rs`: how many sign-ins an application may make a minute
//! - `issuer.rs`: the handle on the keys that sign tokens
//! - `passwords.rs`: the handle on changes of password
//! - `provider.rs`: the handle on OpenID Connect
//! - `provider/own_page.rs`: what a person sees of the own applications, sessions and sign-ins
//! - `provider/sessions.rs`: people who are signed in at the pages
//! - `provider/client_assertion.rs`: assertions by which a client proves itself with a key of its own
//! - `provider/code.rs`: the text of a code: what its grant is made of, sealed
//! - `provider/grants.rs`: codes and refresh tokens
//! - `provider/pushed_requests.rs`: authorization requests of which a browser brings the name alone
//! - `provider/logout_notices.rs`: notices of ended sessions for applications
//! - `provider/user_code.rs`: the code that a device shows and a person types
//! - `provider/device_requests.rs`: devices without a browser, and the person's answer to them
//! - `provider/introspection.rs`: what a token is worth at this moment, and its end by its client
//! - `provider/access_token.rs`: access tokens
//! - `provider/clients.rs`: the clients, as they were read last
//! - `provider/claims.rs`: what an application learns of a person
//! - `sign_ins.rs`: the handle on sign-ins: one function with numbered steps
//! - `sign_ins/attempt.rs`: the settings, the attempt, its caller, and the trait of what asks agents
//! - `sign_ins/parts.rs`: the parts that every sign-in passes through
//! - `sign_ins/pass.rs`: one sign-in on its way: facts, rules, derivation, counters
//! - `sign_ins/contradictions.rs`: compares agents' answers with digests, and raises the alarm
//! - `sign_ins/counters.rs`: the counters of the smart lockout, in the database and in memory
//! - `sign_ins/turns.rs`: one sign-in of an account at a time, while agents are requested
//! - `sign_ins/queue.rs`: the bounded queue in front of the derivations
//! - `sign_ins/leavers.rs`: who has left a queue lately
//! - `sign_ins/verifiers.rs`: the threads that derive, several passwords side by side
//! - `sign_ins/decoys.rs`: digests that no password fits, so that an unknown name costs a derivation
//! - `sign_ins/equal_delay.rs`: the delay that makes refusals equal in time
//! - `administration.rs`: the handle for administrators
//! - `administration/request.rs`: requests and answers as types, one line of JSON each
//! - `administration/operator.rs`: who sent a request over the administration socket
//! - `administration/parts.rs`: what that handle works on
//! - `administration/act.rs`: does what an administrator requested
//! - `administration/apps.rs`: creates, changes, lists and revokes applications, and their secrets
//! - `administration/app_settings.rs`: what an administrator sets of them, exported and applied from a file
//! - `administration/group_settings.rs`: the groups in those settings
//! - `administration/app_ldap.rs`: changes how one reads the directory by LDAP
//! - `administration/client_keys.rs`: the public keys of a client, as an administrator registers them
//! - `administration/oidc_settings.rs`: how one signs people in: checked, stored, as text
//! - `administration/app_oidc.rs`: changes how one signs people in by OpenID Connect
//! - `administration/app_explained.rs`: whether and why a person may sign in through one
//! - `administration/domain.rs`: a domain's sign-in policy, its least iterations and its canaries
//! - `administration/remove_domain.rs`: stops serving a domain
//! - `administration/group_policy.rs`: sets and removes the sign-in policy of a group
//! - `administration/group_policy_lines.rs`: those policies as text
//! - `administration/suffixes.rs`: adds, removes and lists the UPN suffixes of domains
//! - `administration/move_objects.rs`: moves objects from one domain to another
//! - `administration/people.rs`: erases and blocks accounts, and lists ambiguous names
//! - `administration/web_sessions.rs`: lists and ends the sessions of people at the pages
//! - `administration/signing_keys.rs`: lists, rotates and revokes the keys that sign tokens
//! - `administration/trial.rs`: a sign-in that an administrator tries

pub mod administration;
pub mod agents;
pub mod applications;
pub mod audit;
pub mod clock;
pub mod directory;
pub mod events;
pub mod ingest;
pub mod issuer;
mod lock;
pub mod nodes;
pub mod numbers;
pub mod passwords;
pub mod provider;
pub mod sign_ins;

use administration::Administration;
use agents::Agents;
use agents::authority::Authority;
use agents::open_connections::OpenConnections;
use agents::relay_driver::{RaisedAlarm, RelayDriver};
use applications::{Applications, Rates};
use audit::Recorder;
use clock::ClockDifference;
use directory::Directory;
use events::Events;
use issuer::Issuer;
use landbridge_tenant_store::Store;
use nodes::Nodes;
use numbers::{Numbers, Snapshot};
use passwords::Passwords;
use provider::{Lives, Provider};
use sign_ins::{Settings, SignIns, Unready};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The handles on one tenant. `program` passes each door those that it needs.
#[derive(Debug)]
pub struct Handles {
    /// Sign-ins.
    pub sign_ins: SignIns,
    /// Changes of password.
    pub passwords: Passwords,
    /// Reading the directory.
    pub directory: Directory,
    /// Requests of administrators.
    pub administration: Administration,
    /// Agents.
    pub agents: Agents,
    /// Applications.
    pub applications: Applications,
    /// OpenID Connect.
    pub provider: Provider,
    /// This process as a node.
    pub nodes: Nodes,
    /// Numbers for monitoring.
    pub snapshot: Snapshot,
    /// Alarms about agents, for [`Agents::run`].
    pub alarms: mpsc::Receiver<RaisedAlarm>,
}

impl Handles {
    /// Creates the handles. Agents connect to `url`.
    pub fn new(
        store: &Arc<Store>,
        authority: &Arc<Authority>,
        url: &str,
        settings: Settings,
        lives: Lives,
    ) -> Result<Self, Unready> {
        let numbers = Arc::new(Numbers::default());
        let (open, rates) = (Arc::new(OpenConnections::default()), Arc::new(Rates::new(store)));
        let (relay, alarms) = RelayDriver::new(authority.tenant(), url, numbers.clone());
        let recorder = Recorder::start(store.clone()).map_err(|_| Unready::NoThreads)?;
        let events = Arc::new(Events::new(recorder, numbers.clone()));
        let sign_ins = SignIns::new(store, &numbers, relay.clone(), settings)?;
        let clock = Arc::new(ClockDifference::default());
        let parts = || agents::Parts {
            store: store.clone(),
            authority: authority.clone(),
            relay: relay.clone(),
            open: open.clone(),
            numbers: numbers.clone(),
            events: events.clone(),
            clock: clock.clone(),
        };
        let passwords =
            Passwords::new(store.clone(), sign_ins.clone(), relay.clone(), numbers.counts.clone());
        let directory = Directory::new(store.clone());
        let issuer = Issuer::new(store.clone(), numbers.clone());
        let provider = Provider::new(store.clone(), issuer.clone(), lives);
        let administration = Administration::new(administration::Inner {
            store: store.clone(),
            agents: Arc::new(parts()),
            rates: rates.clone(),
            directory: directory.clone(),
            sign_ins: sign_ins.clone(),
            provider: provider.clone(),
            numbers: numbers.clone(),
            url: url.to_owned(),
        });
        let nodes = Nodes::new(Arc::new(parts()), administration.clone(), issuer);
        let applications = Applications::new(store.clone(), rates, numbers.clone(), events.clone());
        let agents = Agents::new(parts());
        let snapshot = Snapshot::new(store.clone(), numbers, open, authority.life().1);
        Ok(Self {
            sign_ins,
            passwords,
            directory,
            administration,
            agents,
            applications,
            provider,
            nodes,
            snapshot,
            alarms,
        })
    }
}
