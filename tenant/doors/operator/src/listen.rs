//! The administration socket of the running tenant: 0600 in a 0700 directory, for root and our own uid.
//! After it: `admin::act`. The other end: `admin::call`.

use landbridge_tenant_core::administration::Administration;
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

/// So many administrators at once.
const CONNECTIONS: usize = 16;
/// A request must be there in so long, and its answer be taken in so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes the place of a socket that a dead tenant left behind; whoever calls holds the data directory's lock.
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

/// Serves until `stop` says true.
pub async fn run(listener: UnixListener, administration: Administration, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = tokio::select! {
            () = stopped(&mut stop) => return,
            place = places.clone().acquire_owned() => place,
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
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the administration socket cannot take a connection");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn serve(mut stream: UnixStream, administration: Administration) -> std::io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    let may = uid == 0 || uid == rustix::process::geteuid().as_raw();
    // A stranger's request is read too, so that the answer finds an ear, but not waited for.
    let patience = if may { PATIENCE } else { Duration::from_secs(1) };
    let asked = tokio::time::timeout(patience, read(&mut stream)).await;
    let answer = match asked {
        _ if !may => {
            tracing::warn!(uid, "an administration request of this uid was refused");
            refused("only root and the tenant's own user administer it")
        }
        Ok(Ok(request)) => run_blocking(administration, uid, request).await,
        Ok(Err(answer)) => answer,
        Err(_) => refused("the request did not come in time"),
    };
    let mut line = Zeroizing::new(serde_json::to_vec(&answer).unwrap_or_default());
    line.push(b'\n');
    tokio::time::timeout(PATIENCE, async {
        stream.write_all(&line).await?;
        stream.shutdown().await
    })
    .await
    .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}

async fn run_blocking(administration: Administration, uid: u32, request: AdminRequest) -> AdminResponse {
    let done = tokio::task::spawn_blocking(move || administration.act(uid, request, unix_now())).await;
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
