//! The whole road at TRACE, and then a search of everything that the programs wrote for every secret there
//! was: passwords, NT hashes, digests, tokens, credentials, private keys.

use crate::stage::shared_domain;
use landbridge_tests::lab::population::{ACCOUNT, ACCOUNT_PASSWORD};
use landbridge_tests::lab::silence::{Needle, search};
use landbridge_tests::lab::{
    Application, Phs, PhsSettings, Proof, RunningTenant, TenantSettings, Try, person,
};
use landbridge_wire::enroll::Token;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

const USERS: u32 = 500;

/// All files under a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    crate::stage::files_of(folder).into_keys().map(PathBuf::from).collect()
}

/// A token's text and its secret.
fn token_needles(token: &str, needles: &mut Vec<Needle>) {
    needles.push(Needle::new("a token", token));
    Token::parse(token).unwrap().secret.lend(|secret| needles.push(Needle::new("a token's secret", secret)));
}

/// The AES-256 keys of a keytab: key type 18, length 32, and the key.
fn keys_of(keytab: &[u8]) -> Vec<&[u8]> {
    let mark = [0, 18, 0, 32];
    let starts = keytab.windows(4).enumerate().filter(|(_, window)| *window == mark).map(|(at, _)| at + 4);
    starts.map(|at| &keytab[at..at + 32]).collect()
}

