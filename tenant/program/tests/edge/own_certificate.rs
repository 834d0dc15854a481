//! Applications at an address of their own, with a certificate that the administrator brings and renews.

use crate::command_line::{ADD, Place, code, errors, own_address, said, unused_port};
use crate::harness::{DEADLINE, bare_post, request, trusting, until};
use hyper::StatusCode;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustix::process::Signal;
use rustls::pki_types::{CertificateDer, ServerName};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use time::{Duration, OffsetDateTime};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A public CA, as far as the applications here are concerned.
struct Ca {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// A certificate for this machine and its key, both PEM.
    fn issue(&self, days: i64) -> (String, String) {
        let mut params = CertificateParams::new([own_address().to_string()]).unwrap();
        params.not_before = OffsetDateTime::now_utc() - Duration::days(30);
        params.not_after = OffsetDateTime::now_utc() + Duration::days(days) + Duration::hours(1);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    async fn connect(&self, to: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(to).await?;
        trusting(self.certificate.clone()).connect(ServerName::from(to.ip()), stream).await
    }

    /// The certificate that a new connection is shown.
    async fn shown(&self, to: SocketAddr) -> CertificateDer<'static> {
        let tls = self.connect(to).await.unwrap();
        tls.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    }
}

/// As certbot does it: a new file each, and links that point to the newest.
fn bring(place: &Place, pair: (&str, &str)) {
    let folder = place.folder.path();
    for (name, text) in [("fullchain", pair.0), ("privkey", pair.1)] {
        let (link, new) =
            (folder.join(format!("{name}.pem")), format!("{name}-{}.pem", uuid::Uuid::new_v4()));
        fs::write(folder.join(&new), text).unwrap();
        fs::set_permissions(folder.join(&new), fs::Permissions::from_mode(0o600)).unwrap();
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(new, link).unwrap();
    }
}

/// A tenant with an address for applications, and that address.
fn place(pair: (&str, &str)) -> (Place, SocketAddr) {
    place_with("applications", pair)
}

/// The same with the address of another section of the configuration.
fn place_with(section: &str, pair: (&str, &str)) -> (Place, SocketAddr) {
    let place = Place::new();
    let listen = unused_port();
    let text = fs::read_to_string(place.config()).unwrap();
    let file = |name: &str| place.folder.path().join(name).display().to_string();
    let section = format!(
        "\n[{section}]\nlisten = \"{listen}\"\ncertificate = {:?}\nkey = {:?}\n",
        file("fullchain.pem"),
        file("privkey.pem")
    );
    fs::write(place.config(), text + &section).unwrap();
    bring(&place, pair);
    (place, listen)
}

fn seconds_left(place: &Place) -> i64 {
    seconds_left_of(place, "applications")
}

fn seconds_left_of(place: &Place, section: &str) -> i64 {
    let mut stream = std::net::TcpStream::connect(place.observe).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let name = format!("landbridge_{section}_certificate_seconds_left ");
    text.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
}

fn pem(certificate: &CertificateDer<'_>) -> Vec<u8> {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n").into_bytes()
}

