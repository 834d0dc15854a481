//! The scope in the demo: who leaves and comes back with an OU, and how many may leave at once.

use super::{Tries, once};
use landbridge_tests::lab::{Domain, LabError, Phs, PhsSettings, person};
use serde_json::json;

const OUT: &str = "OU=Not in the cloud";

pub(super) fn play(
    tries: &mut Tries<'_>,
    domain: &Domain,
    phs: &Phs,
    settings: &PhsSettings,
) -> Result<(), LabError> {
    domain.add(OUT, json!({"objectClass": "organizationalUnit"}))?;
    domain.add("OU=Team,OU=People", json!({"objectClass": "organizationalUnit"}))?;
    for n in 440..500 {
        domain.move_to(&person(n).sam, "OU=Team,OU=People")?;
    }
    let further = format!("[scope]\nexclude = [\"{OUT},DC=corp,DC=example,DC=com\"]\n");
    phs.configure(&PhsSettings { further, ..settings.clone() })?;
    once(phs, &[])?;

    let who = person(24);
    domain.move_to(&who.sam, OUT)?;
    let counts = once(phs, &[])?;
    let said = format!("{} left, {} held", counts["removed"], counts["held"]);
    tries.board.line("one person moved to an excluded OU; once", "1 left, 0 held", &said);
    tries.line("right password", &who, &who.password, "refused")?;
    let explained = phs.run(&["explain", &who.upn], None)?;
    let because = explained.stdout.lines().find(|line| line.contains("exclude names")).unwrap_or_default();
    let because = because.trim().split(':').next().unwrap_or_default();
    tries.board.line("explain", "outside the scope", because);
    domain.move_to(&who.sam, "OU=People")?;
    once(phs, &[])?;
    tries.line("moved back; once; right password", &who, &who.password, "accepted")?;

    domain.rename_container("OU=Team,OU=People", &format!("OU=Team,{OUT}"))?;
    let counts = once(phs, &[])?;
    let said = format!("{} left, {} held", counts["removed"], counts["held"]);
    tries.board.line("an OU with 60 people moved there; once", "0 left, 60 held", &said);
    let one = person(440);
    tries.line("right password of one of them", &one, &one.password, "accepted")?;
    let counts = once(phs, &["--confirm-removals", "60"])?;
    let said = format!("{} left, {} held", counts["removed"], counts["held"]);
    tries.board.line("once --confirm-removals 60", "60 left, 0 held", &said);
    tries.line("right password of one of them", &one, &one.password, "refused")?;

    domain.create_group("Everybody here")?;
    let all: Vec<String> = (30..108).map(|n| person(n).sam).collect();
    domain.set_members("Everybody here", &all, true)?;
    once(phs, &[])?;
    domain.set_member("Everybody here", &who.sam, true)?;
    let counts = once(phs, &[])?;
    let said = format!("{} records, {} link", counts["records_sent"], counts["links_sent"]);
    tries.board.line("a member more in a group of 78; once", "0 records, 1 link", &said);
    Ok(())
}
