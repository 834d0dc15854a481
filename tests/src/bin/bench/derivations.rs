//! Derivations a second on one core, beside what anybody else would call.

use crate::report::Comparison;
use aws_lc_rs::pbkdf2 as aws;
use landbridge_crypto::lanes;
use landbridge_crypto::nt_hash::NtHash;
use landbridge_crypto::salted_digest::{Profile, SaltedDigest};
use landbridge_crypto::secret::Password;
use landbridge_tests::lab::LabError;
use landbridge_tests::lab::program::build_folder;
use std::hint::black_box;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

const ITERATIONS: u32 = 1_000;
/// Of one side in one round.
const EACH: u32 = 240;
const ROUNDS: usize = 15;

/// In turns, in one thread.
pub(crate) fn measure() -> Result<Vec<Comparison>, LabError> {
    let ours = format!("side by side ({})", lanes::kernel());
    let sides = ["RustCrypto pbkdf2", "ring", "aws-lc-rs", "OpenSSL (hashlib)", "one after the other", &ours];
    let ring = ring()?;
    let what = format!("Derivations on one core, {ITERATIONS} iterations");
    let mut all = Comparison::new(what, "/s", "3.5× with AVX-512, 1.7× with AVX2", &sides);
    for _ in 0..ROUNDS {
        let ring = said(Command::new(&ring).args([EACH.to_string(), ITERATIONS.to_string()]))?;
        all.round(&[rustcrypto(), ring, aws_lc(), openssl()?, one_after_the_other(), side_by_side()]);
    }
    all.note = limit(all.median(5));
    Ok(vec![all])
}

/// How much of what the SHA unit can do was done: `sha256rnds2` keeps it busy for two cycles, a compression has 32 of
/// them, an iteration two compressions. Empty where something else computes.
fn limit(rate: f64) -> String {
    const CYCLES: f64 = 2.0 * 32.0 * 2.0;
    if !lanes::kernel().starts_with("sha") {
        return String::new();
    }
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let clocks =
        text.lines().filter_map(|line| line.strip_prefix("cpu MHz")?.split(": ").nth(1)?.parse().ok());
    let Some(mhz) = clocks.max_by(f64::total_cmp) else {
        return "How near that is to the limit of the SHA unit is not known: the kernel does not say the clock.".to_owned();
    };
    let share = 100.0 * rate * f64::from(ITERATIONS) * CYCLES / (mhz * 1e6);
    format!(
        "Side by side is {share:.0} % of the limit of one SHA unit at the {:.2} GHz that the kernel says.",
        mhz / 1e3
    )
}

/// So many digests at least, of no password in particular, derived on all cores.
pub(crate) fn on_all_cores(profile: Profile, count: usize) -> Vec<SaltedDigest> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let derive = || {
        let mut waiting = (0..count.div_ceil(cores)).map(|_| (hash(0), ()));
        let mut derived = Vec::new();
        lanes::derive(profile, |_| waiting.next(), |(), digest| derived.push(digest));
        derived
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(derive)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    })
}

fn rate(count: u32, run: impl FnOnce()) -> f64 {
    let began = Instant::now();
    run();
    f64::from(count) / began.elapsed().as_secs_f64()
}

/// The derivation's key: the digits of an NT hash in UTF-16.
fn key(n: u32) -> [u8; 64] {
    std::array::from_fn(|at| n.to_le_bytes()[at % 4] ^ at.to_le_bytes()[0])
}

fn rustcrypto() -> f64 {
    rate(EACH, || {
        for n in 0..EACH {
            let mut derived = [0; 32];
            pbkdf2::pbkdf2_hmac::<sha2::Sha256>(&key(n), b"ten bytes.", ITERATIONS, &mut derived);
            black_box(derived);
        }
    })
}

fn aws_lc() -> f64 {
    let iterations = NonZeroU32::new(ITERATIONS).unwrap_or(NonZeroU32::MIN);
    rate(EACH, || {
        for n in 0..EACH {
            let mut derived = [0; 32];
            aws::derive(aws::PBKDF2_HMAC_SHA256, iterations, b"ten bytes.", &key(n), &mut derived);
            black_box(derived);
        }
    })
}

/// The system's Python calls the system's OpenSSL, and measures inside itself.
fn openssl() -> Result<f64, LabError> {
    let program = format!(
        "import hashlib, time\nbegan = time.perf_counter()\nfor n in range({EACH}):\n    \
         hashlib.pbkdf2_hmac('sha256', bytes(64), b'ten bytes.', {ITERATIONS})\n\
         print({EACH} / (time.perf_counter() - began))"
    );
    said(Command::new("/usr/bin/python3").args(["-c", &program]))
}

/// Builds the program that calls ring, which stands outside the workspace: a second provider has no business in it.
fn ring() -> Result<PathBuf, LabError> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("ring");
    let target = build_folder()?.join("ring");
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["build", "--quiet", "--locked", "--release", "--manifest-path"])
        .arg(source.join("Cargo.toml"));
    let built = build.arg("--target-dir").arg(&target).status();
    match built {
        Ok(status) if status.success() => Ok(target.join("release/landbridge-peer-ring")),
        other => Err(LabError::said("building what calls ring", &format!("{other:?}"))),
    }
}

/// A rate that a program prints.
fn said(program: &mut Command) -> Result<f64, LabError> {
    let failed = |why: String| LabError::said("a peer's derivations", &why);
    let ran = program.stderr(Stdio::inherit()).output().map_err(|why| failed(why.to_string()))?;
    let text = String::from_utf8_lossy(&ran.stdout);
    text.trim().parse().map_err(|_| failed(text.into_owned()))
}

fn hash(n: u32) -> NtHash {
    NtHash::of_password(&Password::new(format!("password {n}")))
}

fn one_after_the_other() -> f64 {
    rate(EACH, || {
        for n in 0..EACH {
            black_box(SaltedDigest::derive(hash(n), Profile::Entra));
        }
    })
}

fn side_by_side() -> f64 {
    rate(EACH, || {
        let mut waiting = (0..EACH).map(|n| (hash(n), ()));
        lanes::derive(Profile::Entra, |_| waiting.next(), |(), digest| drop(black_box(digest)));
    })
}
