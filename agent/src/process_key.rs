//! The key of one process: made in memory when a program starts, never written, gone with the process. By it the tenant
//! notices that a copy of the agent's identity is in use elsewhere, since a copy of the disk does not have the key.
//! Neighbours: `http` and the pta-agent's connections send the proof; `landbridge_wire::process_proof` has its form.

use crate::error::AgentError;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use landbridge_wire::process_proof::{EXPORTER_LABEL, Exporter, ProcessProof, name_of, signed_bytes};
use rustls::ClientConnection;
use uuid::Uuid;

/// The key of this process. `Debug` shows its name alone.
pub struct ProcessKey {
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

impl std::fmt::Debug for ProcessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ProcessKey({})", self.name())
    }
}

impl ProcessKey {
    /// Makes a new key. The error is that of the system's source of randomness.
    pub fn generate() -> Result<Self, AgentError> {
        let failed = || AgentError::Key("the key of this process cannot be made".to_owned());
        let pair = Ed25519KeyPair::generate().map_err(|_| failed())?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| failed())?;
        Ok(Self { pair, public })
    }

    /// The name of this process, which its messages have as `instance`.
    pub fn name(&self) -> Uuid {
        name_of(&self.public)
    }

    /// The value of the header [`landbridge_wire::process_proof::HEADER`] for requests of this agent in this TLS
    /// session, whose handshake is complete.
    pub fn prove(&self, agent: Uuid, session: &ClientConnection) -> Result<String, AgentError> {
        let exporter = session.export_keying_material(Exporter::default(), EXPORTER_LABEL, None);
        let exporter = exporter.map_err(|error| AgentError::Key(format!("no keying material: {error}")))?;
        Ok(self.sign(agent, &exporter).to_text())
    }

    fn sign(&self, agent: Uuid, exporter: &Exporter) -> ProcessProof {
        let signature = self.pair.sign(&signed_bytes(agent, exporter));
        // An Ed25519 signature has 64 bytes.
        let signature = signature.as_ref().try_into().unwrap_or([0; 64]);
        ProcessProof { key: self.public, signature }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    #[test]
    fn each_process_has_a_name_of_its_own_that_follows_from_its_key() {
        let (one, other) = (ProcessKey::generate().unwrap(), ProcessKey::generate().unwrap());
        assert_ne!(one.name(), other.name());
        let proof = one.sign(Uuid::from_u128(1), &[7; 32]);
        assert_eq!(proof.process(), one.name());
        assert_eq!(format!("{one:?}"), format!("ProcessKey({})", one.name()));
    }

    #[test]
    fn a_proof_is_for_one_agent_and_one_session() {
        let key = ProcessKey::generate().unwrap();
        let (agent, exporter) = (Uuid::from_u128(1), [7; 32]);
        let proof = key.sign(agent, &exporter);
        let verify = |agent: Uuid, exporter: &Exporter| {
            let key = UnparsedPublicKey::new(&ED25519, proof.key);
            key.verify(&signed_bytes(agent, exporter), &proof.signature).is_ok()
        };
        assert!(verify(agent, &exporter));
        assert!(!verify(Uuid::from_u128(2), &exporter) && !verify(agent, &[8; 32]));
    }
}
