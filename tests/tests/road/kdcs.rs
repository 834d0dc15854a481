//! The Kerberos client beside two KDCs that are not ours, Samba's (Heimdal) and MIT's: every type of key, every state of
//! an account, both ways of a wrong clock, and the change of a password. The tables are printed.

use crate::directory_refusals::{assert_refused, delegate};
use crate::stage::{Road, own_domain};
use landbridge_crypto::hex::{lower, read_lower};
use landbridge_crypto::secret::Password;
use landbridge_kerberos::Error;
use landbridge_kerberos::as_exchange::{AsExchange, Next};
use landbridge_kerberos::client::{Client, Credential};
use landbridge_kerberos::enctype::Enctype;
use landbridge_kerberos::initiator::Initiator;
use landbridge_kerberos::kdc::Ticket;
use landbridge_kerberos::keytab::Keytab;
use landbridge_kerberos::password_change::{self, Outcome, PasswordChange, Reason};
use landbridge_kerberos::principal::Principal;
use landbridge_kerberos::random::SystemRandom;
use landbridge_kerberos::tgs_exchange::TgsExchange;
use landbridge_tests::lab::edits::{DISABLED, NEVER_EXPIRES, NORMAL};
use landbridge_tests::lab::mit::{MIT_DOMAIN, MitRealm};
use landbridge_tests::lab::population::DOMAIN as SAMBA_DOMAIN;
use landbridge_tests::lab::program::Running;
use landbridge_tests::lab::{Domain, PhsSettings, view};
use landbridge_tests::recorded;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

static SAMBA: LazyLock<Arc<Domain>> = LazyLock::new(|| own_domain(50));
static MIT: LazyLock<MitRealm> = LazyLock::new(|| MitRealm::start().unwrap());

const PASSWORD: &str = "An account's own pässword (7)";
/// UF_DONT_REQUIRE_PREAUTH (MS-ADTS 2.2.16)
const NO_PREAUTHENTICATION: u32 = 0x0040_0000;
/// UF_WORKSTATION_TRUST_ACCOUNT
const WORKSTATION: u32 = 0x1000;

/// A KDC, and how far the client's clock is ahead of it, in seconds.
#[derive(Clone, Copy)]
struct Kdc {
    name: &'static str,
    address: IpAddr,
    domain: &'static str,
    ahead: i64,
}

impl Kdc {
    fn samba() -> Self {
        Self { name: "Samba", address: SAMBA.address(), domain: SAMBA_DOMAIN, ahead: 0 }
    }

    fn mit() -> Self {
        Self { name: "MIT", address: MIT.address(), domain: MIT_DOMAIN, ahead: 0 }
    }

