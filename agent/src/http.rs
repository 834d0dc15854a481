//! One question, one answer: frames over HTTPS to one tenant, on a connection that is kept.
//!
//! Everything is bounded: the time to connect, the time to answer, the body. It does not wait and try
//! again; who may do that, and how long, is the caller's to say (`phs::send`).
//! Neighbours: `tls` says whom to trust; `enroll` and `renew` ask through this.

use crate::dial::{Address, dial};
use crate::error::AgentError;
use crate::process_key::ProcessKey;
use crate::proxy::Proxy;
use crate::tls;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use landbridge_wire::frame::{self, FrameError, MAX_FRAME};
use landbridge_wire::problem::Problem;
use landbridge_wire::process_proof::HEADER;
use rustls::ClientConfig;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::{debug, instrument};
use uuid::Uuid;

const ANSWER: Duration = Duration::from_secs(60);

/// A client of one tenant.
pub struct Client {
    address: Address,
    proxy: Option<Proxy>,
    config: Arc<ClientConfig>,
    /// The process and the agent whose requests these are. None: no connection has a proof.
    process: Option<(Arc<ProcessKey>, Uuid)>,
    kept: Option<Kept>,
}

/// A connection, and the proof that it belongs to this process, which goes with each request.
struct Kept {
    sender: SendRequest<Full<Bytes>>,
    proof: Option<HeaderValue>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("authority", &self.address.authority).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the tenant at `url`; connects at the first question.
    pub fn new(url: &str, config: Arc<ClientConfig>) -> Result<Self, AgentError> {
        Self::through(url, config, None)
    }

    /// The same, through a proxy.
    pub fn through(url: &str, config: Arc<ClientConfig>, proxy: Option<Proxy>) -> Result<Self, AgentError> {
        let address = Address::parse(url)?;
        Ok(Self { address, proxy, config, process: None, kept: None })
    }

    /// Proves on each connection that it belongs to this process of the agent.
    #[must_use]
    pub fn proving(self, process: Arc<ProcessKey>, agent: Uuid) -> Self {
        Self { process: Some((process, agent)), kept: None, ..self }
    }

