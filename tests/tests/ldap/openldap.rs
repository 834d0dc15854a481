//! OpenLDAP's ldapsearch, ldapwhoami and ldappasswd, over LDAPS and with StartTLS.

use crate::stage::{BASE, Credential, PEOPLE, Road, Secret, Stage, run, stages};
use landbridge_tests::lab::program::Finished;
use landbridge_tests::lab::{Person, person};
use std::process::Command;

/// The numbers of the tests' people.
const CAST: u32 = 0;
const CHANGING_CAST: u32 = 10;

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

fn dn(who: &Person) -> String {
    format!("uid={},ou=people,{BASE}", who.sam)
}

/// ldapwhoami that wants to know what the password policy says.
fn policy_of(stage: &Stage, url: &str, who: &Person) -> Finished {
    let secret = Secret::new(&who.password);
    let mut command = client(stage, "ldapwhoami", url, &who.upn, &secret);
    command.args(["-e", "ppolicy"]);
    run(command)
}

/// ldappasswd of somebody who is signed in with this password.
fn change(
    stage: &Stage,
    url: &str,
    (who, password): (&Person, &str),
    old: Option<&str>,
    new: &str,
) -> Finished {
    let (bound, old, new) = (Secret::new(password), old.map(Secret::new), Secret::new(new));
    let mut command = client(stage, "ldappasswd", url, &dn(who), &bound);
    if let Some(old) = &old {
        command.arg("-t").arg(old.file());
    }
    command.arg("-T").arg(new.file()).args(["-e", "ppolicy"]);
    run(command)
}

/// The result that ldappasswd printed, and the server's words. Its own code is 1 for each of them.
#[track_caller]
fn refusal(refused: &Finished) -> (&str, &str) {
    let line =
        |name: &str| refused.stdout.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    assert_eq!(refused.code, Some(1), "{refused}");
    (line("Result: "), line("Additional info: "))
}

#[test]
fn people_change_their_own_passwords_and_are_warned_before_they_expire() {
    for stage in stages() {
        let cast = stage.cast(CHANGING_CAST);
        stage.prepare(&cast);
        let must = person(CHANGING_CAST * PEOPLE + 8);
        let (soon, expired) = (&cast.nested, &cast.changed);
        stage.domain.set_member(crate::stage::STAFF, &must.sam, true).unwrap();
        // Of the 180 days that a password lasts in the lab.
        stage.domain.age_password(&soon.sam, 175).unwrap();
        stage.domain.age_password(&expired.sam, 400).unwrap();
        stage.domain.must_change(&must.sam).unwrap();
        stage.sync();
        stage.application("ldappasswd", &[]);
        let _address = stage.address_of("ldappasswd");
        let follow = || {
            if stage.road == Road::Digest {
                stage.sync();
            }
        };
        let who = &cast.direct;
        let mut current = who.password.clone();
        for (url, new) in [(stage.ldaps(), "Zweiter-Hafen-2!"), (stage.start_tls(), "Dritter-Hafen-3!")] {
            // 1. What does not change it.
            let by = (who, current.as_str());
            let wrong = change(stage, &url, by, Some(&who.wrong_password()), new);
            let words = "the name or the password is wrong, or the account may not sign in";
            assert_eq!(refusal(&wrong), ("Invalid credentials (49)", words), "{:?}", stage.road);
            let without = change(stage, &url, by, None, new);
            let words = "a change of password needs the old password as well";
            assert_eq!(refusal(&without), ("Server is unwilling to perform (53)", words));
            let short = change(stage, &url, by, Some(&current), "Ab1!");
            let words = "the new password is too short: it needs 12 characters";
            assert_eq!(refusal(&short), ("Constraint violation (19)", words));
            // 2. What does.
            change(stage, &url, by, Some(&current), new).expect_code(0);
            follow();
            assert_eq!(who_am_i(stage, &url, &who.upn, &current), Some(49), "{:?}", stage.road);
            assert_eq!(who_am_i(stage, &url, &who.upn, new), Some(0), "{:?}", stage.road);
            new.clone_into(&mut current);
        }
        // 3. Warned, and not.
        let warned = policy_of(stage, &stage.ldaps(), soon).expect_code(0);
        assert!(warned.stderr.contains("Password expires in "), "{warned}");
        let fresh = Person { password: current, ..who.clone() };
        let not = policy_of(stage, &stage.ldaps(), &fresh).expect_code(0);
        assert!(!not.stderr.contains("expires"), "{not}");
        // 4. Expired, or to be changed at the next sign-in: the bind says so, and the change needs none.
        for (who, data) in [(expired, "data 532"), (&must, "data 773")] {
            let refused = policy_of(stage, &stage.ldaps(), who);
            assert_eq!(refused.code, Some(49), "{:?}: {refused}", stage.road);
            assert!(
                refused.stderr.contains("Password expired") && refused.stderr.contains(data),
                "{refused}"
            );
            let (old, new) = (Secret::new(&who.password), Secret::new("Vierter-Hafen-4!"));
            let mut command = Command::new("ldappasswd");
            command.env("LDAPTLS_CACERT", &stage.server.ca).args(["-x", "-H", &stage.ldaps(), "-t"]);
            command.arg(old.file()).arg("-T").arg(new.file()).arg(dn(who));
            run(command).expect_code(0);
            follow();
            assert_eq!(who_am_i(stage, &stage.ldaps(), &who.upn, "Vierter-Hafen-4!"), Some(0));
        }
    }
}
