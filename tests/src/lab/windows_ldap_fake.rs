//! A fake of a Windows domain controller's LDAP over TLS, because no Windows domain controller is at hand. It answers a
//! simple bind as MS-ADTS 5.1.1.1.1 says and as Windows words it: eleven forms of name and no other, a bad password
//! counted only where the name led to an account, 52e or 57 for a name that led to none, a zero byte behind each
//! message, lengths of four bytes, and no vendorName. It does nothing that no document describes.

mod ber;
mod names;

pub use names::FakeAccount;

use super::address::Address;
use super::certificates;
use super::domain::CONTROLLER;
use super::error::{Doing as _, LabError, failed};
use super::watchdog;
use names::{BASE, Found};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

const LDAPS: u16 = 636;
/// LDAP: a whole response of one kind each.
const BIND_RESPONSE: u8 = 0x61;
const ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;

/// The accounts, and the binds that arrived.
#[derive(Debug)]
struct Directory {
    accounts: Vec<FakeAccount>,
    /// The code for a name that leads to nobody.
    unknown: &'static str,
    /// The names of all binds.
    binds: Vec<String>,
}

/// The fake, which serves until it is dropped.
#[derive(Debug)]
pub struct WindowsLdapFake {
    directory: Arc<Mutex<Directory>>,
    address: Address,
    folder: TempDir,
    _runtime: Runtime,
}

impl WindowsLdapFake {
    /// Serves these accounts on port 636 of an address of its own. `unknown` is the code for a name that leads to
    /// nobody: 52e or 57.
    pub fn serve(accounts: Vec<FakeAccount>, unknown: &'static str) -> Result<Self, LabError> {
        let wrong = |why: &dyn std::fmt::Display| failed("a fake of a Windows domain controller", why);
        let folder = watchdog::folder("landbridge-windows-")?;
        let address = Address::claim()?;
        certificates::write(folder.path(), CONTROLLER, address.ip())?;
        let leaf = CertificateDer::from_pem_file(folder.path().join("dc.pem")).map_err(|why| wrong(&why))?;
        let key = PrivateKeyDer::from_pem_file(folder.path().join("dc.key")).map_err(|why| wrong(&why))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| wrong(&why))?
            .with_no_client_auth()
            .with_single_cert(vec![leaf], key)
            .map_err(|why| wrong(&why))?;
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.doing("make a runtime")?;
        let listener =
            runtime.block_on(TcpListener::bind((address.ip(), LDAPS))).doing("serve LDAP over TLS")?;
        let directory = Arc::new(Mutex::new(Directory { accounts, unknown, binds: Vec::new() }));
        let into = directory.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(attend(acceptor.clone(), stream, into.clone()));
            }
        });
        Ok(Self { directory, address, folder, _runtime: runtime })
    }

    /// The certificate of the CA that issued its own.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Name, address and port, for the configuration of an agent.
    pub fn controller(&self) -> (String, IpAddr, u16) {
        (CONTROLLER.to_owned(), self.address.ip(), LDAPS)
    }

    /// badPwdCount of an account.
    pub fn bad_passwords(&self, sam: &str) -> u32 {
        let directory = lock(&self.directory);
        directory.accounts.iter().find(|one| one.sam == sam).map_or(0, |one| one.bad_passwords)
    }

    /// Changes an account.
    pub fn change(&self, sam: &str, change: impl FnOnce(&mut FakeAccount)) {
        let mut directory = lock(&self.directory);
        if let Some(one) = directory.accounts.iter_mut().find(|one| one.sam == sam) {
            change(one);
        }
    }

    /// The names of all binds since the last call.
    pub fn binds(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.directory).binds)
    }
}