    fn now(self) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let ahead = Duration::from_secs(self.ahead.unsigned_abs());
        if self.ahead < 0 { now - ahead } else { now + ahead }
    }

    /// One message over TCP, and its reply.
    fn send(self, port: u16, message: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect((self.address, port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(&u32::try_from(message.len()).unwrap().to_be_bytes()).unwrap();
        stream.write_all(message).unwrap();
        let mut length = [0; 4];
        stream.read_exact(&mut length).unwrap();
        let mut reply = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        stream.read_exact(&mut reply).unwrap();
        reply
    }

    fn drive(self, begun: Result<(AsExchange<'_>, Vec<u8>), Error>) -> Result<Ticket, Error> {
        let (mut exchange, mut request) = begun?;
        loop {
            match exchange.answer(&self.send(88, &request), self.now(), &mut SystemRandom)? {
                Next::Send(next) => request = next,
                Next::Done(ticket) => return Ok(*ticket),
            }
        }
    }

    fn with(self, name: &str, credential: Credential, workstation: Option<&str>) -> Result<Ticket, Error> {
        let account = Principal::account(name, self.domain).unwrap();
        let client = Client { account, credential, workstation: workstation.map(str::to_owned) };
        self.drive(AsExchange::begin(&client, &mut SystemRandom))
    }

    fn by_password(self, name: &str, password: &str) -> Result<Ticket, Error> {
        self.with(name, Credential::Password(Password::new(password.to_owned())), None)
    }

    fn by_keytab(self, name: &str, file: &Path) -> Result<Ticket, Error> {
        let keytab = Keytab::parse(&std::fs::read(file).unwrap()).unwrap();
        self.with(name, Credential::Keytab(keytab), None)
    }

    fn service(self, granting: &Ticket, components: &[&str]) -> Result<Ticket, Error> {
        let service = Principal::service(components, self.domain).unwrap();
        let (exchange, request) = TgsExchange::begin(granting, service, self.now(), &mut SystemRandom);
        exchange.answer(&self.send(88, &request), self.now())
    }

    fn change_password(self, name: &str, old: &str, new: &str) -> Result<Outcome, Error> {
        let client = Client {
            account: Principal::account(name, self.domain).unwrap(),
            credential: Credential::Password(Password::new(old.to_owned())),
            workstation: None,
        };
        let ticket = self.drive(password_change::begin_ticket(&client, &mut SystemRandom))?;
        let new = Password::new(new.to_owned());
        let (change, message) = PasswordChange::begin(&ticket, &new, self.now(), &mut SystemRandom)?;
        change.answer(&self.send(password_change::PORT, &message), self.now())
    }

    /// Prints a row of the table, and checks that the refusal says this.
    #[track_caller]
    fn refuses(self, case: &str, outcome: Result<Ticket, Error>, says: &str) {
        let error = outcome.expect_err(case).to_string();
        println!("{:<6} {case}: {error}", self.name);
        assert!(error.contains(says), "{}, {case}: {error}", self.name);
    }

    #[track_caller]
    fn gives(self, case: &str, outcome: Result<Ticket, Error>) -> Ticket {
        let ticket = outcome.unwrap_or_else(|error| panic!("{}, {case}: {error}", self.name));
        println!(
            "{:<6} {case}: a ticket for {} with a key of the type {}",
            self.name,
            ticket.client,
            ticket.enctype()
        );
        ticket
    }
}

fn on_samba(name: &str) -> String {
    SAMBA.create(name, PASSWORD, NORMAL | NEVER_EXPIRES, "CN=Users").unwrap();
    name.to_owned()
}

fn on_mit(name: &str, options: &str) -> String {
    MIT.administer(&format!("addprinc {options} -pw \"{PASSWORD}\" \"{name}\"")).unwrap();
    name.to_owned()
}

#[test]
fn both_give_tickets_by_password_and_by_keytab_in_every_type_that_they_have() {
    let mit = Kdc::mit();
    MIT.administer("addprinc -randkey ldap/dc1.mit.example.com/mit.example.com").unwrap();
    for enctype in Enctype::ALL {
        let name = on_mit(&format!("type-{}", enctype.number()), &format!("-e {enctype}:normal"));
        let granting = mit.gives(&format!("password, {enctype}"), mit.by_password(&name, PASSWORD));
        let components = ["ldap", "dc1.mit.example.com", MIT_DOMAIN];
        mit.gives("service of three parts", mit.service(&granting, &components));
        let file = MIT.file(&format!("{name}.keytab"));
        MIT.administer(&format!("ktadd -norandkey -k {} {name}", file.display())).unwrap();
        mit.gives(&format!("keytab, {enctype}"), mit.by_keytab(&name, &file));
    }

    let samba = Kdc::samba();
    let name = on_samba("svc-types");
    let granting = samba.gives("password", samba.by_password(&name, PASSWORD));
    let components = ["ldap", "dc1.corp.example.com", SAMBA_DOMAIN];
    samba.gives("service of three parts", samba.service(&granting, &components));
    let file = SAMBA.folder().join("svc-types.keytab");
    SAMBA.write_keytab(&name, &file).unwrap();
    let whole = std::fs::read(&file).unwrap();
    for enctype in [Enctype::Aes256Sha1, Enctype::Aes128Sha1] {
        std::fs::write(&file, keys_of_type(&whole, enctype)).unwrap();
        samba.gives(&format!("keytab, {enctype}"), samba.by_keytab(&name, &file));
    }
}

/// The keytab with its keys of this type alone.
fn keys_of_type(keytab: &[u8], enctype: Enctype) -> Vec<u8> {
    let (head, mut rest) = keytab.split_at(2);
    let mut kept = head.to_vec();
    while let Some((size, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*size)).unwrap();
        let (record, after) = after.split_at(length);
        let mark = [u16::try_from(enctype.number()).unwrap(), u16::try_from(enctype.key_length()).unwrap()];
        if record.windows(4).any(|part| part == mark.map(u16::to_be_bytes).concat()) {
            kept.extend(size);
            kept.extend(record);
        }
        rest = after;
    }
    kept
}

#[test]
fn both_refuse_in_words_with_what_to_do() {
    let (samba, mit) = (Kdc::samba(), Kdc::mit());
    for kdc in [samba, mit] {
        kdc.refuses("unknown", kdc.by_password("svc-of-nobody", PASSWORD), "no account svc-of-nobody");
    }
    let name = on_samba("svc-refused");
    samba.refuses("wrong", samba.by_password(&name, "wrong"), "wrong password");
    let granting = samba.by_password(&name, PASSWORD).unwrap();
    samba.refuses("unknown service", samba.service(&granting, &["ldap", "none"]), "no service ldap/none");
    SAMBA.change_flags(&name, DISABLED, 0).unwrap();
    samba.refuses("disabled", samba.by_password(&name, PASSWORD), "is disabled: enable it");
    let name = on_samba("svc-ended");
    SAMBA.account_ends_in(&name, -60).unwrap();
    samba.refuses("expired account", samba.by_password(&name, PASSWORD), "has expired: set a later date");
    let name = on_samba("svc-must-change");
    SAMBA.change_flags(&name, 0, NEVER_EXPIRES).unwrap();
    SAMBA.must_change(&name).unwrap();
    samba.refuses("must change", samba.by_password(&name, PASSWORD), "must change its password");
    let name = on_samba("svc-aged");
    SAMBA.change_flags(&name, 0, NEVER_EXPIRES).unwrap();
    SAMBA.age_password(&name, 400).unwrap();
    samba.refuses("expired password", samba.by_password(&name, PASSWORD), "password that expired");
    let day: i64 = 24 * 3600 * 10_000_000;
    let window = json!({"lockoutThreshold": 3, "lockoutDuration": -day, "lockOutObservationWindow": -day});
    SAMBA.set_policy(window).unwrap();
    let name = on_samba("svc-locked");
    SAMBA.try_wrong_passwords(&format!("{name}@{SAMBA_DOMAIN}"), 4).unwrap();
    samba.refuses("locked", samba.by_password(&name, PASSWORD), "locked");
    let name = on_samba("svc-elsewhere");
    SAMBA.set_attributes(&name, json!({"userWorkstations": "PHS1"})).unwrap();
    let password = || Credential::Password(Password::new(PASSWORD.to_owned()));
    samba.refuses("another workstation", samba.with(&name, password(), Some("PHS2")), "from this machine");
    samba.gives("its workstation", samba.with(&name, password(), Some("PHS1")));

    let name = on_mit("refused", "");
    mit.refuses("wrong", mit.by_password(&name, "wrong"), "wrong password");
    let granting = mit.by_password(&name, PASSWORD).unwrap();
    mit.refuses("unknown service", mit.service(&granting, &["ldap", "none"]), "no service ldap/none");
    let name = on_mit("disabled", "-allow_tix");
    mit.refuses("disabled", mit.by_password(&name, PASSWORD), "disabled");
    let name = on_mit("ended", "-expire yesterday");
    mit.refuses("expired account", mit.by_password(&name, PASSWORD), "has expired");
    let name = on_mit("must-change", "+needchange");
    mit.refuses("must change", mit.by_password(&name, PASSWORD), "has expired: set a new one");
    let name = on_mit("aged", "-pwexpire yesterday");
    mit.refuses("expired password", mit.by_password(&name, PASSWORD), "has expired: set a new one");
    MIT.administer("addpol -maxfailure 2 two").unwrap();
    let name = on_mit("locked", "-policy two");
    for _ in 0..2 {
        assert!(mit.by_password(&name, "wrong").is_err());
    }
    mit.refuses("locked", mit.by_password(&name, PASSWORD), "locked");
    let name = on_mit("rc4", "-e rc4-hmac:normal");
    mit.refuses("RC4 only", mit.by_password(&name, PASSWORD), "set its password once more");
}

#[test]
fn a_domain_of_aes_128_brings_every_password_and_one_of_rc4_is_refused_in_words() {
    let domain = own_domain(50);
    let kdc = Kdc { address: domain.address(), ..Kdc::samba() };
    domain.create("svc-type", PASSWORD, NORMAL | NEVER_EXPIRES, "CN=Users").unwrap();
    domain.set_option("kdc supported enctypes", "aes128-cts-hmac-sha1-96").unwrap();
    let granting = kdc.gives("AES 128 alone, password", kdc.by_password("svc-type", PASSWORD));
    let components = ["ldap", "dc1.corp.example.com", SAMBA_DOMAIN];
    let ticket = kdc.gives("AES 128 alone, the DC", kdc.service(&granting, &components));
    assert_eq!([granting.enctype(), ticket.enctype()], [Enctype::Aes128Sha1; 2]);
    let road = Road::new(Arc::clone(&domain), "entra");
    assert!(road.once()["digests_sent"].as_u64().unwrap() >= 50);
    road.assert_everybody_gets_in();
    road.assert_nobody_else_gets_in();

    domain.set_option("kdc supported enctypes", "arcfour-hmac-md5").unwrap();
    kdc.refuses("RC4 alone", kdc.by_password("svc-type", PASSWORD), "no AES key in common");
    let settings = PhsSettings::for_domain(&domain, "entra");
    assert_refused(&domain, &settings, 4, &["no AES key in common", "msDS-SupportedEncryptionTypes"]);
}

#[test]
fn a_clock_that_is_too_far_off_is_named_with_its_size_and_its_side() {
    let names = [on_samba("svc-clock"), on_mit("clock", "")];
    for (kdc, name) in [Kdc::samba(), Kdc::mit()].into_iter().zip(names) {
        // The KDC's limit is 300 s. A message on its way makes the first of the two smaller, so it has some room.
        for (ahead, side) in [(304, "the clock of this machine is 30"), (-301, "the clock of the KDC is 30")]
        {
            let off = Kdc { ahead, ..kdc };
            kdc.refuses(&format!("clock {ahead} s off"), off.by_password(&name, PASSWORD), side);
            let near = Kdc { ahead: ahead / 2, ..kdc };
            near.gives(&format!("clock {} s off", ahead / 2), near.by_password(&name, PASSWORD));
        }
    }
}

#[test]
fn names_are_taken_as_the_kdc_takes_them() {
    let (samba, mit) = (Kdc::samba(), Kdc::mit());
    let name = on_samba("svc-before");
    SAMBA.rename(&name, "svc-after").unwrap();
    samba.gives("renamed, with the old salt", samba.by_password("svc-after", PASSWORD));
    samba.gives("mixed case", samba.by_password("SVC-After", PASSWORD));
    let name = on_samba("svc-jörg");
    samba.gives("umlaut", samba.by_password(&name, PASSWORD));
    let name = on_samba("svc-upn");
    SAMBA.set_attributes(&name, json!({"userPrincipalName": "someone@mail.example.com"})).unwrap();
    let ticket = samba.gives("user principal name", samba.by_password("someone@mail.example.com", PASSWORD));
    assert_eq!(ticket.client.components(), ["svc-upn"]);
    let name = on_samba("svc-open");
    SAMBA.change_flags(&name, NO_PREAUTHENTICATION, 0).unwrap();
    samba.gives("no pre-authentication", samba.by_password(&name, PASSWORD));
    // Samba asks for it all the same.
    samba.refuses("no pre-authentication, wrong", samba.by_password(&name, "wrong"), "wrong password");

    let name = on_mit("jörg", "");
    mit.gives("umlaut", mit.by_password(&name, PASSWORD));
    let name = on_mit("open", "-requires_preauth");
    mit.gives("no pre-authentication", mit.by_password(&name, PASSWORD));
    mit.refuses("no pre-authentication, wrong", mit.by_password(&name, "wrong"), "does not open");
    let name = on_mit("salted", "-e aes256-cts-hmac-sha1-96:special");
    mit.gives("a random salt", mit.by_password(&name, PASSWORD));
}

#[test]
fn keytabs_of_several_writers_are_read() {
    let mit = Kdc::mit();
    let name = on_mit("kept", "");
    let file = MIT.file("kept.keytab");
    let add = || MIT.administer(&format!("ktadd -k {} {name}", file.display())).unwrap();
    add();
    let old = std::fs::read(&file).unwrap();
    mit.gives("keytab with key number 2", mit.by_keytab(&name, &file));
    add();
    mit.gives("keytab with the key numbers 2 and 3", mit.by_keytab(&name, &file));
    // An entry of another tool that is not understood, before the right one.
    let odd = [&9u32.to_be_bytes()[..], b"\0\x09\xff\xff odd."].concat();
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, [&whole[..2], &odd, &whole[2..]].concat()).unwrap();
    mit.gives("keytab with an odd entry first", mit.by_keytab(&name, &file));
    std::fs::write(&file, old).unwrap();
    mit.refuses("keytab with the old key alone", mit.by_keytab(&name, &file), "outdated keytab");
}

