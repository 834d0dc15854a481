//! The program itself, as an administrator runs it: results on stdout, the rest on stderr, the exit codes of the
//! manual.

use crate::harness::{DEADLINE, bare_post};
use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_landbridge-tenant");

/// A loopback address that no other test process uses: 127.128.0.0/9 with the process id, of at most 22 bits, in it.
pub(crate) fn own_address() -> IpAddr {
    Ipv4Addr::from(0x7f80_0000 | std::process::id()).into()
}

/// A port of that address for a program to bind. Each is returned once, so no other test has it.
pub(crate) fn unused_port() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(12_500);
    SocketAddr::new(own_address(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A folder with a tenant in it; what serves is killed with it.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) listen: SocketAddr,
    pub(crate) observe: SocketAddr,
    serving: Option<Child>,
    environment: Vec<(String, String)>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(mut child) = self.serving.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        let (listen, observe) = (unused_port(), unused_port());
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
            listen,
            observe,
            serving: None,
            environment: Vec::new(),
        };
        let url = format!("https://{listen}");
        let data = place.folder.path().join("data").display().to_string();
        let (at, metrics) = (listen.to_string(), observe.to_string());
        let init = ["init", "--url", &url, "--listen", &at, "--observe", &metrics, "--data-directory", &data];
        let made = place.run(&init, "");
        assert_eq!(code(&made), 0, "{made:?}");
        place
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("tenant.toml")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .env_clear()
            .envs(self.environment.iter().cloned())
            .arg("--config")
            .arg(self.config())
            .args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    pub(crate) fn serve(&mut self, level: &str) {
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let mut command = self.command(&["serve", "--log-level", level]);
        self.serving = Some(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        let end = Instant::now() + DEADLINE;
        while TcpStream::connect(self.listen).is_err() {
            assert!(Instant::now() < end, "it does not serve: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(self.serving.as_ref().unwrap());
        rustix::process::kill_process(id, signal).unwrap();
    }

    pub(crate) fn terminate(&mut self) -> i32 {
        self.signal(rustix::process::Signal::TERM);
        let mut child = self.serving.take().unwrap();
        child.wait().unwrap().code().unwrap()
    }
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) const ADD: [&str; 8] =
    ["domains", "add", "--name", "corp.example.com", "--netbios", "CORP", "--sid", "S-1-5-21-1-2-3"];

#[test]
fn a_domain_that_is_not_added_says_where_its_names_and_its_sid_are_found() {
    let mut place = Place::new();
    place.serve("info");
    let add = |name: &str, netbios: &str, sid: &str| {
        let refused = place.run(&["domains", "add", "--name", name, "--netbios", netbios, "--sid", sid], "");
        (code(&refused), errors(&refused))
    };
    let (domain, sid) = ("my_corp.example.com", "S-1-5-21-1-2-3");
    for (name, netbios, sid, todo) in [
        ("a b", "CORP", sid, "Get-ADDomain"),
        (domain, "A\\B", sid, "Get-ADDomain"),
        (domain, "CORP", "S-1-5-21-1-2-3-500", "`landbridge-phs check` prints it"),
        (domain, "CORP", "", "net getdomainsid"),
    ] {
        let (code, text) = add(name, netbios, sid);
        assert_eq!(code, 4, "{text}");
        let todo_line = text.lines().find(|line| line.starts_with("to do: "));
        assert!(todo_line.is_some_and(|line| line.contains(todo)), "{text}");
    }
    assert_eq!(add(domain, "AT&T", sid).0, 0);
    assert!(add(domain, "AT&T", sid).1.contains("`landbridge-tenant domains list`"));
    assert!(said(&place.run(&["domains", "list"], "")).contains("AT&T"));
    assert_eq!(code(&place.run(&["token", "create", "--role", "phs", "--domain", "at&t"], "")), 0);
}

#[test]
fn every_command_ends_with_the_exit_code_of_the_manual() {
    let mut place = Place::new();
    assert_eq!(code(&place.run(&["agents", "list"], "")), 5, "nobody serves yet");
    place.serve("info");
    assert_eq!(code(&place.run(&ADD, "")), 0);
    assert_eq!(code(&place.run(&ADD, "")), 4);
    assert_eq!(code(&place.run(&["agents", "approve", "6f1c2a52-6f0e-4d5e-9b0e-0f6f3a1c9d11"], "")), 4);
    assert_eq!(code(&place.run(&["agents", "approve", "nonsense"], "")), 2);
    assert_eq!(
        code(&place.run(&["token", "create", "--role", "phs", "--domain", "corp", "--minutes", "11"], "")),
        2
    );
    assert_eq!(code(&place.run(&["domains", "policy", "corp", "refuse"], "")), 0);
    assert_eq!(code(&place.run(&["domains", "policy", "corp", "phs", "--group", "Pilot"], "")), 4);
    assert_eq!(code(&place.run(&["domains", "policy", "corp", "--group", "Pilot", "--remove"], "")), 4);
    assert_eq!(code(&place.run(&["domains", "policy", "corp", "--group", "Pilot"], "")), 2, "which policy?");
    assert_eq!(code(&place.run(&["domains", "policy", "corp", "--remove"], "")), 2, "of which group?");
    fn suffix<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["domains", "suffix"], more].concat()
    }
    assert_eq!(code(&place.run(&suffix(&["add", "corp", "example.com"]), "")), 0);
    assert_eq!(code(&place.run(&suffix(&["add", "corp", "a@b"]), "")), 4);
    let remove = suffix(&["remove", "corp", "example.com"]);
    let unasked = place.run(&remove, "y\n");
    assert_eq!(code(&unasked), 2, "no terminal to ask on");
    assert!(errors(&unasked).starts_with("0 accounts of corp.example.com lose their name"), "{unasked:?}");
    let listed = said(&place.run(&suffix(&["list"]), ""));
    let lines: Vec<&str> = listed.lines().map(str::trim_end).collect();
    let expected = [
        "DOMAIN            SUFFIX            STATE         ACCOUNTS",
        "corp.example.com  corp.example.com  its own name  0",
        "corp.example.com  example.com       declared      0",
    ];
    assert_eq!(lines, expected);
    assert_eq!(code(&place.run(&[&remove[..], &["--yes"]].concat(), "")), 0);
    assert_eq!(code(&place.run(&[&remove[..], &["--yes"]].concat(), "")), 4);
    let lab = ["domains", "add", "--name", "lab.example.net", "--netbios", "LAB", "--sid", "S-1-5-21-4-5-6"];
    assert_eq!(code(&place.run(&lab, "")), 0);
    // What refuses less asks if somebody has less; here nobody has.
    let least = |more: &[&str]| code(&place.run(&[&["domains", "policy", "lab"], more].concat(), ""));
    assert_eq!(least(&["--min-iterations", "600000"]), 0);
    assert_eq!(least(&["--min-iterations", "600001"]), 4, "no profile has as many");
    assert_eq!(least(&["--min-iterations", "0"]), 4);
    assert_eq!(least(&["phs", "--min-iterations", "1000"]), 2, "one setting at a time");
    assert_eq!(least(&["phs", "--yes"]), 2, "yes to what?");
    assert!(said(&place.run(&["domains", "policy", "lab"], "")).contains("at least 600000 iterations"));
    let nothing = place.run(&["domains", "move-objects", "corp", "lab"], "");
    assert_eq!(code(&nothing), 4);
    assert!(errors(&nothing).starts_with("error: corp has no object that moved to lab"), "{nothing:?}");
    let one = "6f1c2a52-6f0e-4d5e-9b0e-0f6f3a1c9d11";
    assert_eq!(code(&place.run(&["domains", "move-objects", "corp", "lab", one], "y\n")), 2);
    assert_eq!(code(&place.run(&["domains", "move-objects", "corp", "lab", one, "--yes"], "")), 4);
    let remove = ["domains", "remove", "LAB"];
    let unasked = place.run(&remove, "y\n");
    assert_eq!(code(&unasked), 2, "no terminal to ask on");
    assert!(errors(&unasked).starts_with("lab.example.net (S-1-5-21-4-5-6) is removed, with"), "{unasked:?}");
    assert_eq!(code(&place.run(&[&remove[..], &["--yes"]].concat(), "")), 0);
    assert_eq!(code(&place.run(&[&remove[..], &["--yes"]].concat(), "")), 4, "it is gone");
    assert_eq!(code(&place.run(&lab, "")), 0, "and can be added again");
    assert_eq!(code(&place.run(&["users", "purge", "nobody"], "")), 4);
    assert_eq!(code(&place.run(&["groups", "show", "nobody"], "")), 4);
    assert_eq!(said(&place.run(&["groups", "list", "--json"], "")), "[]\n");
    assert!(said(&place.run(&["users", "ambiguous"], "")).starts_with("NAME  ACCOUNTS"));
    assert_eq!(code(&place.run(&["serve"], "")), 3, "another one serves from there");
    let refused = place.run(&["signin", "nobody@corp.example.com", "--password-stdin"], "Hunter2!\n");
    assert_eq!((code(&refused), said(&refused).as_str()), (10, "refused: unknown-name\n"));
    assert_eq!(
        code(&place.run(&["signin", "nobody@corp.example.com"], "Hunter2!")),
        2,
        "no terminal to ask on"
    );
    assert_eq!(code(&place.run(&["signin", "nobody@corp.example.com", "--password", "Hunter2!"], "")), 2);
    assert_eq!(place.terminate(), 0);

    let text = fs::read_to_string(place.config()).unwrap();
    fs::write(place.config(), format!("{text}\ncolour = \"red\"\n")).unwrap();
    let wrong = place.run(&["serve"], "");
    assert_eq!(code(&wrong), 3);
    assert!(
        errors(&wrong).contains(&format!("tenant.toml, line {}", text.lines().count() + 2)),
        "{}",
        errors(&wrong)
    );
    fs::write(place.config(), text).unwrap();
    let database = place.folder.path().join("data/tenant.db");
    fs::write(&database, "no database").unwrap();
    fs::set_permissions(&database, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(code(&place.run(&["serve"], "")), 8);
}

#[test]
fn a_token_and_a_credential_stand_alone_on_stdout() {
    let mut place = Place::new();
    place.serve("info");
    assert_eq!(code(&place.run(&ADD, "")), 0);
    let token = said(&place.run(&["token", "create", "--role", "phs", "--domain", "CORP"], ""));
    let parsed = landbridge_wire::enroll::Token::parse(&token).unwrap();
    assert_eq!(parsed.url.as_str(), format!("https://{}", place.listen));
    assert_eq!(token.lines().count(), 1);
    let credential = said(&place.run(&["apps", "create", "--name", "mail"], ""));
    assert!(credential.starts_with("lba1.") && credential.lines().count() == 1);
    let apps = said(&place.run(&["apps", "list", "--json"], ""));
    let apps: serde_json::Value = serde_json::from_str(&apps).unwrap();
    assert_eq!(apps[0]["name"], "mail");
    assert!(said(&place.run(&["apps", "list"], "")).starts_with("NAME  STATE"));
}

#[test]
fn every_error_names_its_reason_and_what_to_do() {
    let place = Place::new();
    let error = errors(&place.run(&["apps", "list"], ""));
    let lines: Vec<_> = error.lines().collect();
    assert!(lines[0].starts_with("error: the tenant is not running"), "{error}");
    assert!(lines[1].starts_with("to do: "), "{error}");
}

#[test]
fn the_help_is_complete() {
    let help = Command::new(PROGRAM).arg("--help").output().unwrap();
    let help = said(&help);
    for word in [
        "init",
        "serve",
        "domains",
        "token",
        "agents",
        "apps",
        "users",
        "groups",
        "signin",
        "backup",
        "restore",
        "Exit codes",
        "Examples",
    ] {
        assert!(help.contains(word), "{word}");
    }
}

#[test]
fn a_command_that_lacks_one_of_several_flags_names_them_all_and_proposes_none() {
    for (command, flags) in [
        (["apps", "assign", "mail"], "<--group <GROUP>|--remove <GROUP>|--everybody>"),
        (["apps", "networks", "mail"], "<--add <NETWORK>|--remove <NETWORK>>"),
    ] {
        let output = Command::new(PROGRAM).args(command).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && error.contains(flags), "{error}");
    }
}

