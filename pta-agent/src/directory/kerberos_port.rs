//! One request to a Kerberos port of a domain controller, and its reply: a TCP connection for each, and each message
//! with its length before it (RFC 4120 7.2.2). Nothing here is authenticated; the crate `kerberos` checks the reply.
//! Before it on the road: [`super::change_password`].

use super::config::ControllerConfig;
use landbridge_agent::connect;
use landbridge_host::system_error;
use landbridge_kerberos::limits::MAX_MESSAGE;
use std::io;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The port of the KDC. [`landbridge_kerberos::password_change::PORT`] is that of the service for passwords.
pub(super) const KDC: u16 = 88;
/// Limit on TCP with one address.
const CONNECT: Duration = Duration::from_secs(2);

/// The reason why there is no reply.
#[derive(Debug)]
pub(super) struct NoReply {
    /// Whether the request may have reached the domain controller.
    pub(super) sent: bool,
    /// The reason in words.
    pub(super) why: String,
}

/// A connection to this port of the domain controller, by `by`.
pub(super) async fn connect(
    controller: &ControllerConfig,
    port: u16,
    by: Instant,
) -> Result<TcpStream, NoReply> {
    let no = |why: String| NoReply { sent: false, why };
    let connecting = async {
        let addresses = match controller.address {
            Some(address) => vec![(address, port).into()],
            None => connect::addresses(&controller.name, port).await.map_err(|why| no(why.to_string()))?,
        };
        let attempt = |address| async move { connect::tcp(address, CONNECT).await };
        let connected = connect::first(&controller.name, addresses, attempt).await;
        connected
            .map(|(_, stream)| stream)
            .map_err(|all| no(format!("port {port}: {}", connect::summary(&all, system_error::words))))
    };
    match tokio::time::timeout_at(by.into(), connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(no(format!("port {port} was not reached in time"))),
    }
}

/// Sends a request to this port of the domain controller, and returns the reply that arrives by `by`.
pub(super) async fn exchange(
    controller: &ControllerConfig,
    port: u16,
    request: &[u8],
    by: Instant,
) -> Result<Vec<u8>, NoReply> {
    let mut stream = connect(controller, port, by).await?;
    let length = u32::try_from(request.len()).unwrap_or(u32::MAX).to_be_bytes();
    let talking = async {
        stream.write_all(&[&length[..], request].concat()).await?;
        let length = usize::try_from(stream.read_u32().await?).unwrap_or(usize::MAX);
        if length > MAX_MESSAGE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the reply is too long"));
        }
        let mut reply = vec![0; length];
        stream.read_exact(&mut reply).await?;
        Ok(reply)
    };
    let no = |why: String| NoReply { sent: true, why: format!("port {port}: {why}") };
    match tokio::time::timeout_at(by.into(), talking).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(why)) if why.kind() == io::ErrorKind::InvalidData => Err(no(why.to_string())),
        Ok(Err(why)) => Err(no(system_error::words(&why).to_string())),
        Err(_) => Err(no("no reply in time".to_owned())),
    }
}