/// The bytes of hexadecimal digits.
fn bytes(of: &serde_json::Value) -> Vec<u8> {
    let digits = of.as_str().unwrap_or_default();
    let mut bytes = vec![0; digits.len() / 2];
    assert!(read_lower(digits, &mut bytes), "{of}");
    bytes
}

#[test]
fn a_service_of_mit_s_and_ours_seal_and_open_for_each_other_in_every_type() {
    let mit = Kdc::mit();
    let name = on_mit("initiator", "");
    for enctype in Enctype::ALL {
        // 1. A service with a key of this type alone, so that the session's key is of it too.
        let service = format!("host/sealed-{}.mit.example.com", enctype.number());
        MIT.administer(&format!("addprinc -e {enctype}:normal -randkey {service}")).unwrap();
        MIT.administer(&format!("setstr {service} session_enctypes {enctype}")).unwrap();
        let file = MIT.file(&format!("sealed-{}.keytab", enctype.number()));
        MIT.administer(&format!("ktadd -norandkey -k {} {service}", file.display())).unwrap();
        let granting = mit.by_password(&name, PASSWORD).unwrap();
        let (kind, host) = service.split_once('/').unwrap();
        let ticket = mit.gives("a service of one type", mit.service(&granting, &[kind, host]));
        assert_eq!(ticket.enctype(), enctype);
        // 2. Three legs.
        let mut acceptor = MIT.accept(&file).unwrap();
        let (initiator, token) = Initiator::begin(ticket, mit.now(), &mut SystemRandom);
        let second = acceptor.ask(&json!({"do": "accept", "token": lower(&token)})).unwrap();
        assert_eq!(second["done"], false, "{second}");
        let (mut context, third) =
            initiator.answer(&bytes(&second["token"]), mit.now(), &mut SystemRandom).unwrap();
        let end = acceptor.ask(&json!({"do": "accept", "token": lower(&third)})).unwrap();
        assert_eq!(end["done"], true, "{end}");
        // 3. Both directions, with signed parts around, some times.
        for round in 0..3_u8 {
            let mut body = [round; 48];
            let token = context.seal(b"head", &mut body, b"trailer.", &mut SystemRandom);
            let message = json!({"do": "open", "before": lower(b"head"), "body": lower(&body),
                "after": lower(b"trailer."), "token": lower(&token)});
            let opened = acceptor.ask(&message).unwrap();
            assert_eq!(
                (bytes(&opened["body"]), &opened["sealed"]),
                (vec![round; 48], &json!(true)),
                "{opened}"
            );
            let message = json!({"do": "seal", "before": lower(b"head"), "body": lower(&[round; 32]),
                "after": lower(b"trailer.")});
            let sealed = acceptor.ask(&message).unwrap();
            let (data, token) = (bytes(&sealed["body"]), bytes(&sealed["token"]));
            let opened = context.open(b"head", &data, b"trailer.", &token);
            assert_eq!(*opened.unwrap_or_else(|why| panic!("{enctype}: {why}: {sealed}")), [round; 32]);
        }
        println!("MIT    sealed and opened, {enctype}: 3 messages each way");
    }
}

