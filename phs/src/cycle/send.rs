//! The road to the tenant: hello, offer, upload. The only file besides `pull` that reaches a socket.
//!
//! Waits and tries again, for a bounded time, when nobody must act: connection lost, tenant restarting or at its
//! bound. Every question may come twice without harm.
//! Before it on the road: `rehash`. After it: the tenant.

use crate::error::PhsError;
use crate::stop::Stop;
use landbridge_agent::backoff::{Backoff, chance};
use landbridge_agent::http::Client;
use landbridge_wire::upload::{Hello, Offer, Receipt, Upload, Wanted};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::runtime::Handle;
use tracing::{instrument, warn};

/// What a cycle asks of the tenant.
pub trait UploadApi {
    /// What does the tenant hold?
    fn hello(&mut self, hello: &Hello) -> Result<Receipt, PhsError>;
    /// Which passwords does it lack?
    fn offer(&mut self, offer: &Offer) -> Result<Wanted, PhsError>;
    /// Takes a page.
    fn upload(&mut self, upload: &Upload) -> Result<Receipt, PhsError>;
}

/// The tenant, behind a connection.
pub struct Sender {
    client: Client,
    runtime: Handle,
    stop: Stop,
}

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A tenant that is not there at all is reported after about a second.
const HELLO_WAITS: u32 = 3;
/// A tenant that goes away in the middle of a cycle has about half a minute to come back.
const WAITS: u32 = 10;

impl Sender {
    /// Sends through `client`, whose IO runs on `runtime`.
    pub fn new(client: Client, runtime: Handle, stop: Stop) -> Self {
        Self { client, runtime, stop }
    }

    #[instrument(level = "debug", skip_all, fields(path))]
    fn ask<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        path: &str,
        question: &Q,
        waits: u32,
    ) -> Result<A, PhsError> {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT, waits);
        let (client, stop) = (&mut self.client, &self.stop);
        self.runtime.block_on(async {
            loop {
                let answer = tokio::select! {
                    answer = client.post(path, question) => answer,
                    () = stop.raised() => return Err(PhsError::Interrupted),
                };
                let error = match answer {
                    Ok(answer) => return Ok(answer),
                    Err(error) => error,
                };
                let wait =
                    if error.passes_by_itself() { backoff.wait(chance(), error.retry_after()) } else { None };
                let Some(wait) = wait else { return Err(error.into()) };
                warn!(%error, wait_ms = wait.as_millis(), "the tenant does not answer; trying again");
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = stop.raised() => return Err(PhsError::Interrupted),
                }
            }
        })
    }
}

impl UploadApi for Sender {
    fn hello(&mut self, hello: &Hello) -> Result<Receipt, PhsError> {
        self.ask("/v1/upload/hello", hello, HELLO_WAITS)
    }

    fn offer(&mut self, offer: &Offer) -> Result<Wanted, PhsError> {
        self.ask("/v1/upload/offer", offer, WAITS)
    }

    fn upload(&mut self, upload: &Upload) -> Result<Receipt, PhsError> {
        self.ask("/v1/upload", upload, WAITS)
    }
}
