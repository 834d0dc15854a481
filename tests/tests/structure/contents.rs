//! Which file may hold what: sockets, NT hashes, ciphers, keys, `unsafe`.

use crate::arrows::{self, ARROWS};
use crate::{folder, root, sources};
use std::collections::BTreeSet;
use std::path::PathBuf;

#[test]
fn unsafe_stands_in_one_file() {
    let allows = |file: &PathBuf| {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        text.contains("unsafe_code") || text.lines().any(|line| line.trim_start().starts_with("unsafe "))
    };
    let found: Vec<PathBuf> = sources().into_iter().filter(allows).collect();
    assert_eq!(found, [PathBuf::from("crypto/src/derivation/processor.rs")]);
    let manifest = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    assert!(manifest("Cargo.toml").contains("unsafe_code = \"forbid\""));
    let metadata = arrows::metadata();
    for (name, _, _) in ARROWS {
        let own = manifest(&format!("{}/Cargo.toml", folder(&metadata, name).display()));
        let lints = if *name == "crypto" { "unsafe_code = \"deny\"" } else { "[lints]\nworkspace = true" };
        assert!(own.contains(lints), "{name}");
    }
}

/// Files beside the shipped ones that only `cfg(test)` compiles.
const TEST_ONLY: &[&str] = &["fixture.rs"];

/// The shipped files whose code (not their comments, tests or fixtures) holds one of these words; a hash that is
/// still sealed is not one, nor is a name that ends in `Nodes` or `nodes`.
fn holders(words: &[&str]) -> BTreeSet<String> {
    let code = |text: &str| {
        text.lines()
            .take_while(|line| !line.starts_with("#[cfg(test)]"))
            .filter(|line| !line.trim_start().starts_with("//"))
            .map(|line| line.replace("SealedNtHash", "").replace("odes::", ""))
            .any(|line| words.iter().any(|word| line.contains(word)))
    };
    sources()
        .into_iter()
        .filter(|file| file.extension().is_some_and(|e| e == "rs"))
        .filter(|file| !TEST_ONLY.iter().any(|name| file.ends_with(name)))
        .filter(|file| code(&std::fs::read_to_string(root().join(file)).unwrap()))
        .map(|file| file.display().to_string())
        .collect()
}

fn assert_only_in(words: &[&str], allowed: &[&str]) {
    let found = holders(words);
    assert!(!found.is_empty(), "nothing holds {words:?} any more: mend this test");
    let strangers: Vec<&String> =
        found.iter().filter(|f| !allowed.iter().any(|a| f.starts_with(a))).collect();
    assert!(strangers.is_empty(), "{words:?} stand outside {allowed:?}: {strangers:#?}");
}

#[test]
fn nt_hashes_end_in_rehash() {
    assert_only_in(&["NtHash", "nt_hash::"], &["crypto/src/", "drsr/src/drs/", "phs/src/cycle/rehash.rs"]);
    assert!(holders(&["NtHash", "nt_hash"]).iter().all(|file| !file.starts_with("tenant/")));
}

#[test]
fn the_ciphers_of_the_directory_stand_in_two_files() {
    let files = ["crypto/src/drs_secret.rs", "crypto/src/nt_hash.rs"];
    assert_only_in(&["rc4::", "des::", "md5::", "md4::"], &files);
}

