//! Programs that run a script with a client's library: Debian's Python and PHP, and Node.js. What Debian does not have is
//! in the build's folder `clients`, where `tests/clients/install` puts it.

use crate::stage::{BASE, Credential, Stage, run_with};
use landbridge_tests::lab::program::{Finished, build_folder};
use landbridge_tests::lab::view;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's, which has python-ldap.
const PYTHON: &str = "/usr/bin/python3";

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

/// Runs a script for Python with this on standard input.
#[track_caller]
pub(crate) fn python(name: &str, input: &Value) -> Finished {
    let mut command = view::command(PYTHON).unwrap();
    command.arg("-B").arg(script(name)).env("PYTHONPATH", installed("python"));
    run_script(command, input)
}

#[track_caller]
fn run_script(command: Command, input: &Value) -> Finished {
    run_with(command, Some(input.to_string().as_bytes()))
}
