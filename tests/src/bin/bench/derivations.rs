//! Derivations a second on one core, beside other implementations, and beside the limit of the processor's vector or
//! SHA units.
//!
//! The model of that limit: the kernel cannot be faster than the units execute its instructions if none ever waits
//! for another one. How many instructions of each kind it needs is known ([`lanes::workload`]); how many of each kind
//! the processor executes a second is measured, by loops of independent instructions of that kind. Kinds share units:
//! the model takes it that the units of a slower kind can execute every faster kind as well, as those of AMD and
//! Intel can. Where another processor has separate units, the true limit is higher than the model's. Loads, stores
//! and copies are not in it. The clock is measured too, by additions that wait for each other; it only serves to
//! print rates per cycle.

use crate::report::{Comparison, median};
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
/// Derivations of one side in one round.
const EACH: u32 = 240;
const ROUNDS: usize = 15;

/// Measures all sides in turns, in one thread.
pub(crate) fn measure() -> Result<Vec<Comparison>, LabError> {
    let ours = format!("side by side ({})", lanes::kernel());
    let sides = ["RustCrypto pbkdf2", "ring", "aws-lc-rs", "OpenSSL (hashlib)", "one after the other", &ours];
    let ring = ring()?;
    let what = format!("Derivations on one core, {ITERATIONS} iterations");
    let mut all = Comparison::new(what, "/s", "90 % of the processor's limit", &sides);
    let mut limits = Vec::new();
    for _ in 0..ROUNDS {
        let ring = printed_rate(Command::new(&ring).args([EACH.to_string(), ITERATIONS.to_string()]))?;
        all.round(&[rustcrypto(), ring, aws_lc(), openssl()?, one_after_the_other(), side_by_side()]);
        limits.extend(Limit::measure().map(|limit| (limit, iterations())));
    }
    all.note = note(&limits);
    Ok(vec![all])
}

/// The processor's limit by the model above, and what it was computed from.
struct Limit {
    /// Iterations a second.
    rate: f64,
    /// Cycles a second while vectors of this width are computed with.
    clock: f64,
    /// Instructions a second, for each kind of the workload.
    executed: Vec<f64>,
}

impl Limit {
    /// Takes some 10 ms. None where the instructions of the kernel are not known.
    fn measure() -> Option<Self> {
        let workload = lanes::workload();
        let clock = executed(workload.first()?.repeat_dependent);
        let executed: Vec<f64> = workload.iter().map(|kind| executed(kind.repeat)).collect();
        let mut kinds: Vec<(u32, f64)> =
            workload.iter().zip(&executed).map(|(kind, rate)| (kind.per_iteration, *rate)).collect();
        kinds.sort_by(|(_, one), (_, other)| one.total_cmp(other));
        // The slowest kind alone, the two slowest ones on the units of the faster of them, and so on.
        let (mut seconds, mut instructions) = (0.0_f64, 0);
        for (count, rate) in kinds {
            instructions += count;
            seconds = seconds.max(f64::from(instructions) / rate);
        }
        let rate = lanes::width() as f64 / seconds;
        Some(Self { rate, clock, executed })
    }
}

/// Instructions a second in such a loop. The best of five: other programs on the machine only ever add time.
fn executed(repeat: fn(u64)) -> f64 {
    const ROUNDS: u32 = 100_000;
    let best = |best: f64, _| best.max(rate(ROUNDS * lanes::REPEATED, || repeat(ROUNDS.into())));
    (0..5).fold(0.0, best)
}

/// Iterations a second of as many `strong` derivations as run at once: of these 600,000 iterations each what comes
/// before and after them is no part that counts.
fn iterations() -> f64 {
    let width = lanes::width();
    let mut waiting = (0..width).map(|_| (hash(0), ()));
    let all = width as f64 * f64::from(Profile::Strong.iterations());
    let began = Instant::now();
    lanes::derive(Profile::Strong, |_| waiting.next(), |(), digest| drop(black_box(digest)));
    all / began.elapsed().as_secs_f64()
}

/// Each limit with our iterations a second in the same round. Empty where no limit is known.
fn note(limits: &[(Limit, f64)]) -> String {
    if limits.is_empty() {
        return String::new();
    }
    let of = |value: &dyn Fn(&Limit) -> f64| median(limits.iter().map(|(limit, _)| value(limit)).collect());
    let share = |(limit, ours): &(Limit, f64)| 100.0 * ours / limit.rate;
    let shares = limits.iter().map(share);
    let kinds = lanes::workload().iter().enumerate().map(|(at, kind)| {
        let per_cycle = of(&|limit| limit.executed[at] / limit.clock);
        format!("{} {} ({per_cycle:.2} a cycle)", kind.per_iteration, kind.name)
    });
    format!(
        "Side by side, {} iterations each: {:.0} % ({:.0} to {:.0}) of this processor's limit, which is {:.0}/s of {ITERATIONS} \
         iterations. An iteration of {} derivations needs {}; the clock, measured beside it: {:.2} GHz.",
        Profile::Strong.iterations(),
        median(shares.clone().collect()),
        shares.clone().fold(f64::INFINITY, f64::min),
        shares.fold(0.0, f64::max),
        of(&|limit| limit.rate) / f64::from(ITERATIONS),
        lanes::width(),
        kinds.collect::<Vec<_>>().join(", "),
        of(&|limit| limit.clock) / 1e9,
    )
}

/// Derives at least `count` digests, all of the same password, on all cores.
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

/// A key as long as Landbridge's: the 32 digits of an NT hash in UTF-16.
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

/// The system's Python calls the system's OpenSSL, and measures the time itself.
fn openssl() -> Result<f64, LabError> {
    let program = format!(
        "import hashlib, time\nbegan = time.perf_counter()\nfor n in range({EACH}):\n    \
         hashlib.pbkdf2_hmac('sha256', bytes(64), b'ten bytes.', {ITERATIONS})\n\
         print({EACH} / (time.perf_counter() - began))"
    );
    printed_rate(Command::new("/usr/bin/python3").args(["-c", &program]))
}

/// Builds the program that calls ring. It is outside the workspace, which has one provider of cryptography only.
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

/// Runs a program that prints a rate.
fn printed_rate(program: &mut Command) -> Result<f64, LabError> {
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
