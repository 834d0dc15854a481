//! What agents ask: an identity, the next certificate, to upload. Frames in, frames out.
//! Who may is decided before a byte of the body is read. After it on the road: `enroll` and `ingest`.

use super::{Answer, BodyTrouble, body, framed, problem};
use crate::accept::Peer;
use crate::admit::{Wish, admit};
use crate::clock::unix_now;
use crate::enroll::{self, EnrollError};
use crate::ingest;
use crate::serve::Tenant;
use hyper::Request;
use hyper::body::Incoming;
use landbridge_tenant_rules::model::Agent;
use landbridge_tenant_rules::model::Writer;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::agents::seen;
use landbridge_wire::enroll::{EnrollRequest, RenewRequest};
use landbridge_wire::frame::{self, FrameError, MAX_FRAME};
use landbridge_wire::problem::{Problem, ProblemCode};
use landbridge_wire::upload::{Hello, Offer, Upload};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tokio::task::spawn_blocking;
use uuid::Uuid;

/// The most bytes of a message that is not an upload.
const MAX_SMALL: usize = 32 * 1024;
/// A retry after the database failed makes sense after so many seconds.
const STORAGE_RETRY: u32 = 30;

/// `POST /v1/enroll`.
pub(super) async fn enroll(tenant: Arc<Tenant>, incoming: &mut Incoming) -> Answer {
    let outcome = async {
        let request: EnrollRequest = read(&tenant, incoming, MAX_SMALL).await?;
        blocking(&tenant, move |tenant| {
            enroll::enroll(&tenant.store, &tenant.authority, &request, unix_now())
                .map_err(|e| told(tenant, e))
        })
        .await
    };
    let outcome = outcome.await;
    tenant.metrics.count(&tenant.metrics.enrollments, outcome.as_ref().err());
    match &outcome {
        Ok(made) => {
            tracing::info!(agent = %made.agent, domain = %made.domain, approved = made.approved, "enrolled")
        }
        Err(refusal) => tracing::warn!(code = %refusal.code, "an enrolment was refused"),
    }
    answered(&outcome)
}

/// `POST /v1/renew`.
pub(super) async fn renew(tenant: Arc<Tenant>, peer: &Arc<Peer>, incoming: &mut Incoming) -> Answer {
    let outcome = async {
        let agent = admitted(&tenant, peer, Wish::Renewal).await?;
        let request: RenewRequest = read(&tenant, incoming, MAX_SMALL).await?;
        let id = agent.id;
        let serial = peer.shown.as_ref().map(|shown| shown.serial.clone()).unwrap_or_default();
        let made = blocking(&tenant, move |tenant| {
            enroll::renew(&tenant.store, &tenant.authority, &agent, &serial, &request, unix_now())
                .map_err(|e| told(tenant, e))
        })
        .await?;
        tracing::info!(agent = %id, "certificate renewed");
        Ok(made)
    };
    let outcome = outcome.await;
    tenant.metrics.count(&tenant.metrics.renewals, outcome.as_ref().err());
    answered(&outcome)
}

/// `GET /v1/agent`: the connection becomes a WebSocket, or the agent is told why not.
pub(super) async fn attend(tenant: Arc<Tenant>, peer: &Arc<Peer>, request: Request<Incoming>) -> Answer {
    let outcome = match admitted(&tenant, peer, Wish::SignIn).await {
        Ok(agent) => crate::attend::welcome(&tenant.attend, peer, &agent, request, unix_now()),
        Err(refusal) => Err(refusal),
    };
    outcome.unwrap_or_else(|refusal| {
        let agent = peer.shown.as_ref().map(|shown| shown.name.agent);
        tracing::warn!(?agent, code = %refusal.code, detail = %refusal.detail, "an agent's connection was refused");
        problem(&refusal)
    })
}

/// `POST /v1/upload/hello`.
pub(super) async fn hello(tenant: Arc<Tenant>, peer: &Arc<Peer>, incoming: &mut Incoming) -> Answer {
    uploading(tenant, peer, incoming, MAX_SMALL, |tenant, writer, hello: Hello, now| {
        // `check` says hello without a name: it writes nothing, and may run beside a cycle.
        if !hello.instance.is_nil() {
            one_process(tenant, writer, hello.instance)?;
        }
        let receipt = ingest::hello(&tenant.store, writer, &hello, now)?;
        // For the administrator's list alone, so a failure does not stop the cycle.
        if let Err(error) = tenant.store.write(|tx| seen(tx, writer.agent, hello.instance, now)) {
            tracing::warn!(%error, "an agent's visit could not be noted");
        }
        Ok(receipt)
    })
    .await
}

/// `POST /v1/upload/offer`.
pub(super) async fn offer(tenant: Arc<Tenant>, peer: &Arc<Peer>, incoming: &mut Incoming) -> Answer {
    let ask = |tenant: &Tenant, writer: &Writer, offer: Offer, now| {
        one_process(tenant, writer, offer.instance)?;
        ingest::offer(&tenant.store, writer, &offer, now)
    };
    uploading(tenant, peer, incoming, MAX_FRAME, ask).await
}