#[test]
fn keys_may_be_systemd_credentials_and_the_log_may_be_json() {
    let mut place = Place::new();
    let data = place.folder.path().join("data");
    let credentials = place.folder.path().join("credentials");
    fs::rename(data.join("secrets"), &credentials).unwrap();
    let text = fs::read_to_string(place.config()).unwrap();
    let keys = "ca_key = \"credential:ca.key\"\nseal_keys = [\"credential:seal.key\"]\n\n[signin]";
    let text = text.replace("[signin]", keys).replace("format = \"human\"", "format = \"json\"");
    fs::write(place.config(), text).unwrap();
    let without = place.run(&["serve"], "");
    assert_eq!(code(&without), 3);
    assert!(errors(&without).contains("CREDENTIALS_DIRECTORY"), "{}", errors(&without));
    place.environment = vec![("CREDENTIALS_DIRECTORY".to_owned(), credentials.display().to_string())];
    place.serve("info");
    assert_eq!(code(&place.run(&ADD, "")), 0);
    assert_eq!(place.terminate(), 0);
    for line in place.log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
    }
}

#[test]
fn at_trace_the_log_holds_no_password_token_credential_or_key() {
    let mut place = Place::new();
    place.serve("trace");
    assert_eq!(code(&place.run(&ADD, "")), 0);
    let token = said(&place.run(&["token", "create", "--role", "phs", "--domain", "CORP"], ""));
    let secret = landbridge_wire::enroll::Token::parse(&token).unwrap().secret.lend(str::to_owned);
    let credential = said(&place.run(&["apps", "create", "--name", "mail"], ""));
    place.run(&["signin", "nobody@corp.example.com", "--password-stdin"], "Hunter2!-and-more");
    // Over TLS too, as an application.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let root = fs::read(place.folder.path().join("data/tls/root.pem")).unwrap();
    let body = r#"{"user":"nobody@corp.example.com","password":"Hunter2!-and-more"}"#;
    let bearer = format!("Bearer {}", credential.trim());
    let answer = runtime.block_on(bare_post(place.listen, &root, "/v1/signin", &bearer, body.as_bytes()));
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert_eq!(place.terminate(), 0);
    let log = place.log();
    assert!(log.contains("serving"), "{log}");
    let credential_secret = credential.trim().rsplit_once('.').unwrap().1.to_owned();
    for known in [secret, credential_secret, token.trim().to_owned(), "Hunter2!".to_owned()] {
        assert!(!log.contains(&known), "{known} stands in the log");
    }
}

