//! The proof that a connection belongs to one certain process of an agent: an HTTP header that the agent sends with its
//! requests. A tenant of version 0.1 ignores the header, and an agent of version 0.1 sends none.
//!
//! A process makes an Ed25519 key pair in memory when it starts. It signs the agent's id and keying material of its TLS
//! session (RFC 8446 section 7.5), so the proof holds for this connection and for no other. A copy of everything on
//! the agent's disk does not have the key.
//! Neighbours: `agent::process_key` signs; the tenant's core verifies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landbridge_crypto::fingerprint;
use uuid::Uuid;

/// The name of the HTTP header.
pub const HEADER: &str = "landbridge-process";
/// The label of the keying material that is signed. It is used for nothing else.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-landbridge-process-v1";
/// Bytes of that keying material. Both sides compute the same for one TLS session, and another for each other one.
pub type Exporter = [u8; 32];

/// What the signed bytes begin with, so that no other signature of the key could be taken for a proof.
const CONTEXT: &[u8] = b"landbridge process proof v1\0";
/// What the header's value begins with.
const VERSION: &str = "v1";

/// The content of the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessProof {
    /// The public key of the process: Ed25519, RFC 8032.
    pub key: [u8; 32],
    /// The signature over [`signed_bytes`].
    pub signature: [u8; 64],
}

impl ProcessProof {
    /// The header's value: `v1 <key> <signature>`, in base64. It has 136 characters.
    pub fn to_text(&self) -> String {
        format!("{VERSION} {} {}", STANDARD.encode(self.key), STANDARD.encode(self.signature))
    }

    /// Reads the header's value. None: it is not exactly what [`Self::to_text`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.strip_prefix(VERSION)?.strip_prefix(' ')?.split(' ');
        let proof = Self { key: bytes(words.next()?)?, signature: bytes(words.next()?)? };
        words.next().is_none().then_some(proof)
    }

    /// The name of the process, which its messages have as `instance`.
    pub fn process(&self) -> Uuid {
        name_of(&self.key)
    }
}

/// The name of the process with this public key: the first 16 bytes of the key's SHA-256.
pub fn name_of(key: &[u8; 32]) -> Uuid {
    Uuid::from_bytes(fingerprint::start_of_hash(key))
}

/// The bytes that a process of this agent signs on a connection with this keying material.
pub fn signed_bytes(agent: Uuid, exporter: &Exporter) -> Vec<u8> {
    [CONTEXT, agent.as_bytes(), exporter].concat()
}

/// Reads base64 of exactly `N` bytes.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    // The longest is a signature of 88 characters: a longer text is not decoded.
    if text.len() != N.div_ceil(3) * 4 {
        return None;
    }
    STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn proof() -> ProcessProof {
        ProcessProof { key: [7; 32], signature: [9; 64] }
    }

    #[test]
    fn the_header_stands_as_in_version_1() {
        let key = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
        let text = format!("v1 {key} {}CQ==", "CQkJ".repeat(21));
        assert_eq!(proof().to_text(), text);
        assert_eq!(text.len(), 136);
        assert_eq!(ProcessProof::parse(&text), Some(proof()));
        let signed = signed_bytes(Uuid::from_u128(1), &[5; 32]);
        let wanted = [b"landbridge process proof v1\0".as_slice(), &[0; 15], &[1], &[5; 32]].concat();
        assert_eq!(signed, wanted);
    }

    /// The SHA-256 of 32 zero bytes begins so.
    #[test]
    fn a_process_is_named_by_the_hash_of_its_key() {
        assert_eq!(name_of(&[0; 32]).simple().to_string(), "66687aadf862bd776c8fc18b8e9f8e20");
        assert_eq!(proof().process(), name_of(&[7; 32]));
    }

    #[test]
    fn anything_else_is_no_proof() {
        let text = proof().to_text();
        let (key, signature) = text.strip_prefix("v1 ").unwrap().split_once(' ').unwrap();
        for wrong in [
            String::new(),
            "v1".to_owned(),
            format!("v1 {key}"),
            format!("v1 {key} "),
            format!("v1 {signature} {key}"),
            format!("{text} "),
            format!(" {text}"),
            format!("{text} more"),
            format!("v1  {key} {signature}"),
            format!("v2 {key} {signature}"),
            format!("V1 {key} {signature}"),
            text.replace('=', ""),
            text.replace("BwcH", "Bw-H"),
            text.replace(' ', "\t"),
            format!("v1 {} {signature}", "A".repeat(10_000)),
        ] {
            assert_eq!(ProcessProof::parse(&wrong), None, "{wrong}");
        }
    }
}
