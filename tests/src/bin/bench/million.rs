//! A tenant on SQLite with a million accounts: how fast the last ones arrive beside the first ones, and what an idle cycle,
//! a sign-in and an LDAP search cost then. One run, because it derives and sends a million digests.

use crate::ingest::{self, Sender};
use crate::ldap::client::{Connection, Scope, Search, Target, equality};
use crate::ldap::failed;
use crate::population::{self, BASE, PASSWORD};
use crate::proc;
use crate::report::{Comparison, median};
use crate::signins::accepted;
use crate::sync::joined;
use landbridge_crypto::salted_digest::Profile;
use landbridge_tests::lab::program::wait_until;
use landbridge_tests::lab::{Application, Domain, LabError, Population, RunningTenant, Try};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const ACCOUNTS: usize = 1_000_000;
/// Accounts that are made and sent at once. Their uploads are in memory together: about 40 MiB.
const PART: usize = 20_000;
/// Accounts between two lines of progress.
const PROGRESS: usize = 100_000;
const IDLE_CYCLES: usize = 20;
/// Sign-ins one after the other, and the time before each.
const ALONE: u32 = 200;
const PAUSE: Duration = Duration::from_millis(5);
/// Sign-ins in parallel, and how many at once. They take some seconds.
const SIGN_INS: u32 = 6_400;
const AT_ONCE: usize = 32;
/// Searches by LDAP, one after the other.
const SEARCHES: u32 = 1_000;
/// A number that shares no divisor with [`ACCOUNTS`]: its multiples reach every account once, in no order.
const STRIDE: usize = 611_953;
/// Limit on a start, in seconds.
const LONG_START: u64 = 600;
/// The application that searches by LDAP.
const READER: &str = "reader";

/// All of it.
pub(crate) fn measure() -> Result<Vec<Comparison>, LabError> {
    // 1. A tenant that serves LDAP before it has accounts: so nothing has read the directory when the measured start comes.
    let domain = Domain::start(Population::of(50))?;
    let runtime = Runtime::new().map_err(|why| failed("a runtime", &why))?;
    let joined = joined(&domain, Profile::Entra)?;
    let tenant = &joined.0;
    let served = tenant.serve_ldap()?;
    let credential = tenant.ldap_application(READER, &["--everybody"])?;
    let name = format!("cn={READER},ou=applications");
    let target = Target::new(SocketAddr::new(served.ip, 636), &name, &credential, &served.ca)?;
    let app = Application::of(tenant, "million")?;
    // 2. A million accounts, and cycles that find nothing new.
    let mut sender = Sender::of(&domain, &runtime, &joined)?;
    let mut all = Vec::from(arrivals(&mut sender)?);
    sender.commit()?;
    all.push(idle_cycles(&mut sender)?);
    // 3. People sign in.
    all.extend(sign_ins(&app)?);
    // 4. A start, and LDAP.
    all.extend(searches(tenant, &target, &runtime)?);
    Ok(all)
}

/// A table of one figure, which has no peer.
fn figure(what: &str, unit: &'static str, side: &str, value: f64) -> Comparison {
    let mut table = Comparison::new(format!("{ACCOUNTS} accounts on SQLite: {what}"), unit, "", &[side]);
    table.round(&[value]);
    table
}

/// Sends all accounts, and then new digests of some. Returns the rates, and the time of all accounts.
fn arrivals(sender: &mut Sender<'_>) -> Result<[Comparison; 2], LabError> {
    // 1. Whole accounts. Of each part some are kept, to be sent again.
    let (mut first, mut last, mut seconds) = (f64::NAN, f64::NAN, 0.0);
    let mut kept = Vec::new();
    for begin in (0..ACCOUNTS).step_by(PART) {
        let part = ingest::accounts(begin..begin + PART);
        last = sender.send(&part, 1)?;
        if begin == 0 {
            first = last;
        }
        seconds += PART as f64 / last;
        kept.extend(part.into_iter().step_by(ACCOUNTS / PART));
        let sent = begin + PART;
        if sent.is_multiple_of(PROGRESS) {
            eprintln!(
                "    million: {sent} of {ACCOUNTS} accounts after {seconds:.0} s of uploads, {last:.0}/s"
            );
        }
    }
    // 2. New digests of accounts from everywhere in the database.
    let digests = sender.send(&ingest::in_no_order(kept), 2)?;
    let sides = [
        format!("whole new accounts, the first {PART}"),
        format!("whole new accounts, the last {PART}"),
        format!("new digests of {PART} in no order"),
    ];
    let what = format!("Uploads received by a tenant on SQLite that grows to {ACCOUNTS} accounts");
    let mut rates = Comparison::new(what, "/s", "", &sides.each_ref().map(String::as_str));
    rates.round(&[first, last, digests]);
    let mut total =
        figure("the time of all uploads", "s", "from the first request to the last receipt", seconds);
    total.note = "Without the time in which this program derives the digests of the next uploads.".to_owned();
    Ok([rates, total])
}