#[test]
fn nothing_that_the_programs_write_holds_a_secret() {
    let domain = shared_domain(USERS);
    let mut needles = Vec::new();
    let tenant =
        RunningTenant::start_for(&domain, &TenantSettings { level: "trace", ..Default::default() }).unwrap();
    let mut installed = Vec::new();

    // Two ways to read the domain, the second as an agent that may not write.
    for proof in [Proof::Keytab, Proof::Password] {
        let settings = PhsSettings { proof, level: "trace", ..PhsSettings::for_domain(&domain, "entra") };
        let phs = Phs::install(&settings).unwrap();
        let token = tenant.token().unwrap();
        token_needles(&token, &mut needles);
        phs.enroll(&token).unwrap().expect_code(0);
        phs.enroll(&token).unwrap().expect_code(3);
        tenant.approve_all().unwrap();
        let report = phs.folder().join("report.json");
        phs.run(&["check", "--report", report.to_str().unwrap()], None).unwrap();
        phs.once(&["--dry-run"]).unwrap().expect_code(0);
        let code = if proof == Proof::Keytab { 0 } else { 6 };
        phs.once(&[]).unwrap().expect_code(code);
        phs.once(&["--full"]).unwrap().expect_code(code);
        installed.push(phs);
    }
    // The daemon, until it has done a cycle.
    let mut daemon = installed[0].run_daemon().unwrap();
    installed[0].run(&["status"], None).unwrap().expect_code(0);
    daemon.signal(rustix::process::Signal::TERM);
    daemon.finish(20).unwrap().expect_code(0);
    let wrong = PhsSettings {
        proof: Proof::Password,
        password: "the delegate's wrong password (4)".into(),
        level: "trace",
        ..PhsSettings::for_domain(&domain, "entra")
    };
    installed[1].configure(&wrong).unwrap();
    installed[1].once(&[]).unwrap().expect_code(4);
    needles.extend(Needle::password("the delegate, wrong", &wrong.password));

    let app = Application::of(&tenant, "silence").unwrap();
    needles.push(Needle::new("an application's credential", app.credential()));
    needles.push(Needle::new("an application's secret", app.credential().rsplit('.').next().unwrap()));
    for index in 0..40 {
        let who = person(index);
        for password in [who.password.clone(), who.wrong_password()] {
            app.sign_in(&Try::from(index, &who.upn, &password)).unwrap();
            needles.extend(Needle::password(&format!("{} as tried", who.sam), &password));
        }
    }
    // What a person types in the wrong field.
    let confused = "my password in the name field (5)";
    app.sign_in(&Try::from(41, confused, confused)).unwrap();
    needles.extend(Needle::password("somebody confused", confused));
    let broken = format!("{{\"user\":\"x\",\"password\":{{\"{confused}\":1}}}}");
    let bearer = format!("Authorization: Bearer {}\r\n", app.credential());
    assert_eq!(app.post("/v1/signin", &bearer, broken.as_bytes()).unwrap().status, 400);
    let who = person(42);
    for (password, code) in [(who.password.clone(), 0), (who.wrong_password(), 10)] {
        let input = format!("{password}\n");
        let signin = ["signin", &who.upn, "--password-stdin"];
        tenant.run(&signin, Some(input.as_bytes())).unwrap().expect_code(code);
    }
    // The same by LDAP, over TLS and StartTLS, with the password in the wrong field too.
    let server = tenant.serve_ldap().unwrap();
    let credential = tenant.ldap_application("silence-ldap", &["--everybody"]).unwrap();
    needles.push(Needle::new("a credential for LDAP", credential.as_str()));
    needles.push(Needle::new("its secret", credential.rsplit('.').next().unwrap()));
    let held = tempfile::NamedTempFile::new().unwrap();
    let by_ldap = |url: &str, program: &str, name: &str, password: &str, more: &[&str]| {
        fs::write(held.path(), password).unwrap();
        let mut command = std::process::Command::new(program);
        command.env("LDAPTLS_CACERT", &server.ca).args(["-x", "-H", url, "-D", name, "-y"]).arg(held.path());
        let run = command.args(more).output().unwrap();
        run.status.code()
    };
    let (tls, start_tls) = (format!("ldaps://{}", server.ip), format!("ldap://{}", server.ip));
    let reader = "cn=silence-ldap,ou=applications";
    let all = ["-b", "dc=corp,dc=example,dc=com", "(uid=user0000*)", "*", "+"];
    assert_eq!(by_ldap(&tls, "ldapsearch", reader, &credential, &all), Some(0));
    for index in 43..48 {
        let who = person(index);
        assert_eq!(by_ldap(&tls, "ldapwhoami", &who.upn, &who.password, &[]), Some(0), "{}", who.upn);
        assert_eq!(by_ldap(&start_tls, "ldapwhoami", &who.upn, &who.wrong_password(), &["-ZZ"]), Some(49));
        needles.extend(Needle::password(&format!("{} by LDAP", who.sam), &who.wrong_password()));
    }
    assert_eq!(
        by_ldap(&start_tls, "ldapwhoami", &person(48).upn, &person(48).password, &[]),
        Some(13),
        "no TLS"
    );
    assert_eq!(by_ldap(&tls, "ldapwhoami", confused, confused, &[]), Some(49));
    assert_eq!(by_ldap(&tls, "ldapwhoami", reader, confused, &[]), Some(49));
    let rotated = tenant.run(&["apps", "rotate", "silence"], None).unwrap().expect_code(0).word("lba1.");
    needles.push(Needle::new("a rotated credential", rotated));

    for who in domain.population().people() {
        needles.extend(Needle::password(&who.sam, &who.password));
    }
    needles.push(Needle::new("the form of a digest", "v1;PPH1_MD4,"));
    needles.extend(Needle::password(ACCOUNT, ACCOUNT_PASSWORD));
    let keytab = fs::read(domain.keytab()).unwrap();
    let long_term = keys_of(&keytab);
    assert!(!long_term.is_empty());
    needles.extend(long_term.into_iter().map(|key| Needle::new("a Kerberos key", key)));

    // Standard output of `token create` and `apps` is where their secrets belong; nothing else was there.
    for file in files(&tenant.output()) {
        let text = fs::read_to_string(&file).unwrap();
        if file.extension().is_some_and(|kind| kind == "stdout")
            && (text.contains("lbt1.") || text.contains("lba1."))
        {
            assert_eq!(text.split_whitespace().count(), 1, "more than the secret alone: {}", file.display());
            fs::remove_file(&file).unwrap();
        }
    }
    // At TRACE a program says all that it ever says; libraries that print buffers are silenced in it.
    let talks = |text: &str| text.contains("TRACE") || text.contains("DEBUG");
    let traced = |folder: &Path| {
        let logs =
            files(folder).into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "stderr"));
        logs.filter(|log| talks(&fs::read_to_string(log).unwrap())).count()
    };
    let mut folders = vec![tenant.folder()];
    folders.extend(installed.iter().map(Phs::folder));
    let mut keys = 0;
    for file in folders.iter().flat_map(|folder| files(folder)) {
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        let name = file.display().to_string();
        if name.ends_with(".key") {
            assert_eq!(mode, 0o600, "{name}");
            needles.push(Needle::key_file(&file).unwrap());
            keys += 1;
        } else if name.ends_with("/password") {
            // The lab wrote it, for phs to read.
            assert_eq!(mode, 0o600, "{name}");
            fs::remove_file(&file).unwrap();
        }
    }
    assert!(keys >= 4, "CA, seal and two agents have keys: found {keys}");

    let searched = search(&needles, &folders).unwrap();
    println!("{} secrets in {} files, {} MB", needles.len(), searched.files, searched.bytes / 1_000_000);
    for folder in &folders {
        assert!(traced(folder) > 0, "no line below info in {}", folder.display());
    }
    assert!(searched.found.is_empty(), "{:#?}", searched.found);

    // And the search does find what is there: one secret of each kind, planted where the programs write.
    for (at, needle) in needles.iter().enumerate().step_by(needles.len() / 20) {
        let file = tenant.output().join(format!("planted-{at}"));
        fs::write(&file, [b"some line ".as_slice(), &needle.bytes, b" and more"].concat()).unwrap();
        let found = search(&needles, &[&tenant.output()]).unwrap().found;
        assert!(
            found.iter().any(|find| find.file == file && find.what == needle.what),
            "{} is missed",
            needle.what
        );
        fs::remove_file(&file).unwrap();
    }
}