/// MIT's own `kpasswd`: its exit status and its words.
fn kpasswd(kdc: Kdc, name: &str, old: &str, new: &str) -> (Option<i32>, String) {
    let mut command = match kdc.name {
        "MIT" => MIT.program("/usr/bin/kpasswd").unwrap(),
        _ => {
            let mut command = view::command("/usr/bin/kpasswd").unwrap();
            command.env("KRB5_CONFIG", SAMBA.folder().join("krb5.conf"));
            command
        }
    };
    command.arg(format!("{name}@{}", kdc.domain.to_uppercase()));
    let input = format!("{old}\n{new}\n{new}\n");
    let folder = SAMBA.folder().join("output");
    let done = Running::start(command, Some(input.as_bytes()), &folder).unwrap().finish(30).unwrap();
    (done.code, format!("{} {}", done.stdout, done.stderr))
}

#[test]
fn a_password_is_changed_with_the_old_one_and_refused_as_mit_s_kpasswd_says() {
    let day: i64 = 24 * 3600 * 10_000_000;
    SAMBA.set_policy(json!({"minPwdLength": 9, "pwdHistoryLength": 3, "maxPwdAge": -180 * day})).unwrap();
    MIT.administer("addpol -minlength 9 -history 3 nine").unwrap();
    let names = [on_samba("person"), on_mit("person", "-policy nine")];
    for (kdc, name) in [Kdc::samba(), Kdc::mit()].into_iter().zip(names) {
        // Ours, then MIT's, each from the last one's password.
        let steps = ["A better password (1)", "A better password (2)"];
        assert_eq!(kdc.change_password(&name, PASSWORD, steps[0]).unwrap(), Outcome::Changed, "{}", kdc.name);
        let (code, said) = kpasswd(kdc, &name, steps[0], steps[1]);
        assert_eq!(code, Some(0), "{}: {said}", kdc.name);
        kdc.gives("the changed password", kdc.by_password(&name, steps[1]));
        // Both refuse the same, and the service's words are the same.
        for new in ["short", steps[0]] {
            let outcome = kdc.change_password(&name, steps[1], new).unwrap();
            let Outcome::Refused { code: 4, reason: Reason::Text(reason), .. } = outcome else {
                panic!("{}: {outcome:?}", kdc.name)
            };
            let (code, said) = kpasswd(kdc, &name, steps[1], new);
            println!("{:<6} {reason:?} and kpasswd: {said:?}", kdc.name);
            assert_eq!(code, Some(2), "{}: {said}", kdc.name);
            let words = reason.split('.').next().unwrap();
            assert!(said.contains(words), "{}: {reason} and {said}", kdc.name);
        }
        let wrong = kdc.change_password(&name, "wrong", "A better password (3)").unwrap_err();
        assert!(wrong.to_string().contains("wrong password"), "{wrong}");
    }
    let change = |kdc: Kdc, why: &str, from: u32, to: u32| {
        let password = |number| format!("A better password ({number})");
        let outcome = kdc.change_password("person", &password(from), &password(to));
        assert_eq!(outcome.unwrap(), Outcome::Changed, "{}: {why}", kdc.name);
    };
    SAMBA.must_change("person").unwrap();
    change(Kdc::samba(), "must change", 2, 4);
    SAMBA.age_password("person", 400).unwrap();
    change(Kdc::samba(), "expired", 4, 5);
    MIT.administer("modprinc +needchange person").unwrap();
    change(Kdc::mit(), "must change", 2, 4);
    MIT.administer("modprinc -pwexpire yesterday person").unwrap();
    change(Kdc::mit(), "expired", 4, 5);
}

