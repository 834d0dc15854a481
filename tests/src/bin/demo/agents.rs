//! The second act: the same people, signed in by a domain controller through agents that only dial out.

use super::{Board, Tries};
use landbridge_tests::lab::{
    Answer, Application, Domain, LabError, PtaAgent, PtaSettings, RunningTenant, Try, person,
};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Sign-ins at once while an agent is killed.
const AT_ONCE: u32 = 4;

pub(super) fn play(
    board: &mut Board,
    domain: &Domain,
    tenant: &RunningTenant,
    app: &Application,
) -> Result<(), LabError> {
    println!();
    board.title("Now a domain controller decides, through agents inside that only dial out");
    let step = Instant::now();
    let refused = tenant.set_policy("pta")?;
    if refused.code != Some(0) {
        return Err(LabError::said("domains policy pta", &refused));
    }
    let settings = PtaSettings { level: "warn", ..PtaSettings::for_domain(domain) };
    let agents = [PtaAgent::start(&settings, tenant)?, PtaAgent::start(&settings, tenant)?];
    tenant.wait_for_connections(4, 30)?;
    board.done("agents", "two enrolled, two connections each, no port open inside", step);
    println!();

    let (user, disabled, locked) = (person(20), person(21), person(22));
    domain.set_enabled(&disabled.sam, false)?;
    let mut tries = Tries { board, app, number: 100 };
    let password = format!("{}\n", user.password);
    let said = agents[0].run_to_end(&["check", "--as", &user.upn], Some(password.as_bytes()))?;
    let accepted = said.code == Some(0) && said.stdout.contains("accepted, by the SID as sign-ins bind");
    let was = if accepted { "accepted" } else { "not accepted" };
    tries.board.line("`check --as` a person, by SID as Windows takes it", "accepted", was);
    tries.line("right password, asked of the DC", &user, &user.password, "accepted")?;
    tries.line("wrong password, asked of the DC", &user, &user.wrong_password(), "refused")?;
    tries.line("disabled a moment ago, right password", &disabled, &disabled.password, "refused")?;
    domain.set_policy(serde_json::json!({"lockoutThreshold": "10"}))?;
    domain.try_wrong_passwords(&locked.upn, 11)?;
    tries.line("locked in AD a moment ago, right password", &locked, &locked.password, "refused")?;
    kill_one(&mut tries, &agents[0], tenant, app)?;

    agents[1].kill();
    tenant.wait_for_connections(0, 10)?;
    tries.line("both agents killed", &user, &user.password, "unavailable")?;
    tenant.set_policy("pta-then-phs")?;
    tries.line("the same with policy pta-then-phs: the digest", &user, &user.password, "accepted")?;

    for agent in &agents {
        agent.run()?;
    }
    tenant.wait_for_connections(4, 30)?;
    tries.line("both started again", &user, &user.password, "accepted")?;
    let since = Instant::now();
    tenant.run(&["agents", "revoke", &agents[1].id()?], None)?;
    let was = if tenant.wait_for_connections(2, 10).is_ok() { "gone" } else { "still there" };
    let took = since.elapsed().as_millis();
    tries.board.line(&format!("one agent revoked; its connections, {took} ms later"), "gone", was);
    tries.line("the other one answers", &user, &user.password, "accepted")
}

/// Sign-ins go on while an agent is killed that has not answered some of them.
fn kill_one(
    tries: &mut Tries,
    victim: &PtaAgent,
    tenant: &RunningTenant,
    app: &Application,
) -> Result<(), LabError> {
    let (stop, done) = (AtomicBool::new(false), AtomicU32::new(0));
    let (stop, done) = (&stop, &done);
    let (asked, lost) = std::thread::scope(|scope| {
        let work = move |first: u32| -> Result<(u32, u32), LabError> {
            let (mut asked, mut lost, mut index) = (0, 0, first);
            while !stop.load(Ordering::Relaxed) {
                let who = person(30 + index % 400);
                let answer = app.sign_in(&Try::from(index, &who.upn, &who.password))?;
                (asked, lost, index) = (asked + 1, lost + u32::from(!answer.accepted()), index + AT_ONCE);
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok((asked, lost))
        };
        let threads: Vec<_> = (0..AT_ONCE).map(|first| scope.spawn(move || work(first))).collect();
        let wait = |more: u32| {
            let from = done.load(Ordering::Relaxed);
            let until = Instant::now() + Duration::from_secs(15);
            while done.load(Ordering::Relaxed) < from + more && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        wait(40);
        victim.kill();
        wait(40);
        stop.store(true, Ordering::Relaxed);
        let mut sum = (0, 0);
        for thread in threads {
            let (asked, lost) = thread.join().map_err(|_| LabError::Step {
                step: "signing in".into(),
                said: "a thread panicked".into(),
            })??;
            sum = (sum.0 + asked, sum.1 + lost);
        }
        Ok::<_, LabError>(sum)
    })?;
    tenant.wait_for_connections(2, 10)?;
    tries.board.line(&format!("one agent killed during {asked} sign-ins"), "0 lost", &format!("{lost} lost"));
    Ok(())
}

/// Whether this is the answer that a person gets when the password could not be checked.
pub(super) fn unavailable(answer: &Answer) -> bool {
    answer.status == 503 && answer.body["error"] == "unavailable"
}