fn idle_cycles(sender: &mut Sender<'_>) -> Result<Comparison, LabError> {
    let mut times = Vec::new();
    for _ in 0..IDLE_CYCLES {
        let began = Instant::now();
        sender.idle_cycle()?;
        times.push(milliseconds(began));
    }
    Ok(figure("the tenant's part of an idle cycle", "ms", "an upload without records, p50", median(times)))
}

/// Sign-ins by the API: each alone, and many at once. Each person signs in once.
fn sign_ins(app: &Application) -> Result<[Comparison; 2], LabError> {
    let tries = |numbers: Range<u32>| -> Vec<Try> {
        numbers.map(person).map(|who| Try::from(who, &population::mail(who), PASSWORD)).collect()
    };
    let alone = accepted(&app.sign_in_one_by_one(&tries(0..ALONE), PAUSE)?)?;
    let at_once = tries(ALONE..ALONE + SIGN_INS);
    let began = Instant::now();
    accepted(&app.sign_all_in(&at_once, AT_ONCE)?)?;
    let rate = f64::from(SIGN_INS) / began.elapsed().as_secs_f64();
    eprintln!("    million: sign-ins");
    Ok([
        figure("a sign-in by digest, entra, by the API", "ms", "alone, p50", median(alone)),
        figure("sign-ins by digest, entra, by the API", "/s", &format!("{AT_ONCE} at once"), rate),
    ])
}

/// The size of the database, a start, the first search, and searches after it.
fn searches(tenant: &RunningTenant, target: &Target, runtime: &Runtime) -> Result<[Comparison; 4], LabError> {
    // 1. The size, when the write-ahead log is in the file.
    tenant.stop()?;
    let size =
        std::fs::metadata(tenant.database()).map_err(|why| failed("the size of the database", &why))?;
    let size = size.len() as f64 / 1_048_576.0;
    // 2. The start. The tenant begins to read the directory then, and the first search waits for it.
    let resident = || tenant.process().map_or(f64::NAN, |process| proc::memory(process).0);
    let began = Instant::now();
    start(tenant, target.address)?;
    let (serves, before) = (began.elapsed().as_secs_f64(), resident());
    let (first, after, times) = runtime.block_on(async {
        let mut connection = Connection::open(target).await?;
        search(&mut connection, 0).await?;
        let (first, after) = (began.elapsed().as_secs_f64(), resident());
        eprintln!("    million: the first search, {first:.0} s after the start");
        // 3. Searches of a directory that is in memory.
        let mut times = Vec::new();
        for nth in 0..SEARCHES {
            let began = Instant::now();
            search(&mut connection, nth).await?;
            times.push(milliseconds(began));
        }
        Ok::<_, LabError>((first, after, times))
    })?;
    let what = |what: &str| format!("{ACCOUNTS} accounts on SQLite: {what}");
    let sides = ["it serves", "the first LDAP search is answered"];
    let mut start = Comparison::new(what("from the start until"), "s", "", &sides);
    start.round(&[serves, first]);
    let sides = ["right after the start", "after the first LDAP search"];
    let mut memory = Comparison::new(what("memory of the tenant"), "MiB", "", &sides);
    memory.round(&[before, after]);
    Ok([
        figure("the database", "MiB", "the file, after a stop", size),
        start,
        memory,
        figure("an LDAP search by uid", "ms", "one connection, p50", median(times)),
    ])
}

/// Starts the tenant and waits until it serves. It checks all of its database before, which may take longer than the lab
/// waits.
fn start(tenant: &RunningTenant, address: SocketAddr) -> Result<(), LabError> {
    match tenant.serve() {
        Err(LabError::Deadline { what, said, .. }) => {
            wait_until(&what, LONG_START, || TcpStream::connect(address).is_ok(), || said)
        }
        other => other,
    }
}

/// Searches for one person, who must be found.
async fn search(connection: &mut Connection, nth: u32) -> Result<(), LabError> {
    const ATTRIBUTES: [&str; 7] = ["uid", "cn", "sn", "givenName", "displayName", "mail", "telephoneNumber"];
    let filter = equality("uid", &population::uid(person(nth)));
    let found = connection.search(&Search::new(BASE, Scope::Subtree, &filter, &ATTRIBUTES), false).await?;
    if found.entries == 1 {
        Ok(())
    } else {
        Err(failed("an LDAP search", &format!("{} entries instead of 1", found.entries)))
    }
}

/// A person: another one for each number below [`ACCOUNTS`], in no order.
fn person(nth: u32) -> u32 {
    (nth as usize * STRIDE % ACCOUNTS) as u32
}

fn milliseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e3
}