#[test]
fn a_member_computer_that_plays_dc_gets_no_ticket_and_phs_says_so() {
    let settings = delegate(&SAMBA, "svc-reads", true);
    let member = json!({
        "objectClass": "computer",
        "sAMAccountName": "MEMBER$",
        "userAccountControl": WORKSTATION,
        "clearTextPassword": {"hex": hex_utf16(PASSWORD)},
        "servicePrincipalName": ["ldap/member.corp.example.com", "HOST/member.corp.example.com"],
    });
    SAMBA.add("CN=MEMBER,CN=Computers", member).unwrap();
    // The KDC gives any account a ticket for the name that the computer may write, and no account one for the other.
    let tickets = SAMBA.folder().join("tickets-of-svc-reads");
    let run = |program: &str, arguments: &[&str]| {
        let mut command = view::command(program).unwrap();
        command.env("KRB5_CONFIG", SAMBA.folder().join("krb5.conf"));
        command.env("KRB5CCNAME", format!("FILE:{}", tickets.display())).args(arguments);
        Running::start(command, None, &SAMBA.folder().join("output")).unwrap().finish(30).unwrap()
    };
    let keytab = settings.keytab.clone().unwrap();
    run("/usr/bin/kinit", &["-k", "-t", keytab.to_str().unwrap(), "svc-reads"]).expect_code(0);
    run("/usr/bin/kvno", &["ldap/member.corp.example.com"]).expect_code(0);
    run("/usr/bin/kvno", &["ldap/dc1.corp.example.com/corp.example.com"]).expect_code(0);
    let refused = run("/usr/bin/kvno", &["ldap/member.corp.example.com/corp.example.com"]).expect_code(1);
    assert!(refused.stderr.contains("not found"), "{refused}");
    // phs that is led there, as by forged DNS.
    let led = PhsSettings { controller: "member.corp.example.com".into(), ..settings };
    assert_refused(&SAMBA, &led, 4, &["ldap/member.corp.example.com/corp.example.com"]);
}

