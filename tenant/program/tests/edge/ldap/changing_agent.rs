//! An agent that changes passwords, as far as the tenant can see: it opens what it receives and answers what the test wants.

use crate::harness::{Edge, Identity, Process, enroll_request, key_and_request, until};
use futures_util::{SinkExt as _, StreamExt as _};
use landbridge_crypto::envelope::change::AboutChange;
use landbridge_crypto::envelope::{About, Envelope, EnvelopeKey};
use landbridge_tenant_core::administration::request::AdminRequest;
use landbridge_wire::bounded::{Blob, List, Text};
use landbridge_wire::change::{CHANGE_PASSWORD, ChangeAnswer, ChangeOutcome, ChangeRequest};
use landbridge_wire::enroll::{EnrollResponse, Role};
use landbridge_wire::frame;
use landbridge_wire::process_proof::HEADER;
use landbridge_wire::signin::{BY_SID, Decline, Declined, FromAgent, FromTenant, Hello, PATH};
use std::sync::{Arc, Mutex};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use uuid::Uuid;

/// What it does with a change.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    Answer(ChangeOutcome),
    Decline(Decline),
    /// It disconnects without an answer.
    Leave,
}

/// A change that it received: the account's name, the old password and the new one.
pub(crate) type Received = (String, String, String);

#[derive(Debug)]
struct State {
    deed: Deed,
    received: Vec<Received>,
}

/// The agent. It leaves when it is dropped.
pub(crate) struct ChangingAgent {
    state: Arc<Mutex<State>>,
    running: tokio::task::JoinHandle<()>,
}

impl Drop for ChangingAgent {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl ChangingAgent {
    /// Enrols, is approved, and connects.
    pub(crate) async fn start(edge: &Edge) -> Self {
        // 1. Its identity, with an envelope key that it keeps.
        let envelope = EnvelopeKey::generate();
        let (key, csr) = key_and_request();
        let mut request = enroll_request(edge.token(Role::Pta).await.secret, Role::Pta, csr);
        request.envelope = Some(Blob::new(envelope.public().to_bytes()).unwrap());
        let made: EnrollResponse = edge.post(None, "/v1/enroll", &request).await.unwrap();
        let certificate = made.certificate.as_bytes().to_vec();
        let process = Process::new();
        edge.ask(AdminRequest::AgentsApprove { agent: made.agent, key: None }).await;
        let identity =
            Identity { agent: made.agent, certificate, key, approved: true, process: Some(process.clone()) };
        let serial = "SELECT serial FROM agents WHERE id = ?1";
        let serial = edge.database().query_row(serial, [made.agent.as_bytes()], |row| row.get(0)).unwrap();
        // 2. The connection.
        let tls = edge.connect(Some(&identity)).await.unwrap();
        let mut request = format!("wss://{}{PATH}", edge.address).into_client_request().unwrap();
        request.headers_mut().insert(HEADER, process.prove(made.agent, &tls).parse().unwrap());
        let (mut socket, _) = tokio_tungstenite::client_async(request, tls).await.unwrap();
        let opener = Opener {
            envelope,
            connection: Uuid::new_v4(),
            agent: made.agent,
            serial,
            tenant: edge.tenant.authority.tenant(),
        };
        let abilities = [BY_SID, CHANGE_PASSWORD].map(|name| Text::new(name).unwrap());
        let hello = FromAgent::Hello(Hello {
            connection: opener.connection,
            instance: identity.instance(),
            software: Text::new("test").unwrap(),
            capacity: 64,
            abilities: List::new(abilities.into()).unwrap(),
        });
        let deed = Deed::Answer(ChangeOutcome::NotKnown);
        let state = Arc::new(Mutex::new(State { deed, received: Vec::new() }));
        let shared = state.clone();
        let running = tokio::spawn(async move {
            let mut say = Some(hello);
            loop {
                if let Some(message) = say.take() {
                    let bytes = frame::encode(&message).unwrap().to_vec();
                    if socket.send(Message::Binary(bytes.into())).await.is_err() {
                        return;
                    }
                }
                let Some(Ok(came)) = socket.next().await else { return };
                let Message::Binary(bytes) = came else { continue };
                match frame::decode(&bytes).unwrap() {
                    FromTenant::Heartbeat(beat) => say = Some(FromAgent::Heartbeat(beat)),
                    FromTenant::Change(change) => match opener.act(&change, &shared) {
                        Some(answer) => say = Some(answer),
                        None => return,
                    },
                    FromTenant::SignIn(_)
                    | FromTenant::Welcome(_)
                    | FromTenant::Nodes(_)
                    | FromTenant::Drain
                    | FromTenant::Unknown => {}
                }
            }
        });
        until("the agent is connected", async || {
            edge.tenant.agents.connected().iter().any(|view| view.agent == made.agent && view.links == 1)
        })
        .await;
        Self { state, running }
    }

    /// From now on it does this with each change.
    pub(crate) fn will(&self, deed: Deed) {
        self.state.lock().unwrap().deed = deed;
    }

    /// The changes that it has received since this was last called.
    pub(crate) fn received(&self) -> Vec<Received> {
        std::mem::take(&mut self.state.lock().unwrap().received)
    }
}

/// Opens changes.
struct Opener {
    envelope: EnvelopeKey,
    connection: Uuid,
    agent: Uuid,
    serial: Vec<u8>,
    tenant: Uuid,
}

impl Opener {
    /// The message to send; none: it leaves.
    fn act(&self, change: &ChangeRequest, state: &Mutex<State>) -> Option<FromAgent> {
        let delivery = About {
            request: change.request.into_bytes(),
            connection: self.connection.into_bytes(),
            agent: self.agent.into_bytes(),
            serial: &self.serial,
            tenant: self.tenant.into_bytes(),
            domain_sid: crate::harness::SID,
            object: change.object.into_bytes(),
            sid: Some(change.sid.as_str()),
            due: change.due,
        };
        let about = AboutChange { delivery, account: change.account.as_str() };
        let envelope = Envelope {
            encapsulated: change.encapsulated.as_bytes().try_into().unwrap(),
            sealed: change.sealed.as_bytes().to_vec(),
        };
        let ([old, new], key) = self.envelope.open_change(&about, &envelope).unwrap();
        let [old, new] = [old, new].map(|password| password.lend(str::to_owned));
        let mut state = state.lock().unwrap();
        state.received.push((change.account.as_str().to_owned(), old, new));
        match &state.deed {
            Deed::Leave => None,
            Deed::Decline(why) => {
                Some(FromAgent::Declined(Declined { request: change.request, why: *why, tried: false }))
            }
            Deed::Answer(outcome) => {
                let tag = Blob::new(key.tag(&outcome.authenticated(change.request))).unwrap();
                let answer = ChangeAnswer { request: change.request, outcome: outcome.clone(), tag };
                Some(FromAgent::Changed(Box::new(answer)))
            }
        }
    }
}
