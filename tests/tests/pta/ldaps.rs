//! LDAPS servers that cannot be used, as real OpenSSL serves them: `check` names each with its certificate, in words, and
//! says what to do. And CA files in the forms in which OpenSSL exports them.

use landbridge_tests::lab::address::Address;
use landbridge_tests::lab::openssl::Openssl;
use landbridge_tests::lab::program::Running;
use landbridge_tests::lab::{PtaAgent, PtaSettings};
use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;

/// The first port of the servers of a test. An address of the lab's is a test's own.
const FIRST_PORT: u16 = 12_500;
/// For OpenSSL to serve what is old.
const OLD: &str = "-cipher DEFAULT:@SECLEVEL=0";

/// An agent that knows these domain controllers and was never enrolled.
fn agent(ca: PathBuf, controllers: Vec<(String, IpAddr, u16)>) -> PtaAgent {
    let settings = PtaSettings {
        domain: "corp.example.com",
        ca: Some(ca),
        pins: Vec::new(),
        controllers,
        kept: 1,
        connections: 1,
        level: "info",
        directory: String::new(),
        tenant: String::new(),
        defence: String::new(),
    };
    PtaAgent::install(&settings).unwrap()
}

/// The findings of `check`, and what it wrote to standard error.
fn check(agent: &PtaAgent) -> (Vec<Value>, String) {
    let done = agent.run_to_end(&["check", "--json"], None).unwrap();
    (done.json().as_array().unwrap().clone(), done.stderr)
}

/// A word as Rust writes the names of types and variants, or another sign that a library speaks.
fn is_a_librarys(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let known = ["ChaCha20-Poly1305", "CNGHashAlgorithm", "AlternateSignatureAlgorithm", "rootDSE"];
    let turns =
        word.as_bytes().windows(2).any(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase());
    turns && !known.iter().any(|known| word.contains(known))
}

#[track_caller]
fn assert_said(findings: &[Value], controller: &str, found: &str, todo: &str) {
    let what = format!("domain controller {controller}");
    let finding = findings.iter().find(|finding| finding["what"] == what.as_str()).unwrap();
    let (said, to_do) = (finding["found"].as_str().unwrap(), finding["todo"].as_str().unwrap_or_default());
    assert_eq!(finding["good"], false, "{finding}");
    assert!(said.contains(found), "{controller}: no `{found}` in: {said}");
    assert!(to_do.contains(todo), "{controller}: no `{todo}` in: {to_do}");
    for word in said.split_whitespace().chain(to_do.split_whitespace()) {
        assert!(!is_a_librarys(word), "{controller}: a library's word, `{word}`: {said} / {to_do}");
    }
    assert!(!said.contains("os error") && !said.contains("handshake eof"), "{controller}: {said}");
}

/// One server: its name, the certificate that it shows, the words of OpenSSL, and what must be found and done.
struct Case {
    name: &'static str,
    certificate: &'static str,
    words: String,
    found: &'static str,
    todo: &'static str,
}

fn case(name: &'static str, words: &str, found: &'static str, todo: &'static str) -> Case {
    Case { name, certificate: name, words: words.to_owned(), found, todo }
}

