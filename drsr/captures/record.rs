//! Records exchanges with a real DC for `tests/replay.rs`. Test code, ignored unless asked for; nothing of it
//! is in the library, which opens no sockets and shows no session key.
//!
//! Wants a disposable Samba domain, as `tests/src/lab` makes them, whose passwords mean nothing, for it
//! writes the session key down and changes accounts. The environment says where:
//! `CAPTURE_ADDRESS`, `CAPTURE_CONTROLLER`, `CAPTURE_SMB_CONF`; the accounts are in `README.md` of the
//! captures. Then `cargo test -p landbridge-drsr --lib capture -- --ignored`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::drs::bind::{self, Bound, Handle};
use crate::drs::cursor::{COOKIE, Cursor};
use crate::drs::reply;
use crate::drs::request::{Attributes, GET_CHANGES, ObjectId, Request, What};
use crate::error::Error;
use crate::rpc::association::{Association, Operation};
use crate::rpc::epm;
use crate::rpc::machine::{Answer, CallerIo, Machine, Step};
use crate::rpc::security::Security;
use landbridge_crypto::secret::Password;
use landbridge_kerberos::client::{Client, Credential};
use landbridge_kerberos::principal::Principal;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;

const DOMAIN: &str = "corp.example.com";
const BASE: &str = "DC=corp,DC=example,DC=com";
const CALL: Operation = Operation { name: "a call", number: 0 };

fn environment(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

fn save(name: &str, bytes: &[u8]) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("captures");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), bytes).unwrap();
}

