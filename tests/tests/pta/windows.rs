//! Sign-ins and `check` at a fake of a Windows domain controller, beside the same at the lab's Samba. The fake does
//! what the documents say; no Windows domain controller was run.

use crate::stage::Stage;
use landbridge_pta_agent::status::OLDER_TENANT;
use landbridge_tests::lab::lying_tenant::{LyingTenant, Named, Said};
use landbridge_tests::lab::program::{Finished, wait_until};
use landbridge_tests::lab::windows_ldap_fake::{FakeAccount, WindowsLdapFake};
use landbridge_tests::lab::{Person, PtaAgent, PtaSettings, person};
use landbridge_wire::signin::DirectoryVerdict;

/// The person's account, as Windows would have it.
fn account(stage: &Stage, who: &Person) -> FakeAccount {
    let identity = stage.domain.identity(&who.sam).unwrap();
    FakeAccount {
        dn: identity.dn,
        sam: who.sam.clone(),
        upn: Some(who.upn.clone()),
        display: Some(who.display.clone()),
        guid: identity.guid,
        sid: identity.sid,
        groups: vec![format!("{}-513", stage.domain.sid()), "S-1-5-32-545".to_owned()],
        password: who.password.clone(),
        ..FakeAccount::default()
    }
}

/// A domain of 50 users that counts bad passwords, as one that locks nobody does not.
fn counting() -> Stage {
    let policy = serde_json::json!({"lockoutThreshold": "10"});
    Stage::prepared(50, 0, "pta", |domain| domain.set_policy(policy).unwrap())
}

fn settings(stage: &Stage, fake: &WindowsLdapFake) -> PtaSettings {
    let defence = "failed_binds_per_minute = 100000".to_owned();
    let (ca, controllers) = (Some(fake.ca()), vec![fake.controller()]);
    PtaSettings { ca, controllers, defence, ..PtaSettings::for_domain(&stage.domain) }
}

/// An agent whose only domain controller is the fake.
fn agent_at(stage: &Stage, fake: &WindowsLdapFake) -> PtaAgent {
    let agent = PtaAgent::start(&settings(stage, fake), &stage.tenant).unwrap();
    stage.tenant.wait_for_connections(2, 30).unwrap();
    agent
}

fn check(agent: &PtaAgent, name: &str, password: &str) -> Finished {
    agent.run_to_end(&["check", "--as", name], Some(format!("{password}\n").as_bytes())).unwrap()
}

#[test]
fn a_sign_in_works_at_windows_as_at_samba_and_a_wrong_password_is_one_bad_password_at_each() {
    let stage = counting();
    let (first, second) = (person(1), person(2));
    let accounts = [&first, &second].map(|who| account(&stage, who)).to_vec();
    let sids: Vec<String> = accounts.iter().map(|one| one.sid.clone()).collect();
    let fake = WindowsLdapFake::serve(accounts, "52e").unwrap();
    let agent = agent_at(&stage, &fake);
    // 1. At Windows.
    assert!(stage.sign_in(&first, &first.password).accepted());
    assert!(stage.sign_in(&first, &first.wrong_password()).refused());
    assert_eq!(fake.bad_passwords(&first.sam), 1);
    assert!(stage.said_why("wrong-password"), "{}", stage.why());
    // A canary binds by a SID as well, which no account has.
    let mut binds = fake.binds();
    assert!(binds.iter().all(|name| name.starts_with(stage.domain.sid())), "{binds:?}");
    binds.retain(|name| sids.contains(name));
    assert_eq!(binds, [sids[0].as_str(), sids[0].as_str()], "one form of name, once for each sign-in");
    // 2. The same agent at Samba.
    agent.stop().unwrap();
    agent.configure(&PtaSettings::for_domain(&stage.domain)).unwrap();
    agent.run().unwrap();
    stage.tenant.wait_for_connections(2, 30).unwrap();
    assert!(stage.sign_in(&second, &second.password).accepted());
    assert!(stage.sign_in(&second, &second.wrong_password()).refused());
    assert_eq!(stage.domain.bad_passwords(&second.sam).unwrap(), 1);
    assert_eq!((fake.bad_passwords(&second.sam), stage.domain.bad_passwords(&first.sam).unwrap()), (0, 0));
}