    /// Asks, and reads the answer. A kept connection that turns out dead is replaced once: every question
    /// may come twice without harm, but a one-time token, which goes over a new connection.
    #[instrument(skip_all, fields(path))]
    pub async fn post<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        path: &str,
        question: &Q,
    ) -> Result<A, AgentError> {
        let started = Instant::now();
        // The frame may be full of digests: its memory is wiped when the last holder lets go.
        let body = Bytes::from_owner(frame::encode(question)?);
        let length = body.len();
        let (status, answer) = self.exchange(path, body).await?;
        let milliseconds = started.elapsed().as_millis();
        debug!(
            path,
            status = status.as_u16(),
            sent = length,
            received = answer.len(),
            milliseconds,
            "answered"
        );
        let not_a_tenant =
            || AgentError::NotATenant { host: self.address.authority.clone(), status: status.as_u16() };
        if status == StatusCode::OK {
            return match frame::decode(&answer) {
                Err(FrameError::NotAFrame | FrameError::Truncated { .. }) => Err(not_a_tenant()),
                other => Ok(other?),
            };
        }
        match frame::decode::<Problem>(&answer) {
            Ok(problem) => Err(AgentError::Refused(problem)),
            Err(FrameError::Version(version)) => Err(FrameError::Version(version).into()),
            Err(
                FrameError::NotAFrame
                | FrameError::Truncated { .. }
                | FrameError::Trailing(_)
                | FrameError::TooLong(_)
                | FrameError::Malformed { .. },
            ) => Err(not_a_tenant()),
        }
    }

    async fn exchange(&mut self, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), AgentError> {
        if let Some(kept) = self.kept.take().filter(|kept| !kept.sender.is_closed()) {
            match self.ask(kept, path, body.clone()).await {
                Err(AgentError::Unreachable { why, .. }) => debug!(why, "the kept connection was dead"),
                other => return other,
            }
        }
        let fresh = self.connect().await?;
        self.ask(fresh, path, body).await
    }

    async fn ask(
        &mut self,
        mut connection: Kept,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), AgentError> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(HOST, &self.address.authority)
            .header(CONTENT_TYPE, "application/vnd.landbridge");
        if let Some(proof) = &connection.proof {
            request = request.header(HEADER, proof);
        }
        let request =
            request.body(Full::new(body)).map_err(|_| AgentError::Unfit("its path cannot be asked for"))?;
        let exchange = async {
            connection.sender.ready().await.map_err(|e| self.lost(&e))?;
            let answer = connection.sender.send_request(request).await.map_err(|e| self.lost(&e))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MAX_FRAME).collect().await.map_err(|e| {
                if e.is::<LengthLimitError>() {
                    AgentError::AnswerTooLong { host: self.address.authority.clone(), bound: MAX_FRAME }
                } else {
                    self.lost(e.as_ref())
                }
            })?;
            Ok::<_, AgentError>((status, body.to_bytes()))
        };
        let answer = tokio::time::timeout(ANSWER, exchange).await.map_err(|_| self.timeout(ANSWER))??;
        self.kept = Some(connection);
        Ok(answer)
    }

    async fn connect(&self) -> Result<Kept, AgentError> {
        let tls = dial(&self.address, self.config.clone(), self.proxy.as_ref()).await?;
        let proof = self.process.as_ref().map(|(key, agent)| key.prove(*agent, tls.get_ref().1));
        let proof = proof.transpose()?.and_then(|proof| HeaderValue::try_from(proof).ok());
        let (sender, connection) = http1::handshake(TokioIo::new(tls)).await.map_err(|e| self.lost(&e))?;
        // Ends with the connection; what went wrong reaches the question that was on its way.
        tokio::spawn(async move {
            if let Err(why) = connection.await {
                debug!(%why, "the connection to the tenant ended");
            }
        });
        Ok(Kept { sender, proof })
    }

    fn timeout(&self, limit: Duration) -> AgentError {
        AgentError::Timeout { host: self.address.authority.clone(), limit }
    }

    /// A connection that broke: by TLS or the network, if their error is among the causes.
    fn lost(&self, error: &(dyn std::error::Error + 'static)) -> AgentError {
        let mut cause = Some(error);
        let mut why = "the connection broke";
        while let Some(error) = cause {
            if let Some(io) = error.downcast_ref::<std::io::Error>() {
                return tls::explain_session(&self.address.authority, io);
            }
            if let Some(http) = error.downcast_ref::<hyper::Error>() {
                why = in_words(http);
            }
            cause = error.source();
        }
        AgentError::Unreachable { host: self.address.authority.clone(), why: why.to_owned() }
    }
}

/// What broke the exchange, in words.
fn in_words(error: &hyper::Error) -> &'static str {
    if error.is_parse() || error.is_parse_status() || error.is_parse_too_large() {
        "what answers does not speak HTTP as a tenant does"
    } else if error.is_incomplete_message() {
        "the connection was closed before the answer was complete"
    } else if error.is_timeout() {
        "no answer in time"
    } else {
        "the connection was closed"
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn client(url: &str) -> Result<Client, AgentError> {
        Client::new(url, tls::pinned([0; 32]).unwrap())
    }

    #[test]
    fn only_https_urls_of_a_host_are_taken() {
        for url in
            ["https://tenant.test", "https://tenant.test:8443/", "https://127.0.0.1:1", "https://[::1]:8443"]
        {
            client(url).unwrap();
        }
        for url in
            ["http://tenant.test", "tenant.test", "https://u@tenant.test", "https://tenant.test/path", ""]
        {
            assert!(matches!(client(url), Err(AgentError::Url(_))), "{url}");
        }
    }

    #[tokio::test]
    async fn a_tenant_that_is_not_there_is_unreachable_and_named() {
        // Bound and not listening: the port is no other program's, and refuses connections.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let free = socket.local_addr().unwrap().port();
        let mut client = client(&format!("https://127.0.0.1:{free}")).unwrap();
        let error = client.post::<_, ()>("/v1/enroll", &()).await.unwrap_err();
        assert!(matches!(error, AgentError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains(&free.to_string()) && error.passes_by_itself(), "{error}");
    }
}