/// `POST /v1/upload`.
pub(super) async fn upload(tenant: Arc<Tenant>, peer: &Arc<Peer>, incoming: &mut Incoming) -> Answer {
    let take = |tenant: &Tenant, writer: &Writer, upload: Upload, now| {
        one_process(tenant, writer, upload.instance)?;
        ingest::upload(&tenant.store, writer, &upload, now)
    };
    uploading(tenant, peer, incoming, MAX_FRAME, take).await
}

/// One identity is one process: the same rule for whoever uploads as for whoever answers sign-ins.
fn one_process(tenant: &Tenant, writer: &Writer, instance: Uuid) -> Result<(), Problem> {
    if tenant.attend.is_one_process(writer.agent, instance) {
        return Ok(());
    }
    let what = "the agent's identity is used by two processes at once: it is in quarantine until an administrator has \
                looked into it and runs `landbridge-tenant agents approve`";
    Err(Problem::new(ProblemCode::AgentNotApproved, what))
}

async fn uploading<M, R>(
    tenant: Arc<Tenant>,
    peer: &Arc<Peer>,
    incoming: &mut Incoming,
    max: usize,
    take: fn(&Tenant, &Writer, M, i64) -> Result<R, Problem>,
) -> Answer
where
    M: DeserializeOwned + Send + 'static,
    R: Serialize + Send + 'static,
{
    let outcome = async {
        let agent = admitted(&tenant, peer, Wish::Upload).await?;
        // A few bodies in memory at a time, however many agents there are.
        let _place = tenant.uploads.acquire().await.map_err(|_| overloaded())?;
        let message: M = read(&tenant, incoming, max).await?;
        let writer = Writer { agent: agent.id, domain: agent.domain };
        blocking(&tenant, move |tenant| take(tenant, &writer, message, unix_now())).await
    };
    let outcome = outcome.await;
    tenant.metrics.count(&tenant.metrics.uploads, outcome.as_ref().err());
    if let Err(refusal) = &outcome {
        let agent = peer.shown.as_ref().map(|shown| shown.name.agent);
        tracing::warn!(?agent, code = %refusal.code, detail = %refusal.detail, "an upload was refused");
    }
    answered(&outcome)
}

/// The agent behind the connection, as the database has it now.
async fn admitted(tenant: &Arc<Tenant>, peer: &Arc<Peer>, wish: Wish) -> Result<Agent, Problem> {
    let peer = peer.clone();
    blocking(tenant, move |tenant| {
        let id = tenant.authority.tenant();
        let admitted = tenant.store.read(|conn| admit(conn, id, peer.shown.as_ref(), wish, unix_now()));
        admitted.map_err(|e| storage_failed(tenant, &e))?
    })
    .await
}

async fn read<M: DeserializeOwned>(
    tenant: &Tenant,
    incoming: &mut Incoming,
    max: usize,
) -> Result<M, Problem> {
    let bytes = body(incoming, max, tenant.limits.body).await.map_err(|trouble| match trouble {
        BodyTrouble::TooLarge => {
            Problem::new(ProblemCode::TooLarge, &format!("this path takes {max} bytes at most"))
        }
        BodyTrouble::Slow => Problem::new(ProblemCode::Malformed, "the body did not come in time"),
        BodyTrouble::Broken => Problem::new(ProblemCode::Malformed, "the body was cut"),
    })?;
    frame::decode(&bytes).map_err(|error| {
        let code = match error {
            FrameError::Version(_) => ProblemCode::UnsupportedVersion,
            FrameError::TooLong(_) => ProblemCode::TooLarge,
            FrameError::Truncated { .. }
            | FrameError::Trailing(_)
            | FrameError::NotAFrame
            | FrameError::Malformed { .. } => ProblemCode::Malformed,
        };
        Problem::new(code, &error.to_string())
    })
}

async fn blocking<R: Send + 'static>(
    tenant: &Arc<Tenant>,
    work: impl FnOnce(&Tenant) -> Result<R, Problem> + Send + 'static,
) -> Result<R, Problem> {
    let tenant = tenant.clone();
    let done = spawn_blocking(move || work(&tenant)).await;
    done.unwrap_or_else(|_| Err(Problem::new(ProblemCode::Internal, "the tenant failed; its log says more")))
}

fn answered<R: Serialize>(outcome: &Result<R, Problem>) -> Answer {
    match outcome {
        Ok(message) => framed(message),
        Err(refusal) => problem(refusal),
    }
}

fn told(tenant: &Tenant, error: EnrollError) -> Problem {
    match error {
        EnrollError::Refused(problem) => problem,
        EnrollError::Store(error) => storage_failed(tenant, &error),
    }
}

/// What the operator reads in the log is not for the agent.
fn storage_failed(tenant: &Tenant, error: &StoreError) -> Problem {
    tracing::error!(%error, "the database failed");
    tenant.metrics.storage_errors.inc();
    let detail = "the tenant's database or disk fails; its administrator finds the reason in its log";
    Problem { retry_after_seconds: Some(STORAGE_RETRY), ..Problem::new(ProblemCode::StorageFailed, detail) }
}

fn overloaded() -> Problem {
    Problem {
        retry_after_seconds: Some(1),
        ..Problem::new(ProblemCode::Overloaded, "the tenant is stopping")
    }
}
