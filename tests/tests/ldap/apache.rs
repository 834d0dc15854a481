//! Apache's mod_authnz_ldap: what a browser gets.

use crate::stage::{Credential, Road, Stage, TEAM, stages};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landbridge_tests::lab::Person;
use landbridge_tests::lab::address::Address;
use landbridge_tests::lab::program::{Running, wait_until};
use landbridge_tests::lab::view;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use tempfile::TempDir;

/// The number of this test's people.
const CAST: u32 = 4;
const APACHE: &str = "/usr/sbin/apache2";
/// What a page shows to who may read it.
const PAGE: &str = "a page of the wiki";

/// An Apache of its own. Stopped when dropped.
struct Apache {
    listen: SocketAddr,
    _running: Running,
    folder: TempDir,
    _address: Address,
}

impl Apache {
    fn start(stage: &Stage, user: &Person, by: &Credential, effective: &Credential) -> Self {
        let (address, folder) = (Address::claim().unwrap(), tempfile::tempdir().unwrap());
        let listen = SocketAddr::new(address.ip(), 80);
        let site = folder.path().join("site");
        fs::create_dir(&site).unwrap();
        fs::write(site.join("page.txt"), PAGE).unwrap();
        // Apache's workers are another user.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let file = |path: &std::path::Path| path.display().to_string();
        let config = [
            ("FOLDER", file(folder.path())),
            ("LISTEN", listen.to_string()),
            ("LDAPS", stage.ldaps()),
            ("STARTTLS", stage.start_tls()),
            ("CA", file(&stage.server.ca)),
            ("EFFECTIVE_NAME", effective.name.clone()),
            ("EFFECTIVE_SECRET", file(effective.secret.file())),
            ("NAME", by.name.clone()),
            ("SECRET", file(by.secret.file())),
            ("USER", user.sam.clone()),
        ]
        .into_iter()
        .fold(include_str!("apache.conf").to_owned(), |text, (word, value)| {
            text.replace(&format!("@{word}@"), &value)
        });
        let path = folder.path().join("apache.conf");
        fs::write(&path, config).unwrap();
        let mut command = view::command(APACHE).unwrap();
        command.arg("-f").arg(&path).arg("-DFOREGROUND");
        let running = Running::start(command, None, &folder.path().join("output")).unwrap();
        let said =
            || running.said() + &fs::read_to_string(folder.path().join("error.log")).unwrap_or_default();
        wait_until("Apache to serve", 30, || TcpStream::connect(listen).is_ok(), said).unwrap();
        Self { listen, _running: running, folder, _address: address }
    }

    /// The code of a request with this name and password, and the page if there is one.
    #[track_caller]
    fn get(&self, path: &str, name: &str, password: &str) -> u16 {
        let mut stream = TcpStream::connect(self.listen).unwrap();
        let basic = STANDARD.encode(format!("{name}:{password}"));
        write!(stream, "GET {path} HTTP/1.0\r\nAuthorization: Basic {basic}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
        let code = code.unwrap_or_else(|| panic!("no HTTP: {answer}"));
        assert_eq!(answer.ends_with(PAGE), code == 200, "{answer}");
        code
    }

    #[track_caller]
    fn expect(&self, code: u16, path: &str, name: &str, password: &str) {
        let log = || fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default();
        let got = self.get(path, name, password);
        assert_eq!(got, code, "{path} for {name}\n{}", log());
    }
}

#[test]
fn apache_lets_people_in_by_password_group_and_filter() {
    for stage in stages() {
        let cast = stage.cast(CAST);
        stage.prepare(&cast);
        stage.sync();
        let team = format!("CORP\\{TEAM}");
        let by = stage.application("apache", &["--see-group", &team]);
        let effective = stage.application("apache-effective", &["--member-of", "effective"]);
        let apache = Apache::start(stage, &cast.direct, &by, &effective);
        let (direct, nested) = (&cast.direct, &cast.nested);
        // 1. Who may sign in.
        for path in ["/", "/starttls"] {
            for who in [direct, nested, &cast.changed] {
                apache.expect(200, path, &who.sam, &who.password);
            }
            for who in [&cast.stranger, &cast.disabled, &cast.expired] {
                apache.expect(401, path, &who.sam, &who.password);
            }
            apache.expect(401, path, &direct.sam, &direct.wrong_password());
            apache.expect(401, path, &direct.sam, "");
            apache.expect(401, path, "nobody", "x");
            apache.expect(401, path, "*", &direct.password);
        }
        apache.expect(200, "/mail", &direct.upn, &direct.password);
        // 2. Who may enter: by the group, by groups in groups, and by a filter.
        for (path, of_direct, of_nested) in [
            ("/group", 200, 200),
            ("/members", 200, 403),
            ("/effective", 200, 200),
            ("/filter", 403, 200),
            ("/attribute", 200, 403),
        ] {
            apache.expect(of_direct, path, &direct.sam, &direct.password);
            apache.expect(of_nested, path, &nested.sam, &nested.password);
            apache.expect(401, path, &direct.sam, &direct.wrong_password());
        }
        // 3. A password that was changed in AD a moment ago. Apache has accepted the old one before.
        let who = &cast.changed;
        let new = "Another-Harbour-2!";
        stage.domain.set_password(&who.sam, new).unwrap();
        if stage.road == Road::Digest {
            stage.sync();
        }
        apache.expect(401, "/", &who.sam, &who.password);
        apache.expect(200, "/", &who.sam, new);
        // 4. Guesses lock the account for this application.
        let who = &cast.locked;
        apache.expect(200, "/", &who.sam, &who.password);
        for number in 0..10 {
            apache.expect(401, "/", &who.sam, &format!("guess {number}"));
        }
        apache.expect(401, "/", &who.sam, &who.password);
    }
}