#[test]
fn every_ldaps_server_that_cannot_be_used_is_named_with_its_certificate_and_what_to_do() {
    let openssl = Openssl::new().unwrap();
    // 1. The CAs: ours, another one, a weak one, and one below ours in two forms.
    openssl.authority("corp-ca", "rsa:2048").unwrap();
    openssl.authority("other-ca", "rsa:2048").unwrap();
    openssl.authority("short-ca", "rsa:1024").unwrap();
    let ca = ["basicConstraints=critical,CA:TRUE"];
    openssl.issue("below-ca", "corp-ca", "rsa:2048", &ca, "-sha256").unwrap();
    openssl.issue("sha1-ca", "corp-ca", "rsa:2048", &ca, "-sha1").unwrap();
    let trusted = openssl.path("trusted.pem");
    let read = |file: &str| fs::read_to_string(openssl.path(file)).unwrap();
    fs::write(&trusted, read("corp-ca.pem") + &read("short-ca.pem")).unwrap();
    // 2. The certificates.
    let issue = |name: &str, by: &str, key: &str, more: &[&str], signing: &str| {
        let name_line = format!("subjectAltName=DNS:{name}");
        let lines: Vec<&str> = std::iter::once(name_line.as_str()).chain(more.iter().copied()).collect();
        openssl.issue(name, by, key, &lines, signing).unwrap();
    };
    let usual = ["cbc.test", "old.test", "client.test", "client-1-3.test", "dhe.test"];
    for name in usual {
        issue(name, "corp-ca", "rsa:2048", &[], "-sha256");
    }
    issue("sha1.test", "corp-ca", "rsa:2048", &[], "-sha1");
    issue("pss.test", "corp-ca", "rsa:2048", &[], "-sha1 -sigopt rsa_padding_mode:pss");
    issue("short.test", "corp-ca", "rsa:1024", &[], "-sha256");
    issue("by-short.test", "short-ca", "rsa:2048", &[], "-sha256");
    issue("unknown.test", "other-ca", "rsa:2048", &[], "-sha256");
    issue("missing.test", "below-ca", "rsa:2048", &[], "-sha256");
    issue("above.test", "sha1-ca", "rsa:2048", &[], "-sha256");
    issue("purpose.test", "corp-ca", "rsa:2048", &["extendedKeyUsage=clientAuth"], "-sha256");
    issue("elsewhere.test", "corp-ca", "rsa:2048", &[], "-sha256");
    issue("critical.test", "corp-ca", "rsa:2048", &["1.2.3.4=critical,ASN1:NULL"], "-sha256");
    openssl.issue("nameless.test", "corp-ca", "rsa:2048", &["basicConstraints=CA:FALSE"], "-sha256").unwrap();
    openssl.issue_off("-400d", "ended.test", "corp-ca", &["subjectAltName=DNS:ended.test"]).unwrap();
    openssl.issue_off("+400d", "young.test", "corp-ca", &["subjectAltName=DNS:young.test"]).unwrap();
    openssl
        .run("req -x509 -newkey rsa:2048 -nodes -keyout itself.test.key -out itself.test.pem -days 30 -subj /CN=itself.test -addext subjectAltName=DNS:itself.test")
        .unwrap();
    // 3. The servers.
    let old = |words: &str| format!("{OLD} {words}");
    let modern = "ECDSA";
    let cases = [
        case("cbc.test", "-tls1_2 -cipher ECDHE-RSA-AES256-SHA384", "no CBC", modern),
        case(
            "dhe.test",
            "-tls1_2 -cipher DHE-RSA-AES256-GCM-SHA384:AES256-GCM-SHA384:AES256-SHA256",
            "no cipher suite",
            "2012 R2",
        ),
        case("old.test", &old("-tls1"), "neither TLS 1.2 nor TLS 1.3", modern),
        case("client.test", "-tls1_2 -Verify 1", "client certificate", ""),
        case("client-1-3.test", "-tls1_3 -Verify 1", "client certificate", ""),
        case("sha1.test", OLD, "signed with SHA-1 and RSA", "CNGHashAlgorithm SHA256"),
        case("pss.test", OLD, "signed with RSASSA-PSS", "AlternateSignatureAlgorithm"),
        case("short.test", OLD, "RSA key of 1024 bits", "2048 bits"),
        case("by-short.test", "", "an RSA key under 2048", "2048 bits"),
        case("unknown.test", "", "issued by no CA of [directory] ca_file", "the CA \"CN=other-ca\""),
        case("missing.test", "", "issued by no CA of [directory] ca_file", "the CA \"CN=below-ca\""),
        case("above.test", &old("-cert_chain sha1-ca.pem"), "certificate \"CN=sha1-ca\"", "SHA-256"),
        case("purpose.test", "", "is not for server authentication", "Kerberos Authentication"),
        case("critical.test", "", "critical extension", "without that extension"),
        case("nameless.test", "", "no subject alternative name", "nameless.test"),
        case("ended.test", "", "has ended", "clock"),
        case("young.test", "", "is not valid yet", "clock"),
        case("itself.test", "", "signed by itself", "pins"),
        Case {
            name: "wrong.test",
            certificate: "elsewhere.test",
            ..case("", "", "is not for wrong.test", "[[directory.controllers]]")
        },
        Case {
            name: "corp-ca.test",
            certificate: "corp-ca",
            ..case("", "", "is a CA's certificate", "of its own")
        },
    ];
    let address = Address::claim().unwrap();
    let at = |n: usize| SocketAddr::new(address.ip(), FIRST_PORT + u16::try_from(n).unwrap());
    let servers: Vec<Running> = cases
        .iter()
        .enumerate()
        .map(|(n, case)| openssl.serve(at(n), case.certificate, &case.words).unwrap())
        .collect();
    // 4. Servers that do not speak TLS: LDAP in the clear, and one that closes, as Windows does without a certificate.
    let (plain, closing) = (at(cases.len()), at(cases.len() + 1));
    fake(plain, b"0\x0c\x02\x01\x00x\x07\x0a\x01\x02\x04\x00\x04\x00");
    fake(closing, b"");
    // 5. One check of all.
    let mut controllers: Vec<_> = cases
        .iter()
        .enumerate()
        .map(|(n, case)| (case.name.to_owned(), address.ip(), at(n).port()))
        .collect();
    controllers.push(("plain.test".to_owned(), address.ip(), plain.port()));
    controllers.push(("closing.test".to_owned(), address.ip(), closing.port()));
    controllers.push(("nothing.test".to_owned(), address.ip(), FIRST_PORT - 1));
    let (findings, log) = check(&agent(trusted, controllers));
    for case in &cases {
        assert_said(&findings, case.name, case.found, case.todo);
        // With its issuer and its life, unless no certificate came into it.
        let what = format!("domain controller {}", case.name);
        let finding = findings.iter().find(|finding| finding["what"] == what.as_str()).unwrap();
        let found = finding["found"].as_str().unwrap();
        assert!(usual.contains(&case.name) || found.contains("issued by \"CN="), "{found}");
    }
    assert_said(&findings, "plain.test", "does not speak TLS", "636");
    assert_said(&findings, "closing.test", "closed the connection before TLS", "certificate for LDAPS");
    assert_said(&findings, "nothing.test", "refused", "636");
    // The log has the same words.
    for word in ["no CBC", "signed with SHA-1 and RSA", "To do: "] {
        assert!(log.contains(word), "{word}: {log}");
    }
    drop(servers);
}