fn samba_tool(arguments: &[&str]) {
    let smb_conf = environment("CAPTURE_SMB_CONF");
    let done = Command::new("samba-tool").args(arguments).args(["-s", &smb_conf]).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Does what a machine asks; every PDU and KDC reply that comes goes through `seen`.
fn drive(mut machine: Machine, mut seen: impl FnMut(&str, &[u8])) -> Result<(), Error> {
    let address = environment("CAPTURE_ADDRESS");
    let mut stream = None;
    let mut pdu = Vec::new();
    loop {
        let answer = match machine.next_step(SystemTime::now().duration_since(UNIX_EPOCH).unwrap())? {
            Step::Connect { port } => {
                stream = Some(TcpStream::connect((address.as_str(), port)).unwrap());
                Answer::Done
            }
            Step::Send(bytes) => {
                stream.as_mut().unwrap().write_all(&bytes).unwrap();
                Answer::Done
            }
            Step::Receive(count) => {
                let mut bytes = vec![0; count];
                stream.as_mut().unwrap().read_exact(&mut bytes).unwrap();
                pdu.extend_from_slice(&bytes);
                if pdu.len() == usize::from(u16::from_le_bytes([pdu[8], pdu[9]])) {
                    seen("pdu", &std::mem::take(&mut pdu));
                }
                Answer::Bytes(bytes)
            }
            Step::Kdc(request) => {
                let mut kdc = TcpStream::connect((address.as_str(), 88)).unwrap();
                kdc.write_all(&u32::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
                kdc.write_all(&request).unwrap();
                let mut length = [0; 4];
                kdc.read_exact(&mut length).unwrap();
                let mut reply = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
                kdc.read_exact(&mut reply).unwrap();
                seen("kdc", &reply);
                Answer::Bytes(reply)
            }
            Step::Finished => return Ok(()),
            Step::Ready(_) | Step::Page(_) | Step::Refused(_) => unreachable!(),
        };
        machine.answer(answer);
    }
}

fn security(account: &str, password: &str) -> Security {
    let client = Client {
        account: Principal::account(account, DOMAIN).unwrap(),
        credential: Credential::Password(Password::new(password.to_owned())),
        workstation: None,
    };
    Security::new(Arc::new(client), &environment("CAPTURE_CONTROLLER"), DOMAIN).unwrap()
}

struct Recorder {
    association: Association,
    handle: Handle,
    cursor: Cursor,
}

impl Recorder {
    async fn bind(io: &CallerIo, security: Security) -> Result<(Self, Vec<u8>), Error> {
        io.connect(epm::PORT).await?;
        let mut mapper = Association::bind(io, epm::INTERFACE, None).await?;
        let towers =
            mapper.call(Operation { number: epm::MAP, ..CALL }, &epm::encode(bind::INTERFACE)).await?;
        save("epm-reply.stub", &towers);
        io.connect(epm::decode(&towers)?).await?;
        let mut association = Association::bind(io, bind::INTERFACE, Some(security)).await?;
        let bound = association.call(CALL, &bind::encode(0, false)).await?;
        let Bound { handle, .. } = bind::decode(&bound)?;
        let cursor = Cursor::new(Uuid::nil(), Uuid::nil(), [0; COOKIE], Vec::new());
        Ok((Self { association, handle, cursor }, bound))
    }

    async fn ask(&mut self, what: What<'_>, secrets: bool) -> Result<Vec<u8>, Error> {
        let request = Request {
            what,
            destination: Uuid::nil(),
            invocation_id: self.cursor.invocation_id(),
            cookie: *self.cursor.cookie(),
            vector: self.cursor.vector(),
            max_objects: 100,
            attributes: if secrets { Attributes::WithSecrets } else { Attributes::WithoutSecrets },
            further: &[],
        };
        self.association.call(Operation { number: GET_CHANGES, ..CALL }, &request.encode(self.handle)).await
    }

    /// The next page of the domain, and the cursor moved; true when it was the last.
    async fn page(&mut self, name: &str) -> Result<bool, Error> {
        let stub = self.ask(What::Domain { dn: BASE, ancestors: true }, true).await?;
        save(name, &stub);
        let reply = reply::decode(&stub)?;
        // Within a cycle the vector stays what it was at its start: none here.
        let vector = reply.vector.unwrap_or_default();
        self.cursor = Cursor::new(reply.dsa, reply.invocation_id, reply.cookie, vector);
        Ok(!reply.more)
    }

    async fn alone(&mut self, name: &str, which: &ObjectId, secrets: bool) -> Result<Vec<u8>, Error> {
        let cursor = std::mem::replace(
            &mut self.cursor,
            Cursor::new(Uuid::nil(), Uuid::nil(), [0; COOKIE], Vec::new()),
        );
        let stub = self.ask(What::Object(which), secrets).await?;
        self.cursor = cursor;
        save(name, &stub);
        Ok(stub)
    }
}

async fn changes(io: CallerIo, security: Security) -> Result<(), Error> {
    let (mut recorder, bound) = Recorder::bind(&io, security).await?;
    save("drs-bind-reply.stub", &bound);
    let key = recorder.association.security().unwrap().session_key()?;
    save("session.key", &key);
    let mut number = 1;
    while !recorder.page(&format!("page-{number}.stub")).await? {
        number += 1;
    }
    samba_tool(&["user", "setpassword", "capture1", "--newpassword=After-1"]);
    recorder.page("after-reset.stub").await?;
    samba_tool(&["group", "addmembers", "CaptureGroup", "capture3"]);
    samba_tool(&["group", "removemembers", "CaptureGroup", "capture1"]);
    recorder.page("after-membership.stub").await?;
    samba_tool(&[
        "user",
        "rename",
        "capture2",
        "--samaccountname=capture2b",
        "--upn=capture2b@corp.example.com",
    ]);
    recorder.page("after-rename.stub").await?;
    samba_tool(&["user", "rename", "capture3", "--display-name="]);
    recorder.page("after-removed-attribute.stub").await?;
    samba_tool(&["user", "delete", "capture4"]);
    recorder.page("after-deletion.stub").await?;
    recorder.page("after-nothing.stub").await?;

    let stub =
        std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("captures/after-reset.stub")).unwrap();
    let user = reply::decode(&stub)?.objects[0].name.unwrap().checked().unwrap();
    let domain = user.sid.clone().unwrap().domain().unwrap();
    recorder.alone("group-alone.stub", &ObjectId::Sid(domain.with_rid(512)), false).await?;
    recorder.alone("user-alone.stub", &ObjectId::Guid(user.guid), true).await?;
    recorder.alone("user-alone-withheld.stub", &ObjectId::Guid(user.guid), false).await?;
    recorder.alone("unknown-object.stub", &ObjectId::Sid(domain.with_rid(99_999)), false).await?;
    Ok(())
}

async fn without_the_right(io: CallerIo, security: Security) -> Result<(), Error> {
    let (mut recorder, _) = Recorder::bind(&io, security).await?;
    let stub = recorder.ask(What::Domain { dn: BASE, ancestors: true }, true).await?;
    save("missing-right.stub", &stub);
    Ok(())
}

#[test]
#[ignore = "records from a real DC; see the head of this file"]
fn record() {
    let mut pdus = 0;
    let machine = Machine::new(|io| changes(io, security("svc-landbridge", "Svc!Passw0rd")));
    drive(machine, |kind, bytes| {
        if kind == "pdu" {
            pdus += 1;
            match pdus {
                1 => save("bind-ack-plain.pdu", bytes),
                2 => save("response-plain.pdu", bytes),
                3 => save("bind-ack-kerberos.pdu", bytes),
                4 => save("response-kerberos.pdu", bytes),
                _ => {}
            }
        }
    })
    .unwrap();

    let machine = Machine::new(|io| without_the_right(io, security("svc-bare", "Bare!Passw0rd")));
    drive(machine, |_, _| {}).unwrap();
}
