//! A tenant of version 0.1, as far as a phs sees it: it is of level 1, knows no heartbeat, and ignores the header that
//! proves a process. It has a real tenant's keys and address, and stores nothing.

use super::error::{Doing as _, LabError, failed};
use super::lying_tenant::stolen_tls;
use super::tenant::RunningTenant;
use landbridge_agent::Identity;
use landbridge_tenant::config::Config;
use landbridge_wire::bounded::List;
use landbridge_wire::frame;
use landbridge_wire::problem::{Problem, ProblemCode};
use landbridge_wire::upload::Receipt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

/// The paths of all requests, in their order.
type Requests = Arc<Mutex<Vec<String>>>;

/// The fake, at the address of a tenant that was stopped. Ends when dropped.
#[derive(Debug)]
pub struct OldTenant {
    requests: Requests,
    _runtime: Runtime,
}

impl OldTenant {
    /// Takes the place of this tenant, which must be stopped and has enrolled the agent with this state directory.
    pub fn take_over(tenant: &RunningTenant, state: &Path) -> Result<Self, LabError> {
        let wrong = |why: &dyn std::fmt::Display| failed("an old tenant", why);
        let config = Config::load(&tenant.config()).map_err(|why| wrong(&why))?;
        let name = Identity::load(state).map_err(|why| wrong(&why))?.tenant;
        let acceptor = TlsAcceptor::from(Arc::new(stolen_tls(&config, name)?));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.doing("make a runtime")?;
        let listener =
            runtime.block_on(TcpListener::bind(config.listen)).doing("bind the tenant's address")?;
        let requests = Requests::default();
        let into = requests.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, into) = (acceptor.clone(), into.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let _ = serve(stream, &into).await;
                    }
                });
            }
        });
        Ok(Self { requests, _runtime: runtime })
    }

    /// How many requests for this path have come.
    pub fn requests(&self, path: &str) -> usize {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().filter(|known| *known == path).count()
    }
}

/// Answers a hello with the receipt of level 1, and every other request with the refusal of a path that is not there.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, requests: &Requests) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut path, mut length) = (None, 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let lower = line.trim().to_ascii_lowercase();
            match lower.strip_prefix("content-length:") {
                Some(value) => length = value.trim().parse().unwrap_or(0),
                None if path.is_none() => path = lower.split(' ').nth(1).map(str::to_owned),
                None if lower.is_empty() => break,
                None => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let Some(path) = path else { return Ok(()) };
        requests.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        let answer = if path == "/v1/upload/hello" {
            ("200 OK", frame::encode(&receipt()))
        } else {
            ("404 Not Found", frame::encode(&Problem::new(ProblemCode::NotFound, "there is no such path")))
        };
        let (status, Ok(bytes)) = answer else { return Ok(()) };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", bytes.len());
        stream.write_all(&[head.as_bytes(), &bytes].concat()).await?;
        stream.flush().await?;
    }
}

fn receipt() -> Receipt {
    Receipt {
        generation: Uuid::from_u128(1),
        acknowledged: None,
        acknowledged_before: None,
        level: 1,
        lacking: List::default(),
        reserving: None,
        ambiguous: None,
        nodes: List::default(),
        applied: 0,
        unchanged: 0,
        swept: 0,
        refused: List::default(),
    }
}
