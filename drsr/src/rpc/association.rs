//! One connection to one interface: bind, authenticate, call. Decides what may come when, and makes the
//! checks that the security packages leave to their caller: call id, context id, flags, order of fragments,
//! the trailer, the bounds.
//! Before it: `machine`, `pdu`, `security`. After it: `epm` and `drs`, by way of `replica`.

use crate::error::Error;
use crate::rpc::machine::CallerIo;
use crate::rpc::pdu::{
    self, Auth, BindAck, Call, FIRST, HEADER_SIGN, Head, LAST, NDR, Pdu, Response, Syntax, Token,
};
use crate::rpc::security::{KERBEROS, Security};

/// The most bytes of one answer: 1000 objects with all that is asked for are a tenth of it.
pub const MAX_ANSWER: usize = 32 << 20;
/// Stubs are padded to this (MS-RPCE 2.2.2.11).
const PAD: usize = 16;
/// Which security context of the connection: it has one.
const SECURITY_CONTEXT: u32 = 1;

/// What is called, for the texts of errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) number: u16,
}

/// A bound interface.
pub(crate) struct Association {
    io: CallerIo,
    security: Option<Security>,
    call_id: u32,
    max_send: usize,
}

impl Association {
    /// Binds over the line's present connection.
    pub(crate) async fn bind(
        io: &CallerIo,
        interface: Syntax,
        mut security: Option<Security>,
    ) -> Result<Self, Error> {
        let call_id = 1;
        let leg = match &mut security {
            Some(security) => Some(security.step(io, &[]).await?),
            None => None,
        };
        let token = |bytes| Token { kind: KERBEROS, context_id: SECURITY_CONTEXT, bytes };
        io.send(pdu::bind(call_id, interface, leg.as_ref().map(|leg| token(&leg.token)))).await?;

        let bytes = receive(io).await?;
        let (head, answer) = Pdu::parse(&bytes)?;
        let ack = bind_ack(head, answer, call_id, leg.is_some())?;
        let max_send = ack.max_receive.min(pdu::MAX_FRAGMENT);
        if let Some(security) = &mut security {
            let auth = ack.auth.ok_or_else(|| broken("a bind_ack without a security token"))?;
            check_trailer(&auth)?;
            let leg = security.step(io, auth.token).await?;
            if !leg.done {
                return Err(broken("an authentication of too many legs"));
            }
            io.send(pdu::auth3(call_id, token(&leg.token))).await?;
        }
        Ok(Self { io: io.clone(), security, call_id, max_send })
    }

    /// What protects it.
    pub(crate) fn security(&self) -> Option<&Security> {
        self.security.as_ref()
    }

    /// Calls, and gives the answer's stub.
    pub(crate) async fn call(&mut self, operation: Operation, stub: &[u8]) -> Result<Vec<u8>, Error> {
        self.call_id += 1;
        self.send(operation, stub).await?;
        let mut answer = Vec::new();
        loop {
            let bytes = receive(&self.io).await?;
            let (head, pdu) = Pdu::parse(&bytes)?;
            let last = head.flags & LAST != 0;
            let response = self.response(operation, head, pdu, answer.is_empty())?;
            let part = self.open(response)?;
            if answer.len() + part.len() > MAX_ANSWER {
                return Err(Error::TooLarge("an answer in fragments"));
            }
            if part.is_empty() && !last {
                return Err(broken("an empty fragment"));
            }
            answer.extend_from_slice(&part);
            if last {
                return Ok(answer);
            }
        }
    }

    async fn send(&mut self, operation: Operation, stub: &[u8]) -> Result<(), Error> {
        let token_length = self.security.as_ref().map(Security::token_length).transpose()?;
        let protection = token_length.map_or(0, |length| pdu::TRAILER + length);
        let room = (self.max_send - pdu::CALL_HEAD - protection) / PAD * PAD;
        let call = Call { id: self.call_id, operation: operation.number };
        let mut rest = stub;
        loop {
            let (part, left) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            let first = if rest.len() == stub.len() { FIRST } else { 0 };
            let flags = first | if left.is_empty() { LAST } else { 0 };
            let mut body = part.to_vec();
            let fragment = if let Some(security) = &mut self.security {
                body.resize(body.len().next_multiple_of(PAD), 0);
                let padding = u8::try_from(body.len() - part.len()).unwrap_or(0);
                let token_length = security.token_length()?;
                let length = pdu::CALL_HEAD + body.len() + pdu::TRAILER + token_length;
                let head = pdu::request_head(call, flags, length, token_length, rest.len());
                let token = Token { kind: KERBEROS, context_id: SECURITY_CONTEXT, bytes: &[] };
                let trailer = token.trailer(padding);
                let token = security.seal(&head, &mut body, &trailer)?;
                [&head[..], &body, &trailer, &token].concat()
            } else {
                [pdu::request_head(call, flags, pdu::CALL_HEAD + body.len(), 0, rest.len()), body].concat()
            };
            self.io.send(fragment).await?;
            if left.is_empty() {
                return Ok(());
            }
            rest = left;
        }
    }

