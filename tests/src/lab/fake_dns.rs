//! A DNS server that knows one domain's controllers and nothing else. A fake, because the lab's domain has no DNS of
//! its own; the programs query it by their real resolver.

use super::address::Address;
use super::error::{Doing as _, LabError};
use super::view::View;
use super::watchdog;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::process::Command;
use tempfile::TempDir;

/// Answers until this process ends.
#[derive(Debug)]
pub struct FakeDns {
    view: View,
    _folder: TempDir,
}

impl FakeDns {
    /// Serves on port 53 of an address of its own: `_ldap._tcp.dc._msdcs.<domain>` names these controllers, in this
    /// order.
    /// A controller that is named twice has two addresses.
    pub fn serve(domain: &str, controllers: Vec<(String, Ipv4Addr)>) -> Result<Self, LabError> {
        Self::serve_with_site(domain, controllers, "", vec![])
    }

    /// The same, and the controllers `of_site` are those of an AD site.
    pub fn serve_with_site(
        domain: &str,
        controllers: Vec<(String, Ipv4Addr)>,
        site: &str,
        of_site: Vec<String>,
    ) -> Result<Self, LabError> {
        let address = Address::claim()?;
        let socket = UdpSocket::bind((address.ip(), 53)).doing("serve DNS on a loopback address")?;
        let folder = watchdog::folder("landbridge-dns-")?;
        let view = View::write(folder.path().to_path_buf(), &[], address.ip())?;
        let all = controllers.iter().map(|(controller, _)| controller.clone()).collect();
        let services = [
            (format!("_ldap._tcp.dc._msdcs.{domain}"), all),
            (format!("_ldap._tcp.{}._sites.dc._msdcs.{domain}", site.to_lowercase()), of_site),
        ];
        std::thread::spawn(move || {
            let _held = address;
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question) {
                if let Some(answer) = answer(&question[..length], &services, &controllers) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Ok(Self { view, _folder: folder })
    }

    /// Lets a command of the lab's send its DNS queries to this server.
    pub fn show_to(&self, command: &mut Command) {
        self.view.show_to(command);
    }
}

/// The answer to a question (RFC 1035, section 4), or that there is no such name.
fn answer(
    question: &[u8],
    services: &[(String, Vec<String>)],
    controllers: &[(String, Ipv4Addr)],
) -> Option<Vec<u8>> {
    let (name, after) = name_in(question)?;
    let kind = u16::from_be_bytes(question.get(after..after + 2)?.try_into().ok()?);
    let mut records: Vec<(u16, Vec<u8>)> = Vec::new();
    let service = services.iter().find(|(service, targets)| *service == name && !targets.is_empty());
    for (place, target) in (0_u16..).zip(service.map_or(&[][..], |(_, targets)| targets)) {
        if kind == 33 {
            let mut data = [place, 0, 389].map(u16::to_be_bytes).concat();
            data.extend(written(target));
            records.push((33, data));
        }
    }
    for (controller, address) in controllers {
        if kind == 1 && name == *controller {
            records.push((1, IpAddr::V4(*address).to_string().parse::<Ipv4Addr>().ok()?.octets().to_vec()));
        }
    }
    let known = service.is_some() || controllers.iter().any(|(controller, _)| *controller == name);
    let mut answer = question.get(..2)?.to_vec();
    answer.extend([0x85, if known { 0x80 } else { 0x83 }, 0, 1]);
    answer.extend(u16::try_from(records.len()).ok()?.to_be_bytes());
    answer.extend([0, 0, 0, 0]);
    answer.extend(question.get(12..after + 4)?);
    for (kind, data) in records {
        answer.extend([0xc0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 60]);
        answer.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        answer.extend(data);
    }
    Some(answer)
}

fn name_in(question: &[u8]) -> Option<(String, usize)> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join(".").to_lowercase(), at));
        }
        labels.push(String::from_utf8_lossy(question.get(at..at + length)?).into_owned());
        at += length;
    }
}

fn written(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap_or(0));
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes
}
