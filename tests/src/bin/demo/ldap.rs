//! An act of its own: programs of other people find and sign in the members of a group by LDAP, with no plug-in.

use super::{Board, Cast, once};
use landbridge_tests::lab::dovecot::Dovecot;
use landbridge_tests::lab::{Domain, LabError, LdapServer, Person, Phs, RunningTenant, person};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const GROUP: &str = "Mail users";
const TEAM: &str = "Mail team";
const BASE: &str = "dc=corp,dc=example,dc=com";

pub(super) fn play(
    board: &mut Board,
    domain: &Domain,
    tenant: &RunningTenant,
    phs: &Phs,
    cast: &Cast,
) -> Result<(), LabError> {
    println!();
    board.title("Now programs that know nothing of Landbridge sign people in, by LDAP");
    // 1. A group in AD, with another one in it, and an application to which it is assigned.
    let step = Instant::now();
    // No other act signs in as these three: the first one gets another password in AD.
    let (direct, nested, stranger, disabled) = (person(430), person(431), person(432), &cast.disabled);
    domain.create_group(GROUP)?;
    domain.create_group(TEAM)?;
    domain.set_member(GROUP, TEAM, true)?;
    domain.set_members(GROUP, &[direct.sam.clone(), disabled.sam.clone()], true)?;
    domain.set_member(TEAM, &nested.sam, true)?;
    once(phs, &[])?;
    let server = tenant.serve_ldap()?;
    let group = format!("CORP\\{GROUP}");
    let flags = ["--domain", "corp.example.com", "--group", &group];
    let credential = tenant.ldap_application("mail", &flags)?;
    board.done(
        "tenant",
        &format!("LDAPS at {}, the group {GROUP} assigned to an application", server.ip),
        step,
    );

    let step = Instant::now();
    let dovecot = Dovecot::start(&server, "cn=mail,ou=applications", &credential)?;
    board.done("Dovecot", "an IMAP server as Debian installs it, and one file of settings", step);
    println!();

    // 2. Who is found.
    let secret =
        tempfile::NamedTempFile::new().map_err(|why| LabError::said("a file for the secret", &why))?;
    std::fs::write(secret.path(), &credential)
        .map_err(|why| LabError::said("a file for the secret", &why))?;
    let found = |filter: &str| count(&server, secret.path(), filter);
    board.line("ldapsearch: people of the group, nested ones too", "3 entries", &found("(uid=*)")?);
    let by_mail = format!("(|(uid={})(uid={}))", nested.sam, stranger.sam);
    board.line("… one of them, and one who is not in it", "1 entries", &found(&by_mail)?);

    // 3. Who reads mail.
    let mut read = |what: &str, who: &Person, password: &str, must: &str| -> Result<(), LabError> {
        let was = if dovecot.signs_in(&who.sam, password)? { "accepted" } else { "refused" };
        board.line(what, must, was);
        Ok(())
    };
    read("Dovecot, right password", &direct, &direct.password, "accepted")?;
    read("Dovecot, a member through a nested group", &nested, &nested.password, "accepted")?;
    read("Dovecot, wrong password", &direct, &direct.wrong_password(), "refused")?;
    read("Dovecot, right password, not in the group", &stranger, &stranger.password, "refused")?;
    read("Dovecot, right password, disabled in AD", disabled, &disabled.password, "refused")?;
    let new = "Ein drittes Wort, Linz & 大阪";
    domain.set_password(&direct.sam, new)?;
    once(phs, &[])?;
    read("a password changed in AD, and once: the new one", &direct, new, "accepted")?;
    read("… the old one", &direct, &direct.password, "refused")
}

/// How many entries ldapsearch finds.
fn count(server: &LdapServer, secret: &Path, filter: &str) -> Result<String, LabError> {
    let mut command = Command::new("ldapsearch");
    command
        .env("LDAPTLS_CACERT", &server.ca)
        .args(["-x", "-LLL", "-H"])
        .arg(format!("ldaps://{}", server.ip));
    command.args(["-D", "cn=mail,ou=applications", "-y"]).arg(secret).args(["-b", BASE, filter, "1.1"]);
    let done = command.output().map_err(|why| LabError::said("ldapsearch", &why))?;
    let text = String::from_utf8_lossy(&done.stdout);
    Ok(format!("{} entries", text.lines().filter(|line| line.starts_with("dn:")).count()))
}
