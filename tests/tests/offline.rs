//! Hostile bytes, without a lab: every seed and every crash of the fuzz targets in plain `cargo test`, and the
//! answers of a real DC mutated byte by byte. Nothing may panic, hang, or take memory out of proportion.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, missing_docs)]

use landbridge_kerberos::password_change::Outcome;
use landbridge_tests::oracle::{self, Oracle};
use landbridge_tests::recorded;
use peak_alloc::PeakAlloc;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The peak belongs to the whole process: one test measures at a time.
static MEASURING: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    MEASURING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one pass of an oracle may take at its peak. The factor is for small entries on the wire that are large
/// in memory (a record of 49 bytes is a struct of some 300, in a vector that doubles as it grows) and for the
/// oracle's own copies; the constant for what is made once. Seen at worst: a few times the input.
fn allowance(input: usize) -> usize {
    16 * input + (64 << 10)
}

/// No single input may take longer than this, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(5);

/// Nor a whole test longer than this: an input that never ends is seen from outside.
const END: Duration = Duration::from_secs(600);

/// The largest peak since it was last taken, in bytes.
static WORST: AtomicUsize = AtomicUsize::new(0);

/// Runs a test that measures: alone, and with an end.
fn measured(test: impl FnOnce() + Send + 'static) {
    let _alone = alone();
    let (done, over) = mpsc::channel();
    let running = std::thread::spawn(move || {
        test();
        done.send(()).unwrap();
    });
    match over.recv_timeout(END) {
        Err(RecvTimeoutError::Timeout) => panic!("an input hangs"),
        Ok(()) | Err(RecvTimeoutError::Disconnected) => {
            if let Err(panic) = running.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The files of a folder in the order of their names; none when it is not there.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// One pass, measured. `what` names the input for whoever reads the failure.
fn pass(oracle: Oracle, input: &[u8], what: &dyn Fn() -> String) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let started = Instant::now();
    let outcome = std::panic::catch_unwind(|| oracle(input));
    let (took, peak) = (started.elapsed(), MEMORY.peak_usage().saturating_sub(before));
    WORST.fetch_max(peak, Ordering::Relaxed);
    assert!(outcome.is_ok(), "{}: the oracle panicked", what());
    assert!(took < PATIENCE, "{}: took {took:?}", what());
    assert!(peak <= allowance(input.len()), "{}: {} bytes took {peak} bytes of memory", what(), input.len());
}

#[test]
fn every_seed_and_every_crash_ever_found_passes_its_oracle() {
    measured(|| {
        for (name, oracle) in oracle::ALL {
            let seeds = files(&root().join("fuzz/corpus").join(name));
            let crashes = files(&root().join("fuzz/crashes").join(name));
            assert!(!seeds.is_empty(), "fuzz/corpus/{name} is empty");
            for (path, bytes) in seeds.iter().chain(&crashes) {
                pass(*oracle, bytes, &|| path.display().to_string());
            }
            println!("{name}: {} seeds, {} crashes replayed", seeds.len(), crashes.len());
        }
    });
}

#[test]
fn every_answer_of_a_real_dc_does_no_harm_mutated_byte_by_byte_or_cut() {
    measured(|| {
        let (mut captures, mut passes) = (0, 0);
        WORST.store(0, Ordering::Relaxed);
        let captures_of = |part: &str| files(&root().join(part).join("captures"));
        for (path, bytes) in captures_of("drsr").into_iter().chain(captures_of("kerberos")) {
            let name = path.file_name().unwrap().to_str().unwrap();
            let Some((oracle, input)) = asked(name, bytes) else { continue };
            pass(oracle, &input, &|| name.to_owned());
            passes += mutate(oracle, &input, name);
            captures += 1;
        }
        println!("{captures} captures, {passes} mutants, at worst {} bytes", WORST.load(Ordering::Relaxed));
        assert!(captures > 20, "the captures are elsewhere");
    });
}

/// The oracle of a capture, and the input that it takes: for a stub, behind the byte that says what was asked.
fn asked(capture: &str, bytes: Vec<u8>) -> Option<(Oracle, Vec<u8>)> {
    let stub = |which: u8| Some((oracle::ndr_reply as Oracle, [&[which], &bytes[..]].concat()));
    match capture.rsplit_once('.')? {
        ("epm-reply", _) => stub(4),
        ("drs-bind-reply", _) => stub(3),
        ("user-alone" | "user-alone-withheld" | "group-alone" | "unknown-object", _) => stub(2),
        (_, "stub") => stub(0),
        (_, "pdu") => Some((oracle::pdu, bytes)),
        // The first four bytes are the length, as TCP has it in front.
        (_, "der") => Some((oracle::krb_error, bytes.get(4..)?.to_vec())),
        _ => None,
    }
}

#[test]
fn recorded_exchanges_with_real_kdcs_end_in_the_same_and_nothing_that_was_altered_is_accepted() {
    // It takes memory, which the others measure.
    let _alone = alone();
    // A key of MIT's account costs eight times the iterations, so fewer places of its replies are altered.
    for (kdc, domain, stride) in [("samba", "corp.example.com", 5), ("mit", "mit.example.com", 17)] {
        let folder = root().join("kerberos/captures").join(kdc);
        let time = std::fs::read_to_string(folder.join("time")).unwrap();
        let now = Duration::from_nanos(time.trim().parse().unwrap());
        let replies = recorded::STEPS.map(|step| std::fs::read(folder.join(format!("{step}.msg"))).unwrap());
        let walk = |altered: Option<(usize, &[u8])>| {
            recorded::walk(domain, now, |step, _, _| {
                let at = recorded::STEPS.iter().position(|one| *one == step).unwrap();
                let other = altered.filter(|(altered, _)| *altered == at).map(|(_, bytes)| bytes.to_vec());
                other.unwrap_or_else(|| replies[at].clone())
            })
        };
        let walked = walk(None).unwrap();
        let names = [&walked.granting, &walked.service].map(|ticket| ticket.service.to_string());
        let realm = domain.to_uppercase();
        assert_eq!(names, [format!("krbtgt/{realm}@{realm}"), format!("ldap/dc1.{domain}/{domain}@{realm}")]);
        assert_eq!(walked.outcome, Outcome::Changed);
        // The tickets are opaque to the client, and so are numbers of keys: they may be altered, and the names and keys
        // that are accepted stay the same.
        let (mut mutants, mut accepted) = (0, 0);
        for (step, reply) in replies.iter().enumerate() {
            for at in (0..reply.len()).step_by(stride) {
                let mut bent = reply.clone();
                bent[at] ^= 0x11;
                mutants += 1;
                let Ok(walked) = walk(Some((step, &bent))) else { continue };
                accepted += 1;
                let now = [&walked.granting, &walked.service].map(|ticket| ticket.service.to_string());
                assert_eq!(
                    now.map(|name| name.to_lowercase()),
                    names.clone().map(|name| name.to_lowercase())
                );
            }
        }
        println!("{kdc}: {mutants} altered replies, {accepted} of them in what is not for the client");
        assert!(accepted < mutants);
    }
}

#[test]
fn every_seed_does_no_harm_mutated_byte_by_byte_or_cut() {
    measured(|| {
        for (name, oracle) in oracle::ALL {
            let mut passes = 0;
            WORST.store(0, Ordering::Relaxed);
            for (path, bytes) in files(&root().join("fuzz/corpus").join(name)) {
                passes += mutate(*oracle, &bytes, &path.display().to_string());
            }
            println!("{name}: {passes} mutants, at worst {} bytes", WORST.load(Ordering::Relaxed));
            assert!(passes > 0, "{name} has no seeds");
        }
    });
}

/// What a byte is turned into. The first three flip a bit that is a length, a flag or a sign somewhere.
const TURNS: [fn(u8) -> u8; 6] =
    [|b| b ^ 1, |b| b ^ 0x80, |b| b ^ 0x20, |_| 0, |_| 0xff, |b| b.wrapping_add(1)];

/// Above this, only so many places of a seed are turned and cut at, at even distances.
const PLACES: usize = 6000;
/// Up to this, every byte is turned in every way.
const SHORT: usize = 700;

/// Turns bytes, and cuts at lengths, one at a time. The count of passes.
fn mutate(oracle: Oracle, whole: &[u8], name: &str) -> usize {
    let stride = whole.len().div_ceil(PLACES).max(1);
    let mut passes = 0;
    let mut bent = whole.to_vec();
    for place in (0..whole.len()).step_by(stride) {
        // A long seed repeats its structures: two turns a byte, and the others at its neighbours.
        let turns = if whole.len() <= SHORT { 0..TURNS.len() } else { 2 * (place % 3)..2 * (place % 3) + 2 };
        for turn in turns {
            bent[place] = TURNS[turn](whole[place]);
            pass(oracle, &bent, &|| format!("{name}, byte {place}, turn {turn}"));
            passes += 1;
        }
        bent[place] = whole[place];
        pass(oracle, &whole[..place], &|| format!("{name}, cut at {place}"));
        passes += 1;
    }
    passes
}

#[test]
fn every_fuzz_target_has_its_oracle_and_every_oracle_its_target() {
    let _alone = alone();
    let targets: BTreeSet<String> = files(&root().join("fuzz/fuzz_targets"))
        .into_iter()
        .map(|(path, _)| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let oracles: BTreeSet<String> = oracle::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(targets, oracles);
    let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    for target in &targets {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target} is not built");
        let code = std::fs::read_to_string(root().join(format!("fuzz/fuzz_targets/{target}.rs"))).unwrap();
        assert!(code.contains(&format!("oracle::{target}(data)")), "{target} asks another oracle");
    }
}

#[test]
fn an_oracle_that_panics_or_takes_too_much_is_seen() {
    let _alone = alone();
    let fails =
        |oracle: Oracle| std::panic::catch_unwind(|| pass(oracle, b"x", &|| "made up".to_owned())).is_err();
    assert!(!fails(|_| ()));
    assert!(fails(|_| panic!("made up: this panic is a part of the test")));
    assert!(fails(|_| drop(std::hint::black_box(vec![0_u8; 2 << 20]))));
}
