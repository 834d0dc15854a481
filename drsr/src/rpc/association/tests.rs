//! A server that sends what it should not: every such answer ends the session with an error.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::server::{self, KEY, Made, TOKEN, ack, fragment, fragment_of, plain, shutdown};
use super::*;
use crate::rpc::machine::{Answer, Machine, Step};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const INTERFACE: Syntax = Syntax { uuid: uuid::Uuid::from_u128(7), version: 4 };
const CALL: Operation = Operation { name: "a test", number: 5 };

/// Binds and calls once against a server that answers with these, whatever it is sent.
fn exchange(answers: Vec<Vec<u8>>, protected: bool, stub: Vec<u8>) -> (Result<Vec<u8>, Error>, Vec<Vec<u8>>) {
    let got = Arc::new(Mutex::new(Vec::new()));
    let result = Arc::clone(&got);
    let mut machine = Machine::new(move |io| async move {
        let security = protected.then(|| Security::pretend(KEY));
        let mut association = Association::bind(&io, INTERFACE, security).await?;
        *result.lock().unwrap() = association.call(CALL, &stub).await?;
        Ok(())
    });
    let mut incoming: VecDeque<u8> = answers.concat().into();
    let mut sent = Vec::new();
    loop {
        match machine.next_step(Duration::ZERO) {
            Ok(Step::Send(bytes)) => {
                sent.push(bytes);
                machine.answer(Answer::Done);
            }
            Ok(Step::Receive(count)) if count <= incoming.len() => {
                machine.answer(Answer::Bytes(incoming.drain(..count).collect()));
            }
            Ok(Step::Finished) => return (Ok(std::mem::take(&mut got.lock().unwrap())), sent),
            Ok(other) => panic!("{other:?} with {} bytes left", incoming.len()),
            Err(error) => return (Err(error), sent),
        }
    }
}

fn refused(answers: Vec<Made>) -> String {
    let answers = answers.iter().map(Made::bytes).collect();
    exchange(answers, true, vec![1, 2, 3]).0.unwrap_err().to_string()
}

#[test]
fn a_sound_server_is_understood() {
    let answers = [ack(), fragment(1, 1, b"first and "), fragment(0, 2, b"then "), fragment(2, 3, b"last")];
    let (answer, sent) = exchange(answers.iter().map(Made::bytes).collect(), true, vec![1, 2, 3]);
    assert_eq!(answer.unwrap(), b"first and then last");
    let [bind, auth3, request] = sent.as_slice() else { panic!("{} PDUs", sent.len()) };
    assert_eq!((bind[2], bind[3] & HEADER_SIGN, auth3[2], request[2]), (11, HEADER_SIGN, 16, 0));
}