#[test]
fn with_52e_and_with_57_for_an_unknown_name_check_is_good_and_says_that_acceptance_was_not_tried() {
    let stage = Stage::new(50, 0);
    let (known, unknown) = (person(1), person(2));
    for code in ["52e", "57"] {
        let fake = WindowsLdapFake::serve(vec![account(&stage, &known)], code).unwrap();
        let agent = agent_at(&stage, &fake);
        let checked = agent.run_to_end(&["check"], None).unwrap().expect_code(0);
        for words in ["refused as it must be", "acceptance: not tried", "check --as USER"] {
            assert!(checked.stdout.contains(words), "{code}: {checked}");
        }
        // An account that this domain controller does not have is refused like a wrong password.
        assert!(stage.sign_in(&known, &known.password).accepted(), "{code}");
        assert!(stage.sign_in(&unknown, &format!("{} at {code}", unknown.password)).refused(), "{code}");
        assert!(stage.said_why("wrong-password"), "{code}: {}", stage.why());
        let noted = || {
            let status = agent.status();
            status.is_some_and(|status| {
                (status.unknown_names > 0) == (code == "57") && status.lockout.is_some()
            })
        };
        wait_until("what the status says of unknown names", 10, noted, String::new).unwrap();
        agent.stop().unwrap();
    }
}

#[test]
fn check_as_a_person_proves_that_sign_ins_are_accepted_by_the_sid_and_stores_no_password() {
    let stage = counting();
    let who = person(1);
    for code in ["52e", "57"] {
        let fake = WindowsLdapFake::serve(vec![account(&stage, &who)], code).unwrap();
        let agent = PtaAgent::install(&settings(&stage, &fake)).unwrap();
        agent.join(&stage.tenant).unwrap();
        let sid = stage.domain.identity(&who.sam).unwrap().sid;
        let nt4 = format!("CORP\\{}", who.sam);
        for (name, binds) in [
            (who.upn.as_str(), vec![who.upn.as_str(), sid.as_str()]),
            (nt4.as_str(), vec![nt4.as_str(), sid.as_str()]),
            (sid.as_str(), vec![sid.as_str()]),
        ] {
            fake.binds();
            let checked = check(&agent, name, &who.password).expect_code(0);
            assert!(checked.stdout.contains("accepted, by the SID as sign-ins bind"), "{checked}");
            assert!(checked.stderr.contains("one bad password"), "what it costs is said: {checked}");
            assert!(!checked.to_string().contains(&who.password), "{checked}");
            // The first bind is that of the check for nobody.
            assert_eq!(fake.binds()[1..], binds, "{name}");
        }
        // A wrong password: one bind, one bad password, no second form of name.
        let wrong = check(&agent, &who.upn, &who.wrong_password()).expect_code(5);
        assert!(wrong.stdout.contains("the password is wrong"), "{wrong}");
        assert_eq!(fake.binds()[1..], [who.upn.as_str()]);
        assert_eq!(fake.bad_passwords(&who.sam), 1);
        // Nobody's name, and no password at all.
        let nobody = check(&agent, "nobody@corp.example.com", "x").expect_code(5);
        let words = if code == "57" { "knows no account of this name" } else { "knows no such account" };
        assert!(nobody.stdout.contains(words), "{nobody}");
        let empty = check(&agent, &who.upn, "").expect_code(5);
        assert!(empty.stdout.contains("no password was given"), "{empty}");
        assert_eq!(fake.bad_passwords(&who.sam), 1, "an anonymous bind would have succeeded");
        let found = std::process::Command::new("grep")
            .args(["-rlF", "--", &who.password])
            .arg(agent.state())
            .output()
            .unwrap();
        assert!(found.stdout.is_empty(), "it is stored: {}", String::from_utf8_lossy(&found.stdout));
    }
    // The same at Samba.
    let agent = PtaAgent::install(&PtaSettings::for_domain(&stage.domain)).unwrap();
    agent.join(&stage.tenant).unwrap();
    for name in [&who.upn, &format!("CORP\\{}", who.sam), &stage.domain.identity(&who.sam).unwrap().sid] {
        let checked = check(&agent, name, &who.password).expect_code(0);
        assert!(checked.stdout.contains("accepted, by the SID as sign-ins bind"), "{checked}");
    }
    let wrong = check(&agent, &who.upn, &who.wrong_password()).expect_code(5);
    assert!(wrong.stdout.contains("the password is wrong"), "{wrong}");
    assert_eq!(stage.domain.bad_passwords(&who.sam).unwrap(), 1);
}

