//! python-ldap by itself, and django-auth-ldap on it.

use crate::clients::{python, settings};
use crate::stage::{BASE, Cast, Credential, Road, STAFF, Stage, TEAM, stages};
use landbridge_tests::lab::Person;
use serde_json::{Value, json};

/// The number of python-ldap's people.
const CAST: u32 = 6;
/// The number of the Django site's people.
const DJANGO_CAST: u32 = 8;

fn with(mut settings: Value, more: Value) -> Value {
    if let (Some(settings), Value::Object(more)) = (settings.as_object_mut(), more) {
        settings.extend(more);
    }
    settings
}

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

/// Signs in on a Django site: what the site knows of each person afterwards.
#[track_caller]
fn django(stage: &Stage, url: &str, by: &Credential, nested: bool, sign_ins: &[(&str, &str)]) -> Vec<Value> {
    let more = json!({"nested": nested, "sign_ins": sign_ins});
    let finished = python("django_app.py", &with(settings(stage, url, by), more)).expect_code(0);
    finished.json().as_array().unwrap().clone()
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
        let wrong = cast.direct.wrong_password();
        let sign_ins: Vec<(&str, &str)> = [&cast.direct, &cast.nested]
            .into_iter()
            .chain(kept_out(&cast))
            .map(|who| (who.sam.as_str(), who.password.as_str()))
            .chain([
                (cast.direct.sam.as_str(), wrong.as_str()),
                (cast.direct.sam.as_str(), ""),
                ("*", "x"),
                ("nobody", "x"),
            ])
            .collect();
        for url in [stage.ldaps(), stage.start_tls()] {
            // 1. Django follows groups in groups, one search for each step, or the tenant does.
            for (by, nested, groups) in [
                (&direct, true, [vec![STAFF], vec![STAFF, TEAM]]),
                (&direct, false, [vec![STAFF], vec![TEAM]]),
                (&effective, false, [vec![STAFF], vec![STAFF]]),
            ] {
                let seen = django(stage, &url, by, nested, &sign_ins);
                for (person, (who, groups)) in
                    seen.iter().zip([&cast.direct, &cast.nested].into_iter().zip(groups))
                {
                    let expected = json!({
                        "name": who.sam,
                        "first_name": who.display,
                        "staff": groups.contains(&STAFF),
                        "groups": groups,
                        "dn": format!("uid={},ou=people,{BASE}", who.sam),
                    });
                    assert_eq!(person, &expected, "{:?}, {}", stage.road, by.name);
                }
                assert!(seen.iter().skip(2).all(Value::is_null), "{seen:?}");
            }
        }
        // 2. A password that was changed in AD a moment ago.
        let who = &cast.changed;
        let new = "Another-Harbour-2!";
        let both = [(who.sam.as_str(), who.password.as_str()), (who.sam.as_str(), new)];
        let accepted = |seen: &[Value]| seen.iter().map(Value::is_object).collect::<Vec<_>>();
        assert_eq!(accepted(&django(stage, &stage.ldaps(), &direct, true, &both[..1])), [true]);
        stage.domain.set_password(&who.sam, new).unwrap();
        if stage.road == Road::Digest {
            stage.sync();
        }
        assert_eq!(accepted(&django(stage, &stage.ldaps(), &direct, true, &both)), [false, true]);
        // 3. Guesses through this application lock the account for it, and for no other one.
        let guesses: Vec<String> = (0..10).map(|number| format!("guess {number}")).collect();
        let who = &cast.locked;
        let right = (who.sam.as_str(), who.password.as_str());
        let tries: Vec<(&str, &str)> = std::iter::once(right)
            .chain(guesses.iter().map(|guess| (right.0, guess.as_str())))
            .chain([right])
            .collect();
        let seen = accepted(&django(stage, &stage.ldaps(), &direct, true, &tries));
        assert!(seen[0] && seen.iter().skip(1).all(|accepted| !accepted), "{seen:?}");
        assert_eq!(accepted(&django(stage, &stage.ldaps(), &effective, false, &[right])), [true]);
    }
}
