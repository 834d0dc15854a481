//! The way to the tenant: hello, offer, upload. Besides `read/`, the only file of phs that opens a connection.
//!
//! A request is repeated for a limited time when nobody has to act: the connection was lost, the tenant restarts or
//! is at a limit. A tenant of several nodes receives it at one node after the other, the last that worked first. Every
//! request may arrive twice without harm.
//! Before it on the road: `rehash`. After it: the tenant.

use crate::error::PhsError;
use crate::stop::Stop;
use landbridge_agent::NodeClient;
use landbridge_agent::backoff::{Backoff, chance};
use landbridge_agent::failover::{Failover, NextAttempt};
use landbridge_wire::nodes::texts;
use landbridge_wire::upload::{Hello, Offer, Receipt, Upload, Wanted};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tracing::{instrument, warn};

/// The requests of a cycle to the tenant. The tests implement it in memory.
pub trait UploadApi {
    /// Opens a cycle; the receipt says which cursors the tenant has acknowledged.
    fn hello(&mut self, hello: &Hello) -> Result<Receipt, PhsError>;
    /// Offers passwords by their stamps; returns the objects whose password the tenant lacks.
    fn offer(&mut self, offer: &Offer) -> Result<Wanted, PhsError>;
    /// Sends records and links; the receipt says what the tenant stored.
    fn upload(&mut self, upload: &Upload) -> Result<Receipt, PhsError>;
}

/// The tenant over HTTPS.
pub struct Sender {
    client: NodeClient,
    runtime: Handle,
    stop: Stop,
}

/// The first wait before a repetition,
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// doubled each time up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Repetitions of a hello: an absent tenant is reported after about a second.
const HELLO_WAITS: u32 = 3;
/// Repetitions within a cycle: a tenant that restarts has about half a minute to come back.
const WAITS: u32 = 10;

impl Sender {
    /// Sends through `client`, whose IO runs on `runtime`.
    pub fn new(client: NodeClient, runtime: Handle, stop: Stop) -> Self {
        Self { client, runtime, stop }
    }

    #[instrument(level = "debug", skip_all, fields(path))]
    fn post<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        path: &str,
        request: &Q,
        waits: u32,
    ) -> Result<A, PhsError> {
        let backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT, waits);
        let mut failover = Failover::new(backoff, self.client.nodes().all().len());
        let (client, stop) = (&mut self.client, &self.stop);
        self.runtime.block_on(async {
            loop {
                let response = tokio::select! {
                    response = client.post(path, request) => response,
                    () = stop.raised() => return Err(PhsError::Interrupted),
                };
                let error = match response {
                    Ok(response) => return Ok(response),
                    Err(error) => error,
                };
                let wait = match failover.after(&error, chance(), Instant::now()) {
                    NextAttempt::GiveUp => return Err(error.into()),
                    NextAttempt::Same(wait) => wait,
                    NextAttempt::Other(wait) => {
                        client.leave();
                        wait
                    }
                };
                let next = client.nodes().present();
                warn!(%error, next, wait_ms = wait.as_millis(), "the tenant does not answer; trying again");
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
        let receipt: Receipt = self.post("/v1/upload/hello", hello, HELLO_WAITS)?;
        self.client.nodes().learn(texts(&receipt.nodes));
        Ok(receipt)
    }

    fn offer(&mut self, offer: &Offer) -> Result<Wanted, PhsError> {
        self.post("/v1/upload/offer", offer, WAITS)
    }

    fn upload(&mut self, upload: &Upload) -> Result<Receipt, PhsError> {
        self.post("/v1/upload", upload, WAITS)
    }
}
