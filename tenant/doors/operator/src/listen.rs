//! The administration socket of the running tenant: mode 0600 in a 0700 directory, for root and the user that the
//! tenant runs as.
//! After it: [`Administration::act`]. The other end: [`crate::call`].

use crate::line::to_line;
use crate::socket_user::operator;
use landbridge_tenant_core::administration::Administration;
use landbridge_tenant_core::administration::operator::Operator;
use landbridge_tenant_core::administration::request::{AdminRequest, AdminResponse, MAX_REQUEST};
use landbridge_tenant_core::clock::{stopped, unix_now};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use zeroize::Zeroizing;

/// Limit on open connections. Each is one command that an administrator runs.
const CONNECTIONS: usize = 16;
/// Limit on the time of the client to send its request, and again to read the response. Both ends are on one machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Binds the socket. Replaces one that remains of an earlier process: the caller holds the lock of the data
/// directory, so no other tenant uses it.
pub fn bind(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves until `stop` is set.
pub async fn run(listener: UnixListener, administration: Administration, mut stop: watch::Receiver<bool>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let permit = tokio::select! {
            () = stopped(&mut stop) => return,
            permit = permits.clone().acquire_owned() => permit,
        };
        let accepted = tokio::select! {
            () = stopped(&mut stop) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let administration = administration.clone();
                tokio::spawn(async move {
                    if let Err(error) = serve(stream, administration).await {
                        tracing::debug!(%error, "an administrator's connection ended early");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the administration socket cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn serve(mut stream: UnixStream, administration: Administration) -> std::io::Result<()> {
    let operator = operator(&stream)?;
    let uid = operator.user.uid;
    let allowed = uid == 0 || uid == rustix::process::geteuid().as_raw();
    // Many clients read the response only after they have sent the whole request. The request of another user is read
    // and discarded, for at most one second.
    let patience = if allowed { PATIENCE } else { Duration::from_secs(1) };
    let request = tokio::time::timeout(patience, read(&mut stream)).await;
    let response = match request {
        _ if !allowed => {
            tracing::warn!(uid, "an administration request of this uid was refused");
            administration.note_refused(&operator, unix_now());
            refused("only root and the user that the tenant runs as may administer it")
        }
        Ok(Ok(request)) => run_blocking(administration, operator, request).await,
        Ok(Err(response)) => response,
        Err(_) => refused("the request did not arrive in time"),
    };
    let line = to_line(&response).unwrap_or_default();
    tokio::time::timeout(PATIENCE, async {
        stream.write_all(&line).await?;
        stream.shutdown().await
    })
    .await
    .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}

async fn run_blocking(
    administration: Administration,
    operator: Operator,
    request: AdminRequest,
) -> AdminResponse {
    let done = tokio::task::spawn_blocking(move || administration.act(&operator, request, unix_now())).await;
    done.unwrap_or_else(|_| AdminResponse::Defect("the request was not carried out".to_owned()))
}

/// Reads one line of at most [`MAX_REQUEST`] bytes.
async fn read(stream: &mut UnixStream) -> Result<AdminRequest, AdminResponse> {
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_REQUEST + 1));
    let limit = u64::try_from(MAX_REQUEST).unwrap_or(u64::MAX).saturating_add(1);
    let read = stream.take(limit).read_to_end(&mut line).await;
    read.map_err(|_| refused("the request was cut"))?;
    if line.len() > MAX_REQUEST {
        return Err(refused("the request is too long"));
    }
    // serde_json's own text could repeat a password.
    serde_json::from_slice(&line).map_err(|e| {
        refused(&format!("the request is malformed at line {}, column {}", e.line(), e.column()))
    })
}

fn refused(what: &str) -> AdminResponse {
    AdminResponse::Refused { what: what.to_owned(), todo: String::new() }
}