const BODY: &[u8] = br#"{"user":"nobody@corp.example.com","password":"Hunter2!"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_trusts_the_brought_certificate_alone_asks_for_sign_ins_and_nothing_else() {
    let ca = Ca::new();
    let (certificate, key) = ca.issue(60);
    let (mut place, listen) = place((&certificate, &key));
    place.serve("info");
    assert_eq!(code(&place.run(&ADD, "")), 0);
    let bearer = format!("Bearer {}", said(&place.run(&["apps", "create", "--name", "mail"], "")).trim());
    let answer = bare_post(listen, &pem(&ca.certificate), "/v1/signin", &bearer, BODY).await;
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("refused"), "{answer}");
    for path in ["/v1/enroll", "/v1/renew", "/v1/upload/hello", "/v1/agent", "/"] {
        let answer = bare_post(listen, &pem(&ca.certificate), path, &bearer, b"").await;
        assert!(
            answer.starts_with("HTTP/1.1 404") && answer.contains(r#""error":"not-found""#),
            "{path}: {answer}"
        );
    }
    // Agents, and applications that trust the tenant's own CA, are where they were.
    let root = fs::read(place.folder.path().join("data/tls/root.pem")).unwrap();
    let answer = bare_post(place.listen, &root, "/v1/signin", &bearer, BODY).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(ca.connect(place.listen).await.is_err(), "the tenant's own certificate stays at its own address");
    let days = seconds_left(&place) / 86_400;
    assert_eq!(days, 60);
    assert_eq!(place.terminate(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_after_a_signal_and_no_connection_is_cut() {
    let ca = Ca::new();
    let (first, second) = (ca.issue(3), ca.issue(90));
    let (mut place, listen) = place((&first.0, &first.1));
    place.serve("info");
    until("the log says that the end is near", async || place.log().contains("ends soon")).await;
    let before = ca.shown(listen).await;
    let open = ca.connect(listen).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(open)).await.unwrap();
    let driver = tokio::spawn(connection);
    let mut ask = async || {
        let asked = sender.send_request(request("POST", "/v1/signin", BODY));
        let answer = tokio::time::timeout(DEADLINE, asked).await.unwrap().unwrap();
        let status = answer.status();
        http_body_util::BodyExt::collect(answer.into_body()).await.unwrap();
        status
    };
    assert_eq!(ask().await, StatusCode::UNAUTHORIZED);

    // Half a renewal: the certificate is there, its key is not yet.
    bring(&place, (&second.0, &first.1));
    place.signal(Signal::HUP);
    until("the log says that they do not belong together", async || place.log().contains("does not belong"))
        .await;
    assert_eq!(ca.shown(listen).await, before);
    assert_eq!(seconds_left(&place) / 86_400, 3);

    bring(&place, (&second.0, &second.1));
    place.signal(Signal::HUP);
    until("new connections see the new one", async || ca.shown(listen).await != before).await;
    assert_eq!(seconds_left(&place) / 86_400, 90);
    assert_eq!(ask().await, StatusCode::UNAUTHORIZED, "the connection from before goes on");
    driver.abort();
    assert_eq!(place.terminate(), 0);
    assert!(!place.log().contains("PRIVATE KEY"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_for_ldap_is_read_again_after_a_signal_too() {
    let ca = Ca::new();
    let (first, second) = (ca.issue(3), ca.issue(90));
    let (mut place, listen) = place_with("ldap", (&first.0, &first.1));
    place.serve("info");
    until("the log says that the end is near", async || place.log().contains("ends soon")).await;
    assert!(place.log().contains("section=\"ldap\""), "{}", place.log());
    let before = ca.shown(listen).await;
    let mut open = ca.connect(listen).await.unwrap();
    assert_eq!(seconds_left_of(&place, "ldap") / 86_400, 3);
    bring(&place, (&second.0, &second.1));
    place.signal(Signal::HUP);
    until("new connections see the new one", async || ca.shown(listen).await != before).await;
    assert_eq!(seconds_left_of(&place, "ldap") / 86_400, 90);
    // The connection from before goes on: it is asked for what is no LDAP, and gets a notice.
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    open.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut notice = Vec::new();
    tokio::time::timeout(DEADLINE, open.read_to_end(&mut notice)).await.unwrap().unwrap();
    let oid = b"1.3.6.1.4.1.1466.20036";
    assert!(notice.windows(oid.len()).any(|part| part == oid), "{notice:x?}");
    assert_eq!(place.terminate(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_has_ended_is_logged_and_agents_are_still_served() {
    let ca = Ca::new();
    let over = ca.issue(-2);
    let (mut place, listen) = place((&over.0, &over.1));
    place.serve("info");
    until("the log says that it has ended", async || place.log().contains("has ended")).await;
    assert!(seconds_left(&place) < 0);
    assert!(ca.connect(listen).await.is_err());
    assert_eq!(code(&place.run(&ADD, "")), 0);
}

#[test]
fn a_pair_that_does_not_fit_or_is_open_to_others_stops_the_start_by_name() {
    let ca = Ca::new();
    let (one, other) = (ca.issue(60), ca.issue(60));
    let (place, _) = place((&one.0, &other.1));
    let refused = place.run(&["serve"], "");
    assert_eq!(code(&refused), 3);
    let text = errors(&refused);
    assert!(
        text.contains("privkey.pem") && text.contains("fullchain.pem") && text.contains("does not belong"),
        "{text}"
    );
    bring(&place, (&one.0, &one.1));
    loosen(&place.folder.path().join("privkey.pem"));
    let refused = place.run(&["serve"], "");
    assert_eq!(code(&refused), 3);
    assert!(errors(&refused).contains("others can read this key file"), "{}", errors(&refused));
}

fn loosen(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
}