/// A fake that accepts, reads a little, sends these bytes and closes. Ends with the test's process.
fn fake(at: SocketAddr, answer: &'static [u8]) {
    let listener = TcpListener::bind(at).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 2048]);
            let _ = stream.write_all(answer);
        }
    });
}

#[test]
fn a_server_with_an_ecdsa_certificate_and_the_suites_of_2012_r2_is_accepted() {
    let openssl = Openssl::new().unwrap();
    openssl.authority("corp-ca", "rsa:2048").unwrap();
    let key = "ec -pkeyopt ec_paramgen_curve:P-256";
    openssl.issue("dc.test", "corp-ca", key, &["subjectAltName=DNS:dc.test"], "-sha256").unwrap();
    let address = Address::claim().unwrap();
    let at = SocketAddr::new(address.ip(), FIRST_PORT);
    let _server = openssl.serve(at, "dc.test", "-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384").unwrap();
    let (findings, _) =
        check(&agent(openssl.path("corp-ca.pem"), vec![("dc.test".to_owned(), at.ip(), at.port())]));
    // TLS is set up; what answers in it is no directory.
    assert_said(&findings, "dc.test", "no rootDSE", "");
}

#[test]
fn a_ca_file_is_taken_in_every_form_of_openssl_and_windows_and_another_file_is_named() {
    let openssl = Openssl::new().unwrap();
    openssl.authority("corp-ca", "rsa:2048").unwrap();
    openssl.issue("dc.test", "corp-ca", "rsa:2048", &["subjectAltName=DNS:dc.test"], "-sha256").unwrap();
    for words in [
        "x509 -in corp-ca.pem -outform DER -out der.cer",
        "crl2pkcs7 -nocrl -certfile corp-ca.pem -outform DER -out der.p7b",
        "crl2pkcs7 -nocrl -certfile corp-ca.pem -out pem.p7b",
        "x509 -in corp-ca.pem -trustout -addtrust serverAuth -out trusted.pem",
        "pkcs12 -export -in corp-ca.pem -inkey corp-ca.key -passout pass:hunter2 -out ca.pfx",
    ] {
        openssl.run(words).unwrap();
    }
    let pem = fs::read_to_string(openssl.path("corp-ca.pem")).unwrap().replace('\n', "\r\n");
    fs::write(openssl.path("bom.cer"), format!("\u{feff}{pem}")).unwrap();
    let wide: Vec<u8> = format!("\u{feff}{pem}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(openssl.path("wide.cer"), wide).unwrap();
    fs::write(openssl.path("empty.cer"), "").unwrap();
    let address = Address::claim().unwrap();
    let at = SocketAddr::new(address.ip(), FIRST_PORT);
    let _server = openssl.serve(at, "dc.test", "").unwrap();
    let found = |file: &str| {
        let controllers = vec![("dc.test".to_owned(), at.ip(), at.port())];
        check(&agent(openssl.path(file), controllers)).0
    };
    for file in ["corp-ca.pem", "der.cer", "der.p7b", "pem.p7b", "trusted.pem", "bom.cer", "wide.cer"] {
        assert_said(&found(file), "dc.test", "no rootDSE", "");
    }
    for (file, word) in [
        ("ca.pfx", "is a PFX file"),
        ("corp-ca.key", "private key"),
        ("empty.cer", "is empty"),
        ("openssl.cnf", "no certificate"),
        ("nothing.cer", "No such file"),
    ] {
        let findings = found(file);
        let trust = findings.iter().find(|finding| finding["what"] == "trust").unwrap();
        let said = trust["found"].as_str().unwrap();
        assert!(said.contains(word) && said.contains(file) && !said.contains("hunter2"), "{file}: {said}");
    }
}
