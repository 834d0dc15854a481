//! The process at the other end of an agent's connection, which proves a key that it has in memory alone. A copy of
//! the agent's disk does not have the key, so it is another process, and two processes of one agent are an alarm.
//! Before it: [`super::admission`], which knows the agent by its certificate. After it: the relay notes the process of
//! each message (`tenant-rules`, `instances`).

use crate::agents::admission::Purpose;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use landbridge_tenant_rules::model::Agent;
use landbridge_wire::problem::{Problem, ProblemCode};
use landbridge_wire::process_proof::{Exporter, ProcessProof, signed_bytes};
use std::sync::OnceLock;
use uuid::Uuid;

/// What is known of the process at the other end of one connection.
pub struct PeerProcess {
    exporter: Option<Exporter>,
    proven: OnceLock<Uuid>,
}

impl std::fmt::Debug for PeerProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PeerProcess").field("proven", &self.proven).finish_non_exhaustive()
    }
}

impl PeerProcess {
    /// The process of a new connection with this keying material. None: its TLS is older than 1.3, so that nothing can
    /// be bound to it.
    pub fn new(exporter: Option<Exporter>) -> Self {
        Self { exporter, proven: OnceLock::new() }
    }

    /// Whether the connection is of TLS 1.3. The agents' door refuses others.
    pub fn is_tls_13(&self) -> bool {
        self.exporter.is_some()
    }

    /// The name of the process that this connection of an agent belongs to, by the header of a request. The first
    /// header that holds decides; later ones are not read. None: no request had a header so far.
    pub(super) fn prove(&self, agent: Uuid, header: Option<&str>) -> Result<Option<Uuid>, Problem> {
        if let Some(name) = self.proven.get() {
            return Ok(Some(*name));
        }
        let Some(header) = header else { return Ok(None) };
        let holds = |proof: &ProcessProof| {
            self.exporter.as_ref().is_some_and(|exporter| {
                let key = UnparsedPublicKey::new(&ED25519, proof.key);
                key.verify(&signed_bytes(agent, exporter), &proof.signature).is_ok()
            })
        };
        let proof = ProcessProof::parse(header).filter(holds).ok_or_else(|| {
            let what = "the proof of the agent's process does not hold for this connection: something on the way ends \
                        TLS, or the proof was copied from another connection";
            Problem::new(ProblemCode::ProcessNotProven, what)
        })?;
        Ok(Some(*self.proven.get_or_init(|| proof.process())))
    }
}

/// Refuses a request for which the agent's process must be proven and is not. A hello is admitted without a proof,
/// because `check` sends one that names no process.
pub(super) fn require_proof(agent: &Agent, proven: Option<Uuid>, purpose: Purpose) -> Result<(), Problem> {
    match (proven, purpose) {
        (Some(_), _) | (None, Purpose::Hello) => Ok(()),
        (None, Purpose::Renewal) if agent.proved_at.is_none() => {
            let what = "this agent does not prove its process, so its certificate is not renewed: upgrade the agent. It \
                        works until its certificate ends, and an upgraded agent renews it for 30 days longer";
            Err(Problem::new(ProblemCode::UnsupportedVersion, what))
        }
        (None, Purpose::Upload | Purpose::SignIn) if agent.proved_at.is_none() => Ok(()),
        (None, Purpose::Upload | Purpose::SignIn | Purpose::Renewal) => Err(without_proof()),
    }
}

/// Refuses a message that names another process than its connection has proved, or names one without a proof although
/// the agent has proved one before.
pub(super) fn require_name(agent: &Agent, proven: Option<Uuid>, instance: Uuid) -> Result<(), Problem> {
    match proven {
        Some(name) if name == instance => Ok(()),
        Some(_) => {
            let what = "the message names another process than the one that its connection has proved";
            Err(Problem::new(ProblemCode::ProcessNotProven, what))
        }
        None if agent.proved_at.is_none() => Ok(()),
        None => Err(without_proof()),
    }
}

/// Agents of version 0.1 receive this too, so its code is one that they know.
fn without_proof() -> Problem {
    let what = "this agent has proved a process before, and this connection proves none: run the present version of the \
                agent. If version 0.1 must run, enrol it again. If it was not you, the identity was copied: revoke it";
    Problem::new(ProblemCode::UnsupportedVersion, what)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::agents::process::*;
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

    const AGENT: Uuid = Uuid::from_u128(1);
    const EXPORTER: Exporter = [7; 32];

    fn proof(pair: &Ed25519KeyPair, agent: Uuid, exporter: &Exporter) -> ProcessProof {
        let signature = pair.sign(&signed_bytes(agent, exporter));
        ProcessProof {
            key: pair.public_key().as_ref().try_into().unwrap(),
            signature: signature.as_ref().try_into().unwrap(),
        }
    }

    fn code(outcome: Result<Option<Uuid>, Problem>) -> ProblemCode {
        outcome.unwrap_err().code
    }

    #[test]
    fn a_connection_belongs_to_the_process_of_its_first_proof() {
        let (pair, other) = (Ed25519KeyPair::generate().unwrap(), Ed25519KeyPair::generate().unwrap());
        let peer = PeerProcess::new(Some(EXPORTER));
        assert_eq!(peer.prove(AGENT, None), Ok(None));
        let good = proof(&pair, AGENT, &EXPORTER);
        assert_eq!(peer.prove(AGENT, Some(&good.to_text())), Ok(Some(good.process())));
        assert_eq!(peer.prove(AGENT, None), Ok(Some(good.process())));
        let later = proof(&other, AGENT, &EXPORTER).to_text();
        assert_eq!(peer.prove(AGENT, Some(&later)), Ok(Some(good.process())));
    }

    #[test]
    fn a_proof_of_another_connection_agent_or_key_is_refused() {
        let (pair, other) = (Ed25519KeyPair::generate().unwrap(), Ed25519KeyPair::generate().unwrap());
        let good = proof(&pair, AGENT, &EXPORTER);
        let mixed = ProcessProof { signature: proof(&other, AGENT, &EXPORTER).signature, ..good.clone() };
        for wrong in [
            proof(&pair, AGENT, &[8; 32]).to_text(),
            proof(&pair, Uuid::from_u128(2), &EXPORTER).to_text(),
            mixed.to_text(),
            ProcessProof { key: [0; 32], signature: [0; 64] }.to_text(),
            good.to_text().to_lowercase(),
            String::new(),
        ] {
            let peer = PeerProcess::new(Some(EXPORTER));
            assert_eq!(code(peer.prove(AGENT, Some(&wrong))), ProblemCode::ProcessNotProven, "{wrong}");
            assert_eq!(peer.prove(AGENT, None), Ok(None), "and the connection has proved nothing");
        }
        let unbound = PeerProcess::new(None);
        assert_eq!(code(unbound.prove(AGENT, Some(&good.to_text()))), ProblemCode::ProcessNotProven);
    }
}