#[test]
fn check_as_a_person_has_words_for_each_answer_and_sends_no_second_bind_after_a_refusal() {
    let stage = Stage::new(50, 0);
    let (who, other) = (person(1), person(2));
    let fake = WindowsLdapFake::serve([&who, &other].map(|who| account(&stage, who)).to_vec(), "57").unwrap();
    let agent = PtaAgent::install(&settings(&stage, &fake)).unwrap();
    agent.join(&stage.tenant).unwrap();
    for (code, words) in [
        ("530", "not sign in at this hour"),
        ("531", "certain machines"),
        ("532", "has expired"),
        ("533", "disabled"),
        ("701", "the account has expired"),
        ("773", "must be changed"),
        ("775", "locked"),
        ("52f", "restricted"),
        ("569", "restricted"),
        ("56", "the password is wrong"),
        ("80090346", "LdapEnforceChannelBinding"),
        ("999", "not known here (999)"),
    ] {
        fake.change(&who.sam, |one| one.refusal = Some(code));
        fake.binds();
        let refused = check(&agent, &who.upn, &who.password).expect_code(5);
        assert!(refused.stdout.contains(words), "{code}: {refused}");
        assert_eq!(fake.binds()[1..], [who.upn.as_str()], "{code}");
    }
    fake.change(&who.sam, |one| one.refusal = None);
    // Accepted by the name, and the SID leads to another account.
    let sid = stage.domain.identity(&who.sam).unwrap().sid;
    fake.change(&other.sam, |one| one.display = Some(sid.clone()));
    let hidden = check(&agent, &who.upn, &who.password).expect_code(5);
    assert!(hidden.stdout.contains("not by its SID"), "{hidden}");
    fake.change(&other.sam, |one| one.display = None);
    // A protected account is accepted, and the tenant never learns that.
    fake.change(&who.sam, |one| one.groups.push(format!("{}-512", sid.rsplit_once('-').unwrap().0)));
    let protected = check(&agent, &who.upn, &who.password).expect_code(0);
    assert!(protected.stdout.contains("the account is protected"), "{protected}");
    // A name that is none, or of another domain: nothing is asked for and no bind is sent.
    for name in [who.sam.as_str(), "CN=x,DC=corp,DC=example,DC=com", "S-1-5-21-1-2-3-1105", "S-1-5-32-544"] {
        fake.binds();
        let odd = check(&agent, name, &who.password).expect_code(2);
        assert!(odd.stdout.contains("acceptance: not tried"), "{odd}");
        assert_eq!(fake.binds().len(), 1, "nobody's alone");
    }
    // Without a domain controller no password is read.
    let ca = fake.ca();
    let settings = PtaSettings { ca: Some(ca), ..PtaSettings::for_domain(&stage.domain) };
    agent.configure(&settings).unwrap();
    let none = check(&agent, &who.upn, &who.password).expect_code(5);
    assert!(none.stdout.contains("no domain controller can be used"), "{none}");
    assert!(!none.stderr.contains("one bad password"), "{none}");
}

#[test]
fn a_controller_that_wants_channel_bindings_gives_no_verdict_and_the_log_says_what_to_do() {
    let stage = Stage::new(50, 0);
    let who = person(1);
    let mut bindings = account(&stage, &who);
    bindings.refusal = Some("80090346");
    let fake = WindowsLdapFake::serve(vec![bindings], "52e").unwrap();
    let agent = agent_at(&stage, &fake);
    let answer = stage.sign_in(&who, &who.password);
    assert!(!answer.accepted(), "{answer:?}");
    let logged =
        std::fs::read_dir(agent.output()).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let logged: String = logged.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
    assert!(logged.contains("LdapEnforceChannelBinding"), "{logged}");
}