#[test]
fn a_long_request_goes_out_in_fragments_that_say_what_is_left() {
    let stub: Vec<u8> = (0..20_000u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let (_, sent) = exchange(vec![ack().bytes(), fragment(3, 1, b"x").bytes()], true, stub.clone());
    let mut joined = Vec::new();
    let requests = &sent[2..];
    assert_eq!(requests.len(), 4);
    for (at, request) in requests.iter().enumerate() {
        assert!(request.len() <= pdu::MAX_FRAGMENT);
        assert_eq!(request[3] & FIRST != 0, at == 0);
        assert_eq!(request[3] & LAST != 0, at + 1 == requests.len());
        let hint = u32::from_le_bytes(request[16..20].try_into().unwrap());
        assert_eq!(usize::try_from(hint).unwrap(), stub.len() - joined.len());
        let end = request.len() - TOKEN - pdu::TRAILER;
        let padding = usize::from(request[end + 2]);
        joined.extend_from_slice(&request[pdu::CALL_HEAD..end - padding]);
    }
    assert_eq!(joined, stub);
}

#[test]
fn a_bind_ack_without_header_signing_is_refused() {
    assert!(refused(vec![Made { flags: 3, ..ack() }]).contains("does not sign headers"));
}

#[test]
fn a_bind_ack_that_does_not_fit_the_bind_is_refused() {
    let other_call = Made { call_id: 9, ..ack() };
    let no_token = Made { trailer: None, token: Vec::new(), ..ack() };
    let other_package = Made { trailer: Some([10, 6, 0, 0, 1, 0, 0, 0]), ..ack() };
    let weaker = Made { trailer: Some([16, 5, 0, 0, 1, 0, 0, 0]), ..ack() };
    let other_context = Made { trailer: Some([16, 6, 0, 0, 2, 0, 0, 0]), ..ack() };
    for made in [other_call, no_token, other_package, weaker, other_context] {
        assert!(refused(vec![made]).contains("broke the protocol"));
    }
    let mut rejected = ack();
    rejected.body[20] = 2;
    assert!(refused(vec![rejected]).contains("does not offer the interface"));
    let mut tiny = ack();
    tiny.body[2..4].copy_from_slice(&100u16.to_le_bytes());
    assert!(refused(vec![tiny]).contains("smaller fragment size"));
}

#[test]
fn the_reasons_of_a_refused_bind_have_their_words() {
    let said = |reason| refused(vec![Made { kind: 13, body: vec![reason, 0], ..ack() }.unprotected()]);
    let words = [(4, "version"), (8, "Kerberos"), (9, "verify"), (0, "no reason"), (1, "connections")];
    for (reason, part) in words {
        assert!(said(reason).contains(part), "{reason}: {}", said(reason));
    }
    assert!(said(8).contains("refuses to bind (reason 8)"));
}

#[test]
fn a_server_that_shuts_down_is_told_from_one_that_breaks_the_protocol() {
    let shutdown = |call_id| Made { call_id, ..shutdown() };
    for before in [vec![], vec![ack()], vec![ack(), fragment(1, 1, b"half an answer")]] {
        for call_id in [0, 2, 99] {
            let answers = before.iter().chain(&[shutdown(call_id)]).map(Made::bytes).collect();
            assert_eq!(exchange(answers, true, vec![1]).0.unwrap_err(), Error::ShutDown);
        }
    }
}

#[test]
fn fragments_out_of_order_are_refused() {
    assert!(refused(vec![ack(), fragment(0, 1, b"middle")]).contains("out of order"));
    assert!(refused(vec![ack(), fragment(2, 1, b"last")]).contains("out of order"));
    assert!(refused(vec![ack(), fragment(1, 1, b"a"), fragment(1, 2, b"a again")]).contains("out of order"));
    assert!(refused(vec![ack(), fragment(1, 1, b"a"), fragment(2, 3, b"c")]).contains("out of sequence"));
}

#[test]
fn a_repeated_fragment_is_refused() {
    let middle = fragment(0, 2, b"middle");
    assert!(refused(vec![ack(), fragment(1, 1, b"a"), middle.clone(), middle]).contains("repeated"));
}

#[test]
fn an_answer_to_another_call_or_context_or_with_odd_flags_is_refused() {
    let base = Made { kind: 2, flags: 3, call_id: 2, body: vec![0; 8], trailer: None, token: Vec::new() };
    let other_call = fragment_of(Made { call_id: 1, ..base.clone() }, 1, b"x");
    assert!(refused(vec![ack(), other_call]).contains("another call"));
    let other_context = fragment_of(Made { body: vec![0, 0, 0, 0, 1, 0, 0, 0], ..base.clone() }, 1, b"x");
    assert!(refused(vec![ack(), other_context]).contains("another context"));
    let odd = fragment_of(Made { flags: 0x83, ..base.clone() }, 1, b"x");
    assert!(refused(vec![ack(), odd]).contains("unexpected flags"));
    assert!(refused(vec![ack(), ack()]).contains("another call"));
    assert!(refused(vec![ack(), Made { call_id: 2, ..ack() }]).contains("bind's answer to a call"));
}

#[test]
fn an_unprotected_or_weaker_answer_is_refused() {
    assert!(refused(vec![ack(), plain(3, b"in the clear")]).contains("unprotected"));
    let good = fragment(3, 1, b"x");
    for trailer in [[10, 6, 15, 0, 1, 0, 0, 0], [16, 5, 15, 0, 1, 0, 0, 0], [16, 6, 15, 0, 9, 0, 0, 0]] {
        let made = Made { trailer: Some(trailer), ..good.clone() };
        assert!(refused(vec![ack(), made]).contains("kind, level or context"));
    }
}

#[test]
fn an_altered_header_pad_length_or_body_is_refused() {
    let good = fragment(3, 1, b"x");
    let mut hint = good.clone();
    hint.body[0] ^= 1;
    let pad = Made { trailer: Some([16, 6, 14, 0, 1, 0, 0, 0]), ..good.clone() };
    let mut body = good.clone();
    body.body[8] ^= 1;
    let short = Made { token: good.token[..60].to_vec(), ..good.clone() };
    for made in [hint, pad, body, short] {
        assert!(refused(vec![ack(), made]).contains("a security token"));
    }
}

#[test]
fn more_than_the_bound_is_refused_when_announced_and_fragments_must_bring_something() {
    let base = Made { kind: 2, flags: 1, call_id: 2, body: vec![0; 8], trailer: None, token: Vec::new() };
    let huge = Made { body: vec![0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0], ..base };
    assert!(refused(vec![ack(), fragment_of(huge, 1, b"x")]).contains("over a bound"));
    assert!(refused(vec![ack(), fragment(1, 1, b"")]).contains("an empty fragment"));
}

#[test]
fn a_header_that_lies_is_refused_before_anything_is_read_by_it() {
    for (at, value) in [(0, 4), (1, 2), (4, 0), (8, 3), (9, 0xff)] {
        let mut bytes = fragment(3, 1, b"x").bytes();
        bytes[at] = value;
        let (answer, _) = exchange(vec![ack().bytes(), bytes], true, vec![1]);
        assert!(matches!(answer, Err(Error::Protocol(_))), "{at}: {answer:?}");
    }
    let mut bytes = fragment(3, 1, b"x").bytes();
    bytes[10..12].copy_from_slice(&5000u16.to_le_bytes());
    let (answer, _) = exchange(vec![ack().bytes(), bytes], true, vec![1]);
    assert!(matches!(answer, Err(Error::Protocol(_))), "{answer:?}");
}

#[test]
fn a_fault_is_told_with_its_status() {
    let fault = server::fault(2, 0x1c01_000b);
    let (answer, _) = exchange(vec![ack().bytes(), fault.bytes()], true, vec![1]);
    assert_eq!(answer.unwrap_err(), Error::Fault { operation: "a test", status: 0x1c01_000b });
}

#[test]
fn every_single_byte_of_an_answer_matters() {
    let good = fragment(3, 1, b"an answer").bytes();
    for at in 0..good.len() {
        let mut bent = good.clone();
        bent[at] ^= 0x40;
        // A longer fragment than was sent would wait for more: the socket's limit ends that.
        if (8..10).contains(&at) {
            continue;
        }
        let (answer, _) = exchange(vec![ack().bytes(), bent], true, vec![1]);
        assert!(answer.is_err(), "{at}");
    }
}
