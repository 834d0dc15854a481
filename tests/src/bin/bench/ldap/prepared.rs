//! A fake server that answers every search with the same bytes and looks at nothing: what client, TLS and machine cost by
//! themselves.

use super::client::{BIND_RESPONSE, ENTRY, MAX_MESSAGE, SEARCH_DONE, SEQUENCE, element, split};
use super::failed;
use landbridge_door_ldap::framing::message_length;
use landbridge_tests::lab::LabError;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// An outcome of success.
const SUCCESS: [u8; 7] = [0x0a, 1, 0, 4, 0, 4, 0];

/// Serves on a runtime as long as it lives. `folder` has the certificate that clients trust, `entry` is the content of the
/// one entry that every search finds. Returns the address.
pub(crate) async fn serve(folder: &Path, entry: Vec<u8>) -> Result<SocketAddr, LabError> {
    let certificate = CertificateDer::from_pem_file(folder.join("dc.pem"));
    let certificate = certificate.map_err(|why| failed("the certificate", &why))?;
    let key = PrivateKeyDer::from_pem_file(folder.join("dc.key")).map_err(|why| failed("the key", &why))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|why| failed("TLS", &why))?.with_no_client_auth();
    let config = config.with_single_cert(vec![certificate], key).map_err(|why| failed("TLS", &why))?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.map_err(|why| failed("an address", &why))?;
    let address = listener.local_addr().map_err(|why| failed("an address", &why))?;
    let entry = Arc::new(entry);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that has gone ends its connection alone.
            tokio::spawn(answer(acceptor.clone(), stream, entry.clone()));
        }
    });
    Ok(address)
}

async fn answer(acceptor: TlsAcceptor, stream: TcpStream, entry: Arc<Vec<u8>>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = acceptor.accept(stream).await?;
    let mut held = Vec::new();
    loop {
        // 1. A message: its number, and whether it is a bind.
        let prefix = held.get(..held.len().min(6)).unwrap_or_default();
        let length = message_length(prefix, MAX_MESSAGE).map_err(std::io::Error::other)?;
        let Some(message) = length.filter(|length| held.len() >= *length) else {
            if stream.read_buf(&mut held).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let message: Vec<u8> = held.drain(..message).collect();
        let parts = split(&message).and_then(|(_, content, _)| split(content));
        let (_, id, operation) = parts.ok_or_else(|| std::io::Error::other("it cannot be decoded"))?;
        // 2. Its answer.
        let id = element(0x02, &[id]);
        let answer = |operation: Vec<u8>| element(SEQUENCE, &[&id, &operation]);
        let bytes = if operation.first() == Some(&0x60) {
            answer(element(BIND_RESPONSE, &[&SUCCESS]))
        } else {
            [answer(element(ENTRY, &[&entry])), answer(element(SEARCH_DONE, &[&SUCCESS]))].concat()
        };
        stream.write_all(&bytes).await?;
        stream.flush().await?;
    }
}