    fn response<'a>(
        &self,
        operation: Operation,
        head: Head,
        pdu: Pdu<'a>,
        first: bool,
    ) -> Result<Response<'a>, Error> {
        if head.call_id != self.call_id {
            return Err(broken("an answer to another call"));
        }
        let response = match pdu {
            Pdu::Response(response) => response,
            Pdu::Fault { status } => return Err(Error::Fault { operation: operation.name, status }),
            Pdu::BindAck(_) | Pdu::BindNak { .. } => return Err(broken("a bind's answer to a call")),
        };
        if head.flags & !(FIRST | LAST) != 0 {
            return Err(broken("an answer with unexpected flags"));
        }
        if (head.flags & FIRST != 0) != first {
            return Err(broken("fragments out of order"));
        }
        if response.context_id != 0 {
            return Err(broken("an answer in another context"));
        }
        if usize::try_from(response.alloc_hint).unwrap_or(usize::MAX) > MAX_ANSWER {
            return Err(Error::TooLarge("an answer that was announced"));
        }
        Ok(response)
    }

    fn open(&mut self, response: Response<'_>) -> Result<Vec<u8>, Error> {
        let Some(security) = &mut self.security else {
            return match response.auth {
                None => Ok(response.body.to_vec()),
                Some(_) => Err(broken("a protected answer to an unprotected call")),
            };
        };
        let auth = response.auth.ok_or_else(|| broken("an unprotected answer"))?;
        check_trailer(&auth)?;
        let mut opened = security.open(response.head, response.body, auth.trailer, auth.token)?;
        let length = opened.len().checked_sub(auth.padding).filter(|_| auth.padding < PAD);
        opened.truncate(length.ok_or_else(|| broken("more padding than there can be"))?);
        Ok(std::mem::take(&mut *opened))
    }
}

/// One fragment; its header says how long it is, and is bounded. Instead of an answer a server may ask the client to
/// hang up: unprotected, and in no call. An attacker on the way can send that too, and could cut the connection as well.
async fn receive(io: &CallerIo) -> Result<Vec<u8>, Error> {
    let mut bytes = io.receive(pdu::HEAD).await?;
    let head = Head::parse(&bytes)?;
    if head.kind == pdu::SHUTDOWN {
        return Err(Error::ShutDown);
    }
    let length = head.length;
    if length > pdu::HEAD {
        bytes.extend(io.receive(length - pdu::HEAD).await?);
    }
    Ok(bytes)
}

fn bind_ack(head: Head, answer: Pdu<'_>, call_id: u32, protected: bool) -> Result<BindAck<'_>, Error> {
    if head.call_id != call_id {
        return Err(broken("an answer to another call"));
    }
    let ack = match answer {
        Pdu::BindAck(ack) => ack,
        Pdu::BindNak { reason } => return Err(not_bound(reason)),
        Pdu::Fault { status } => return Err(Error::Fault { operation: "bind", status }),
        Pdu::Response(_) => return Err(broken("a response to a bind")),
    };
    if head.flags & (FIRST | LAST) != FIRST | LAST {
        return Err(broken("a bind_ack in fragments"));
    }
    if protected && head.flags & HEADER_SIGN == 0 {
        return Err(Error::Unfit {
            why: "it does not sign headers, or somebody on the way took that out".to_owned(),
        });
    }
    if ack.max_receive < pdu::MIN_FRAGMENT {
        return Err(broken("a smaller fragment size than is allowed"));
    }
    match *ack.results.as_slice() {
        [(0, _, syntax, version)] if syntax == NDR.uuid && version == u32::from(NDR.version) => Ok(ack),
        [(result @ 1.., reason, ..)] => Err(Error::Unfit {
            why: format!("it does not offer the interface (result {result}, reason {reason})"),
        }),
        _ => Err(broken("a bind_ack that does not fit the bind")),
    }
}

/// Why a DC does not bind (C706 12.6.3.1, MS-RPCE 2.2.2.5).
fn not_bound(reason: u16) -> Error {
    let why = match reason {
        // temporary_congestion, local_limit_exceeded
        1 | 2 => return Error::Busy { why: "it takes no more connections", code: reason.into() },
        4 => "it speaks another version of RPC",
        8 => "it does not accept Kerberos for RPC",
        9 => "it could not verify the proof of the account: did its own password change a moment ago?",
        _ => "it gives no reason that is known",
    };
    Error::Unfit { why: format!("it refuses to bind (reason {reason}): {why}") }
}

fn check_trailer(auth: &Auth<'_>) -> Result<(), Error> {
    if auth.kind != KERBEROS || auth.level != pdu::PRIVACY || auth.context_id != SECURITY_CONTEXT {
        return Err(broken("a security token of another kind, level or context"));
    }
    Ok(())
}

fn broken(what: &str) -> Error {
    Error::Protocol(what.to_owned())
}

#[cfg(any(test, feature = "other-side-for-tests"))]
pub mod server;
#[cfg(test)]
mod tests;
