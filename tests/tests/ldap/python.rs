//! python-ldap by itself, and django-auth-ldap on it.

use crate::clients::{SignIn, accepted, python, settings, sign_in_all_kinds, with};
use crate::stage::{BASE, Cast, Credential, STAFF, Stage, TEAM, stages};
use landbridge_tests::lab::Person;
use landbridge_tests::lab::program::Finished;
use serde_json::{Value, json};

/// The number of python-ldap's people.
const CAST: u32 = 6;
/// The number of the Django site's people.
const DJANGO_CAST: u32 = 8;

fn pair(who: &Person) -> Value {
    json!([who.sam, who.password])
}

/// Who is refused with the right password.
fn kept_out(cast: &Cast) -> [&Person; 3] {
    [&cast.stranger, &cast.disabled, &cast.expired]
}

#[test]
fn python_ldap_signs_in_compares_pages_sorts_and_reads_the_schema() {
    for stage in stages() {
        let cast = stage.cast(CAST);
        stage.prepare(&cast);
        stage.sync();
        let staff = stage.application("python", &[]);
        let everybody = stage.application_for_everybody("python-everybody");
        for url in [stage.ldaps(), stage.start_tls()] {
            let wrong = json!([cast.direct.sam, cast.direct.wrong_password()]);
            let refused: Vec<Value> = kept_out(&cast).map(pair).into_iter().chain([wrong]).collect();
            let members = [(&cast.direct, true), (&cast.nested, false), (&cast.stranger, false)];
            let more = json!({
                "accepted": [pair(&cast.direct), pair(&cast.nested)],
                "refused": refused,
                "members": members.map(|(who, is)| json!([who.sam, is])),
                "people": stage.domain.population().people().count(),
                "everybody": settings(stage, &url, &everybody),
            });
            let input = with(settings(stage, &url, &staff), more);
            let finished = python("python_ldap.py", &input).expect_code(0);
            // Definitions of the schema that python-ldap has read.
            assert!(finished.json()["definitions"].as_u64() > Some(100), "{finished}");
        }
    }
}

/// Signs in on a Django site.
#[track_caller]
fn django(stage: &Stage, url: &str, by: &Credential, nested: bool, sign_ins: &[SignIn<'_>]) -> Finished {
    python("django_app.py", &with(settings(stage, url, by), json!({"nested": nested, "sign_ins": sign_ins})))
}

#[test]
fn a_django_site_signs_people_in_and_mirrors_their_groups() {
    for stage in stages() {
        let cast = stage.cast(DJANGO_CAST);
        stage.prepare(&cast);
        stage.sync();
        let team = format!("CORP\\{TEAM}");
        let direct = stage.application("django", &["--see-group", &team]);
        let effective = stage.application("django-effective", &["--member-of", "effective"]);
        let people = [&cast.direct, &cast.nested];
        let sign_ins = people.map(|who| (who.sam.as_str(), who.password.as_str()));
        for url in [stage.ldaps(), stage.start_tls()] {
            // Django follows groups in groups, with a search for each step, or the tenant does.
            for (by, nested, groups) in [
                (&direct, true, [vec![STAFF], vec![STAFF, TEAM]]),
                (&direct, false, [vec![STAFF], vec![TEAM]]),
                (&effective, false, [vec![STAFF], vec![STAFF]]),
            ] {
                let seen = django(stage, &url, by, nested, &sign_ins).expect_code(0).json();
                let expected = people.into_iter().zip(groups).map(|(who, groups)| {
                    json!({
                        "name": who.sam,
                        "first_name": who.display,
                        "staff": groups.contains(&STAFF),
                        "groups": groups,
                        "dn": format!("uid={},ou=people,{BASE}", who.sam),
                    })
                });
                assert_eq!(seen, expected.collect::<Value>(), "{:?}, {}", stage.road, by.name);
            }
        }
        let url = stage.ldaps();
        sign_in_all_kinds(stage, &cast, |tries| accepted(django(stage, &url, &direct, true, tries)));
        // Guesses through one application lock nobody out of another one.
        let locked = [(cast.locked.sam.as_str(), cast.locked.password.as_str())];
        assert_eq!(accepted(django(stage, &url, &effective, false, &locked)), [true]);
    }
}