#[test]
fn an_account_whose_display_name_or_upn_is_a_persons_sid_does_not_sign_in_as_that_person() {
    let stage = Stage::new(50, 0);
    let (victim, thief) = (person(1), person(2));
    let fake =
        WindowsLdapFake::serve([&victim, &thief].map(|who| account(&stage, who)).to_vec(), "52e").unwrap();
    let _agent = agent_at(&stage, &fake);
    let sid = stage.domain.identity(&victim.sam).unwrap().sid;
    // With a good bind the agent reads AD's policy, which leaves it more than one failed bind.
    assert!(stage.sign_in(&victim, &victim.password).accepted());
    // Both forms are tried before the SID.
    for by_upn in [false, true] {
        fake.change(&thief.sam, |one| {
            one.display = (!by_upn).then(|| sid.clone());
            one.upn = by_upn.then(|| sid.clone());
        });
        let answer = stage.sign_in(&victim, &thief.password);
        assert!(answer.refused(), "by UPN {by_upn}: {answer:?}");
        assert!(stage.said_why("other-account"), "{}", stage.why());
    }
    fake.change(&thief.sam, |one| (one.display, one.upn) = (None, Some(thief.upn.clone())));
    assert!(stage.sign_in(&victim, &thief.password).refused());
    assert!(stage.sign_in(&victim, &victim.password).accepted(), "the name leads to its owner again");
}

#[test]
fn the_tenants_objectguid_and_the_accounts_own_are_compared_after_a_good_bind() {
    let stage = Stage::new(50, 0);
    let (who, first) = (person(1), person(2));
    let fake =
        WindowsLdapFake::serve([&who, &first].map(|who| account(&stage, who)).to_vec(), "52e").unwrap();
    let own = stage.domain.identity(&who.sam).unwrap().guid;
    fake.change(&who.sam, |one| one.guid = uuid::Uuid::new_v4());
    let _agent = agent_at(&stage, &fake);
    assert!(stage.sign_in(&first, &first.password).accepted());
    assert!(stage.sign_in(&who, &who.password).refused());
    assert!(stage.said_why("other-account"), "{}", stage.why());
    fake.change(&who.sam, |one| one.guid = own);
    assert!(stage.sign_in(&who, &who.password).accepted());
}

#[test]
fn with_a_tenant_of_version_0_1_windows_refuses_each_bind_and_check_and_status_say_why() {
    let stage = Stage::new(50, 0);
    let who = person(1);
    let fake = WindowsLdapFake::serve(vec![account(&stage, &who)], "57").unwrap();
    let agents = [agent_at(&stage, &fake)];
    stage.tenant.kill();
    let old = LyingTenant::take_over(&stage.tenant, &agents, false).unwrap();
    fake.binds();
    let object = stage.domain.identity(&who.sam).unwrap().guid;
    let asked = || old.guess(&agents[0], &Named { object, sid: None }, &who.password).unwrap().0;
    let said = (0..5).map(|_| asked()).find(|said| *said != Said::Nothing);
    assert_eq!(said, Some(Said::Verdict(DirectoryVerdict::Wrong)));
    assert!(fake.binds().iter().all(|name| *name == format!("<GUID={object}>")));
    let noted = || {
        let status = agents[0].status();
        status.is_some_and(|status| status.links.values().any(|link| link.older))
    };
    wait_until("the status to name the older tenant", 10, noted, String::new).unwrap();
    let status = agents[0].run_to_end(&["status"], None).unwrap();
    assert!(status.stdout.contains(OLDER_TENANT), "{status}");
    let checked = agents[0].run_to_end(&["check"], None).unwrap().expect_code(6);
    assert!(checked.stdout.contains(OLDER_TENANT), "{checked}");
}
