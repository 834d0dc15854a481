//! Sends one request to the running tenant over its administration socket. Blocking, for the command line.
//! The other end: [`crate::listen`].

use crate::line::to_line;
use landbridge_tenant_core::administration::request::{
    AdminRequest, AdminResponse, MAX_REQUEST, MAX_RESPONSE,
};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// Limit on the wait for a response. The longest request is a sign-in that an agent verifies: ten seconds and a queue.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why there is no response, or one that is an error.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No tenant answers on the socket.
    #[error("the tenant is not running: {why}")]
    NotRunning {
        /// What the system reported.
        why: String,
    },
    /// This user may not use the socket.
    #[error("{}: you may not use the administration socket", socket.display())]
    NotAllowed {
        /// The socket.
        socket: PathBuf,
    },
    /// The tenant refused.
    #[error("{what}")]
    Refused {
        /// Why.
        what: String,
        /// What to do about it.
        todo: String,
    },
    /// The running tenant reports that its database fails.
    #[error("the tenant's database fails: {0}")]
    StorageFailed(String),
    /// A defect of either end.
    #[error("defect: {0}")]
    Defect(String),
}

/// Sends a request and returns the response. A refusal or failure of the tenant is returned as an error.
pub fn send_request(socket: &Path, request: &AdminRequest) -> Result<AdminResponse, CallError> {
    let mut stream = UnixStream::connect(socket).map_err(|e| unreachable(socket, &e))?;
    // 1. Write the request and read the response to its end.
    let exchange = |stream: &mut UnixStream| -> std::io::Result<Zeroizing<Vec<u8>>> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let line = to_line(request).map_err(|_| ErrorKind::InvalidInput)?;
        // A tenant that closes the socket early may have sent the reason before.
        let written = stream.write_all(&line).and_then(|()| stream.shutdown(Shutdown::Write));
        if let Err(e) = written
            && e.kind() != ErrorKind::BrokenPipe
        {
            return Err(e);
        }
        // A response with a secret fits into this.
        let mut response = Zeroizing::new(Vec::with_capacity(MAX_REQUEST));
        let limit = u64::try_from(MAX_RESPONSE).unwrap_or(u64::MAX);
        stream.take(limit).read_to_end(&mut response)?;
        Ok(response)
    };
    let response = exchange(&mut stream)
        .map_err(|e| CallError::NotRunning { why: format!("{}: {e}", socket.display()) })?;
    if response.is_empty() {
        return Err(CallError::NotRunning {
            why: format!("{}: the tenant closed the connection without a response", socket.display()),
        });
    }
    // 2. Decode it, and make errors of refusals and failures.
    let response = serde_json::from_slice(&response).map_err(|e| {
        let (line, column) = (e.line(), e.column());
        CallError::Defect(format!("the tenant's response is malformed at line {line}, column {column}"))
    })?;
    match response {
        AdminResponse::Refused { what, todo } => Err(CallError::Refused { what, todo }),
        AdminResponse::StorageFailed(what) => Err(CallError::StorageFailed(what)),
        AdminResponse::Unavailable(why) => {
            Err(CallError::Refused { what: why, todo: "try again in a few seconds".to_owned() })
        }
        AdminResponse::Defect(what) => Err(CallError::Defect(what)),
        response @ (AdminResponse::Done(_)
        | AdminResponse::Domains(_)
        | AdminResponse::Token(_)
        | AdminResponse::Agents(_)
        | AdminResponse::Credential(_)
        | AdminResponse::Apps(_)
        | AdminResponse::App(_)
        | AdminResponse::AppSettings(_)
        | AdminResponse::Users(_)
        | AdminResponse::Ambiguous(_)
        | AdminResponse::Blocked(_)
        | AdminResponse::Groups(_)
        | AdminResponse::Group(_)
        | AdminResponse::Sessions(_)
        | AdminResponse::Keys(_)
        | AdminResponse::Accepted(_)
        | AdminResponse::Suffixes(_)
        | AdminResponse::Moves(_)
        | AdminResponse::Confirm { .. }
        | AdminResponse::SignInRefused { .. }) => Ok(response),
    }
}

fn unreachable(socket: &Path, error: &std::io::Error) -> CallError {
    if error.kind() == ErrorKind::PermissionDenied {
        CallError::NotAllowed { socket: socket.to_owned() }
    } else {
        CallError::NotRunning { why: format!("no program listens on {} ({error})", socket.display()) }
    }
}
