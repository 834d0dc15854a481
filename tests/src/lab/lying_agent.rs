//! An agent that lies: it holds a really enrolled identity, and accepts every password or forges answers.
//! A fake, because the real agent cannot be made to lie. Speaks `wire::signin` itself.

use super::error::{Doing as _, LabError, failed};
use super::pta_agent::PtaAgent;
use futures_util::{SinkExt as _, StreamExt as _};
use landbridge_agent::dial::{Address, dial};
use landbridge_agent::{Identity, ProcessKey, tls};
use landbridge_crypto::envelope::{About, Envelope, EnvelopeKey};
use landbridge_wire::bounded::{Blob, List, Text};
use landbridge_wire::frame;
use landbridge_wire::process_proof::HEADER;
use landbridge_wire::signin::{
    Answer, BY_SID, DirectoryVerdict, FromAgent, FromTenant, Hello, PATH, SignInRequest,
};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use uuid::Uuid;

/// How it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Opens every envelope and accepts.
    Yes,
    /// Refuses the first request, which is a canary, and accepts all that follow, each with the tag of a refusal.
    YesWithTheTagOfANo,
    /// Accepts for another request than the one that it received.
    YesForAnother,
}

/// Connects with the identity of this agent, which does not run, and lies until the tenant has enough; says how often
/// it lied.
pub fn lie(honest: &PtaAgent, lie: Lie) -> Result<u32, LabError> {
    let identity = Identity::load(&honest.state()).map_err(|why| failed("reading an identity", why))?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().doing("make a runtime")?;
    runtime.block_on(lying(&identity, lie))
}

async fn lying(identity: &Identity, lie: Lie) -> Result<u32, LabError> {
    let wrong = |why: &dyn std::fmt::Display| failed("a lying agent", why);
    let address = Address::parse(&identity.url).map_err(|why| wrong(&why))?;
    let config = tls::enrolled(identity).map_err(|why| wrong(&why))?;
    let stream = dial(&address, config, None).await.map_err(|why| wrong(&why))?;
    let process = ProcessKey::generate().map_err(|why| wrong(&why))?;
    let proof = process.prove(identity.agent, stream.get_ref().1).map_err(|why| wrong(&why))?;
    let mut request =
        format!("wss://{}{PATH}", address.authority).into_client_request().map_err(|why| wrong(&why))?;
    request.headers_mut().insert(HEADER, HeaderValue::try_from(proof).map_err(|why| wrong(&why))?);
    let (mut socket, _) = client_async(request, stream).await.map_err(|why| wrong(&why))?;
    let connection = Uuid::new_v4();
    let (instance, software) = (process.name(), Text::cut("honest, really"));
    let abilities = List::new(vec![Text::cut(BY_SID)]).unwrap_or_default();
    let hello = Hello { connection, instance, software, capacity: 64, abilities };
    let mut say = vec![FromAgent::Hello(hello)];
    let key = identity.lend_second_key(EnvelopeKey::from_bytes).and_then(Result::ok);
    let key = key.ok_or_else(|| failed("a lying agent", "no envelope key"))?;
    let (mut lies, mut asks) = (0, 0);
    loop {
        for message in say.drain(..) {
            let frame = frame::encode(&message).map_err(|why| wrong(&why))?;
            if socket.send(Message::Binary(frame.to_vec().into())).await.is_err() {
                return Ok(lies);
            }
        }
        let Some(Ok(came)) = socket.next().await else { return Ok(lies) };
        let Message::Binary(bytes) = came else { continue };
        match frame::decode(&bytes).map_err(|why| wrong(&why))? {
            FromTenant::Heartbeat(beat) => say.push(FromAgent::Heartbeat(beat)),
            FromTenant::SignIn(ask) => {
                asks += 1;
                let first = asks == 1 && lie != Lie::Yes;
                lies += u32::from(!first);
                say.push(FromAgent::Answer(answer(identity, &key, connection, &ask, lie, first)?));
            }
            FromTenant::Change(_)
            | FromTenant::Welcome(_)
            | FromTenant::Nodes(_)
            | FromTenant::Drain
            | FromTenant::Unknown => {}
        }
    }
}

fn answer(
    identity: &Identity,
    key: &EnvelopeKey,
    connection: Uuid,
    ask: &SignInRequest,
    lie: Lie,
    first: bool,
) -> Result<Answer, LabError> {
    let about = About {
        request: ask.request.into_bytes(),
        connection: connection.into_bytes(),
        agent: identity.agent.into_bytes(),
        serial: &identity.serial,
        tenant: identity.tenant.into_bytes(),
        domain_sid: &identity.domain_sid,
        object: ask.object.into_bytes(),
        sid: ask.sid.as_ref().map(Text::as_str),
        due: ask.due,
    };
    let encapsulated = ask.encapsulated.as_bytes().try_into().unwrap_or([0; 32]);
    let envelope = Envelope { encapsulated, sealed: ask.sealed.as_bytes().to_vec() };
    let (_, tags) = key.open(&about, &envelope).map_err(|why| failed("opening an envelope", why))?;
    let (request, said, tagged) = match lie {
        _ if first => (ask.request, DirectoryVerdict::Wrong, DirectoryVerdict::Wrong),
        Lie::Yes => (ask.request, DirectoryVerdict::Valid, DirectoryVerdict::Valid),
        Lie::YesWithTheTagOfANo => (ask.request, DirectoryVerdict::Valid, DirectoryVerdict::Wrong),
        Lie::YesForAnother => (Uuid::new_v4(), DirectoryVerdict::Valid, DirectoryVerdict::Valid),
    };
    let tag = Blob::new(tags.tag(&tagged.authenticated(request))).map_err(|why| failed("a tag", why))?;
    Ok(Answer { request, verdict: said, tag })
}