fn lock(of: &Mutex<Directory>) -> MutexGuard<'_, Directory> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves one connection until it ends.
async fn attend(tls: TlsAcceptor, stream: TcpStream, directory: Arc<Mutex<Directory>>) {
    let Ok(mut stream) = tls.accept(stream).await else { return };
    let (mut came, mut bound) = (Vec::new(), None);
    loop {
        while let Some(((_, message), rest)) = ber::first(&came) {
            let Some(answer) = answer(&mut lock(&directory), message, &mut bound) else { return };
            came = rest.to_vec();
            if stream.write_all(&answer).await.is_err() || stream.flush().await.is_err() {
                return;
            }
        }
        match stream.read_buf(&mut came).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// The responses to one message (RFC 4511, section 4.1.1); none: the connection ends. `bound` is the account that the
/// connection is bound as.
fn answer(directory: &mut Directory, message: &[u8], bound: &mut Option<usize>) -> Option<Vec<u8>> {
    let parts = ber::elements(message);
    let [(_, id), (operation, request), ..] = parts[..] else { return None };
    let request = ber::elements(request);
    let wrapped = |response: Vec<u8>| ber::constructed(0x30, &[ber::element(0x02, id), response]);
    match (operation, &request[..]) {
        // BindRequest: version, name, simple password.
        (0x60, [_, (_, name), (0x80, password)]) => {
            let (name, password) = (std::str::from_utf8(name).ok()?, std::str::from_utf8(password).ok()?);
            let (code, text) = bind(directory, name, password, bound);
            Some(wrapped(done(BIND_RESPONSE, code, &text)))
        }
        // SearchRequest: base, scope, aliases, two limits, types only, filter, attributes.
        (0x63, [(_, base), (_, scope), _, _, _, _, filter, (_, wanted)]) => {
            let base = std::str::from_utf8(base).ok()?;
            let wanted: Vec<String> = ber::elements(wanted)
                .into_iter()
                .map(|(_, name)| String::from_utf8_lossy(name).into_owned())
                .collect();
            let (entries, (code, text)) = search(directory, base, *scope == [2], *filter, &wanted, *bound);
            let done = wrapped(done(SEARCH_DONE, code, &text));
            let entries = entries.into_iter().map(wrapped).collect::<Vec<_>>().concat();
            Some([entries, done].concat())
        }
        _ => None,
    }
}

/// An LDAPResult: the code, no DN, the text.
fn done(tag: u8, code: u8, text: &str) -> Vec<u8> {
    ber::constructed(tag, &[ber::element(0x0a, &[code]), ber::octets(b""), ber::octets(text.as_bytes())])
}

fn bind(directory: &mut Directory, name: &str, password: &str, bound: &mut Option<usize>) -> (u8, String) {
    directory.binds.push(name.to_owned());
    *bound = None;
    if password.is_empty() {
        return (0, String::new());
    }
    let code = match names::find(&directory.accounts, name) {
        Found::Nobody => directory.unknown,
        Found::Several => "57",
        Found::One(at) => match directory.accounts.get_mut(at) {
            Some(account) if account.password != password => {
                account.bad_passwords += 1;
                "52e"
            }
            Some(account) => match account.refusal {
                Some(code) => code,
                None => {
                    account.bad_passwords = 0;
                    *bound = Some(at);
                    return (0, String::new());
                }
            },
            None => directory.unknown,
        },
    };
    let status = if code.len() == 8 { code } else { "80090308" };
    let text = format!(
        "{status}: LdapErr: DSID-0C090569, comment: AcceptSecurityContext error, data {code}, v4563\0"
    );
    (49, text)
}

type Outcome = (Vec<Vec<u8>>, (u8, String));

fn search(
    directory: &Directory,
    base: &str,
    below: bool,
    filter: ber::Element<'_>,
    wanted: &[String],
    bound: Option<usize>,
) -> Outcome {
    let found = |entries| (entries, (0, String::new()));
    let bound = bound.and_then(|at| directory.accounts.get(at));
    if base.is_empty() {
        let mut values = vec![
            ("defaultNamingContext", vec![BASE.as_bytes().to_vec()]),
            ("dnsHostName", vec![CONTROLLER.as_bytes().to_vec()]),
            ("currentTime", vec![b"20261129000000.0Z".to_vec()]),
        ];
        values.extend(bound.map(|one| ("tokenGroups", token(one))));
        return found(vec![entry("", &values, wanted)]);
    }
    if bound.is_none() {
        let text = "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a successful bind \
                    must be completed on the connection., data 0, v4563\0";
        return (Vec::new(), (1, text.to_owned()));
    }
    let all = || directory.accounts.iter();
    if base.eq_ignore_ascii_case(BASE) {
        if below {
            let fit = all().filter(|one| fits(one, filter));
            return found(fit.map(|one| entry(&one.dn, &of_account(one, false), wanted)).collect());
        }
        let head = [
            ("lockoutThreshold", vec![b"10".to_vec()]),
            ("lockOutObservationWindow", vec![b"-18000000000".to_vec()]),
        ];
        return found(vec![entry(BASE, &head, wanted)]);
    }
    let is_base = |one: &&FakeAccount| {
        let forms = [one.dn.clone(), format!("<GUID={}>", one.guid), format!("<SID={}>", one.sid)];
        forms.iter().any(|form| form.eq_ignore_ascii_case(base))
    };
    match all().find(is_base) {
        Some(one) => found(vec![entry(&one.dn, &of_account(one, true), wanted)]),
        None => (Vec::new(), (32, "0000208D: NameErr: DSID-0310028B, problem 2001 (NO_OBJECT)\0".to_owned())),
    }
}

/// The SIDs of an account's security context. Their order is not documented, so the account's own comes last.
fn token(one: &FakeAccount) -> Vec<Vec<u8>> {
    let well_known = ["S-1-1-0", "S-1-5-2", "S-1-5-11"].map(str::to_owned);
    let all = well_known.iter().chain(&one.groups).chain(&one.sid_history).chain([&one.sid]);
    all.map(|sid| sid_bytes(sid)).collect()
}

fn of_account(one: &FakeAccount, whole: bool) -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let mut values = vec![
        ("objectGUID", vec![one.guid.to_bytes_le().to_vec()]),
        ("objectSid", vec![sid_bytes(&one.sid)]),
        ("sAMAccountName", vec![one.sam.clone().into_bytes()]),
    ];
    // Constructed: read of one entry alone.
    if whole {
        values.push(("tokenGroups", one.groups.iter().map(|sid| sid_bytes(sid)).collect()));
    }
    values
}

/// A SearchResultEntry with the wanted ones of these attributes.
fn entry(dn: &str, values: &[(&'static str, Vec<Vec<u8>>)], wanted: &[String]) -> Vec<u8> {
    let is_wanted = |name: &str| wanted.iter().any(|one| one.eq_ignore_ascii_case(name));
    let attributes = values.iter().filter(|(name, values)| is_wanted(name) && !values.is_empty());
    let attributes = attributes.map(|(name, values)| {
        let values: Vec<Vec<u8>> = values.iter().map(|value| ber::octets(value)).collect();
        ber::constructed(0x30, &[ber::octets(name.as_bytes()), ber::constructed(0x31, &values)])
    });
    let attributes: Vec<Vec<u8>> = attributes.collect();
    ber::constructed(ENTRY, &[ber::octets(dn.as_bytes()), ber::constructed(0x30, &attributes)])
}

/// Whether an account fits a filter of equalities, `|`, `&` and presence (RFC 4511, section 4.5.1.7).
fn fits(one: &FakeAccount, (tag, content): ber::Element<'_>) -> bool {
    let parts = ber::elements(content);
    match tag {
        0xa0 => parts.into_iter().all(|part| fits(one, part)),
        0xa1 => parts.into_iter().any(|part| fits(one, part)),
        0x87 => true,
        0xa3 => {
            let [(_, name), (_, value)] = parts[..] else { return false };
            let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
            let own = match &*name {
                "sAMAccountName" => Some(one.sam.as_str()),
                "userPrincipalName" => one.upn.as_deref(),
                _ => None,
            };
            own.is_some_and(|own| own.to_lowercase() == value.to_lowercase())
        }
        _ => false,
    }
}

/// A SID as AD stores it (MS-DTYP 2.4.2.2).
fn sid_bytes(text: &str) -> Vec<u8> {
    let numbers: Vec<u32> = text.split('-').skip(2).filter_map(|number| number.parse().ok()).collect();
    let (authority, parts) = numbers.split_first().unwrap_or((&0, &[]));
    let mut bytes = vec![1, u8::try_from(parts.len()).unwrap_or(0), 0, 0];
    bytes.extend_from_slice(&authority.to_be_bytes());
    parts.iter().for_each(|part| bytes.extend_from_slice(&part.to_le_bytes()));
    bytes
}