#[test]
fn a_tenant_that_serves_is_backed_up_and_not_restored_over() {
    let mut place = Place::new();
    place.serve("info");
    assert_eq!(code(&place.run(&ADD, "")), 0);
    let folder = place.folder.path().to_owned();
    let path = |name: &str| folder.join(name).display().to_string();
    let (backup, keys) = (path("backup"), path("keys"));
    let made = place.run(&["backup", &backup, "--keys", &keys], "");
    assert_eq!(code(&made), 0, "{}", errors(&made));
    assert!(said(&made).contains("corp.example.com"), "{}", said(&made));
    assert_eq!(code(&place.run(&["backup", &backup], "")), 3, "it is there already");
    assert_eq!(code(&place.run(&["backup"], "")), 2);
    assert_eq!(code(&place.run(&["backup", &path("one"), "--keys", &path("one")], "")), 2);
    let over = place.run(&["restore", &backup, "--keys", &keys], "");
    assert_eq!(code(&over), 3);
    assert!(errors(&over).contains("a tenant serves from it"), "{}", errors(&over));
    assert_eq!(place.terminate(), 0);
    let over = place.run(&["restore", &backup, "--keys", &keys], "");
    assert_eq!(code(&over), 3);
    assert!(!errors(&over).contains("a tenant serves from it"), "{}", errors(&over));
    fs::remove_dir_all(folder.join("data")).unwrap();
    assert_eq!(code(&place.run(&["restore", &path("nothing"), "--keys", &keys], "")), 3);
    let back = place.run(&["restore", &backup, "--keys", &keys], "");
    assert_eq!(code(&back), 0, "{}", errors(&back));
    place.serve("info");
    assert!(said(&place.run(&["domains", "list"], "")).contains("corp.example.com"));
}

/// Under systemd's DynamicUser the state directory is reached through a link.
#[test]
fn a_data_directory_may_be_reached_through_a_link() {
    let mut place = Place::new();
    let data = place.folder.path().join("data");
    fs::rename(&data, place.folder.path().join("private")).unwrap();
    std::os::unix::fs::symlink("private", &data).unwrap();
    place.serve("info");
    assert_eq!(code(&place.run(&ADD, "")), 0);
    let folder = place.folder.path().to_owned();
    let path = |name: &str| folder.join(name).display().to_string();
    let made = place.run(&["backup", &path("backup"), "--keys", &path("keys")], "");
    assert_eq!(code(&made), 0, "{}", errors(&made));
    assert_eq!(place.terminate(), 0);
    fs::remove_dir_all(folder.join("private")).unwrap();
    fs::create_dir(folder.join("private")).unwrap();
    let back = place.run(&["restore", &path("backup"), "--keys", &path("keys")], "");
    assert_eq!(code(&back), 0, "{}", errors(&back));
    assert!(data.is_symlink() && folder.join("private/secrets/ca.key").exists());
    place.serve("info");
}