/// A password as the directory takes it, in hexadecimal digits.
fn hex_utf16(text: &str) -> String {
    lower(&text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>())
}

/// Where the recordings are.
fn recordings(kdc: Kdc) -> std::path::PathBuf {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kerberos/captures");
    captures.join(kdc.name.to_lowercase())
}

#[test]
#[ignore = "records the replies of both KDCs for tests/offline.rs"]
fn record() {
    let first = recorded::PASSWORDS[0];
    SAMBA.create(recorded::ACCOUNT, first, NORMAL | NEVER_EXPIRES, "CN=Users").unwrap();
    MIT.administer(&format!("addprinc -pw \"{first}\" {}", recorded::ACCOUNT)).unwrap();
    MIT.administer("addprinc -randkey ldap/dc1.mit.example.com/mit.example.com").unwrap();
    for kdc in [Kdc::samba(), Kdc::mit()] {
        let (folder, now) = (recordings(kdc), kdc.now());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("time"), now.as_nanos().to_string()).unwrap();
        let walked = recorded::walk(kdc.domain, now, |step, port, message| {
            let reply = kdc.send(port, message);
            std::fs::write(folder.join(format!("{step}.msg")), &reply).unwrap();
            reply
        });
        assert_eq!(walked.unwrap().outcome, Outcome::Changed);
    }
}
