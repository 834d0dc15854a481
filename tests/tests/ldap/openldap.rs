//! OpenLDAP's ldapsearch and ldapwhoami, over LDAPS and with StartTLS.

use crate::stage::{BASE, Credential, Secret, Stage, run, stages};
use landbridge_tests::lab::Person;
use landbridge_tests::lab::program::Finished;
use std::process::Command;

/// The number of this test's people.
const CAST: u32 = 0;

fn client(stage: &Stage, program: &str, url: &str, name: &str, secret: &Secret) -> Command {
    let mut command = Command::new(program);
    command
        .env("LDAPTLS_CACERT", &stage.server.ca)
        .args(["-x", "-H", url, "-D", name, "-y"])
        .arg(secret.file());
    if url.starts_with("ldap://") {
        command.arg("-ZZ");
    }
    command
}

fn search(stage: &Stage, url: &str, by: &Credential, arguments: &[&str]) -> Finished {
    let mut command = client(stage, "ldapsearch", url, &by.name, &by.secret);
    command.args(["-LLL", "-o", "ldif-wrap=no", "-b", BASE]).args(arguments);
    run(command)
}

fn names(found: &Finished) -> Vec<String> {
    found.stdout.lines().filter_map(|line| line.strip_prefix("dn: ")).map(str::to_owned).collect()
}

/// The code of ldapwhoami: that of LDAP.
fn who_am_i(stage: &Stage, url: &str, name: &str, password: &str) -> Option<i32> {
    run(client(stage, "ldapwhoami", url, name, &Secret::new(password))).code
}

#[test]
fn people_are_found_and_sign_in_over_tls_and_start_tls_and_each_other_kind_is_refused() {
    for stage in stages() {
        let cast = stage.cast(CAST);
        stage.prepare(&cast);
        stage.sync();
        let wiki = stage.application("openldap", &["--member-of", "effective"]);
        let _address = stage.address_of("openldap");
        for url in [stage.ldaps(), stage.start_tls()] {
            // 1. Searching.
            let by_name =
                |who: &Person| search(stage, &url, &wiki, &[&format!("(uid={})", who.sam), "memberOf"]);
            let nested = by_name(&cast.nested).expect_code(0);
            let dn = format!("uid={},ou=people,{BASE}", cast.nested.sam);
            assert_eq!(names(&nested), [dn.as_str()], "{:?}: {nested}", stage.road);
            // The group in between is not one that it sees.
            for (group, shown) in [("Staff", true), ("Team", false)] {
                let line = format!("memberOf: cn={group},ou=groups,{BASE}");
                assert_eq!(nested.stdout.contains(&line), shown, "{nested}");
            }
            assert!(names(&by_name(&cast.stranger).expect_code(0)).is_empty());
            // Disabled, as programs recognise it in every view.
            for (who, found) in [(&cast.disabled, 1), (&cast.nested, 0)] {
                let filter = format!("(&(uid={})(userAccountControl:1.2.840.113556.1.4.803:=2))", who.sam);
                let found_here = search(stage, &url, &wiki, &[&filter]).expect_code(0);
                assert_eq!(names(&found_here).len(), found, "{found_here}");
            }
            // 2. Signing in, by every form of name.
            for name in [&dn, &cast.nested.upn, &format!("CORP\\{}", cast.nested.sam), &cast.nested.sam] {
                assert_eq!(who_am_i(stage, &url, name, &cast.nested.password), Some(0), "{name}");
            }
            for (who, password) in [
                (&cast.direct, cast.direct.wrong_password()),
                (&cast.stranger, cast.stranger.password.clone()),
                (&cast.disabled, cast.disabled.password.clone()),
                (&cast.expired, cast.expired.password.clone()),
            ] {
                assert_eq!(who_am_i(stage, &url, &who.upn, &password), Some(49), "{}", who.upn);
            }
        }
    }
}