#[test]
fn sockets_of_phs_are_opened_by_pull_watch_send_and_heartbeat_and_it_listens_in_metrics_alone() {
    let files = [
        "phs/src/read/pull.rs",
        "phs/src/read/watch.rs",
        "phs/src/cycle/send.rs",
        "phs/src/daemon/metrics.rs",
        "pta-agent/src/",
        "agent/src/",
        "tenant/doors/ldap/src/connection.rs",
        "tenant/doors/listen/src/listener.rs",
        "tenant/doors/oidc/src/back_channel.rs",
        "tenant/doors/operator/src/",
        "tenant/program/src/serve.rs",
    ];
    assert_only_in(&["TcpStream", "TcpListener", "UnixStream", "UnixListener"], &files);
    assert_only_in(
        &["TcpListener", "UnixListener"],
        &["phs/src/daemon/metrics.rs", "tenant/doors/", "tenant/program/src/serve.rs"],
    );
    // The tenant's only outgoing connections.
    let dials = holders(&["TcpStream::connect", "lookup_host", "TlsConnector"]);
    let of_tenant: Vec<&String> = dials.iter().filter(|file| file.starts_with("tenant/")).collect();
    assert_eq!(of_tenant, ["tenant/doors/oidc/src/back_channel.rs"]);
    // Requests to the tenant: of a cycle (`job` and `check` make the connection that `send` uses), and of the
    // heartbeat.
    let requests = [
        "agent/src/",
        "phs/src/cycle/send.rs",
        "phs/src/cycle/job.rs",
        "phs/src/command/show.rs",
        "phs/src/daemon/heartbeat.rs",
    ];
    assert_only_in(&["http::Client", "NodeClient"], &requests);
    assert_only_in(&["hickory_resolver"], &["agent/src/discover.rs"]);
}

/// Tables are written on the statements, rows and columns of `engine.rs`, so that both engines can run them.
#[test]
fn the_libraries_of_the_engines_are_named_by_what_is_of_one_engine_alone() {
    let store = "tenant/store/src/";
    let of_store = |needle: &str| -> Vec<String> {
        let held = holders(&[needle]).into_iter();
        held.filter_map(|file| file.strip_prefix(store).map(str::to_owned)).collect()
    };
    let of_sqlite = ["backup.rs", "engine.rs", "erase.rs", "error.rs", "transaction.rs", "upgrade.rs"];
    let others = |file: &String, known: &[&str], folder: &str| {
        !known.contains(&file.as_str()) && !file.starts_with(folder)
    };
    let mut sqlite = of_store("rusqlite");
    sqlite.retain(|file| others(file, &of_sqlite, "engine/sqlite") && !file.starts_with("upgrade/"));
    let mut postgres = of_store("tokio_postgres");
    postgres.retain(|file| others(file, &["engine.rs"], "engine/postgres"));
    assert_eq!((sqlite, postgres), (Vec::new(), Vec::new()));
}

/// A name in the directory, a host name of an agent or an error of a DC may hold what a terminal would obey.
#[test]
fn what_a_command_prints_passes_the_function_that_makes_it_safe() {
    let results =
        ["phs/src/command/terminal.rs", "pta-agent/src/command.rs", "tenant/program/src/command/ask.rs"];
    assert_only_in(&["stdout()", "println!"], &results);
    let errors = ["phs/src/main.rs", "pta-agent/src/main.rs", "tenant/program/src/main.rs"];
    for file in results.iter().chain(&errors) {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        for line in text.lines().filter(|line| line.contains("writeln!(")) {
            assert!(line.contains("{text}") || line.contains("printable::"), "{file}: {line}");
        }
        assert!(text.contains("printable::"), "{file}");
    }
}

#[test]
fn the_private_envelope_key_is_used_by_unseal_and_the_directory_by_one_folder_alone() {
    assert_only_in(
        &["EnvelopeKey"],
        &["crypto/src/envelope.rs", "crypto/src/envelope/", "pta-agent/src/unseal.rs"],
    );
    assert_only_in(&["ldap3"], &["pta-agent/src/directory/"]);
    // The agent dials; it listens on nothing.
    let listeners = holders(&["TcpListener", "UnixListener"]);
    assert!(listeners.iter().all(|file| !file.starts_with("pta-agent/") && !file.starts_with("agent/")));
}

/// Overall exposure of at most 1.5, by systemd's own reckoning.
#[test]
fn the_units_leave_the_programs_little_to_do_harm_with() {
    for unit in ["landbridge-tenant", "landbridge-pta-agent", "landbridge-phs"] {
        let file = root().join(format!("dist/systemd/{unit}.service"));
        let said = std::process::Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--threshold=15", "--no-pager"])
            .arg(&file)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.status.success(), "{unit}: {}", text.lines().last().unwrap_or_default());
        assert!(text.contains("Overall exposure level"), "{unit}: {text}");
    }
}
