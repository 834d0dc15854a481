//! What holds for a database on either engine.

mod sqlite;

use landbridge_tenant_fixture::{NOW, Tenant, enrolled};
use landbridge_tenant_rules::model::HeardProcess;
use landbridge_tenant_store::error::*;
use landbridge_tenant_store::tables::*;
use landbridge_tenant_store::*;
use uuid::Uuid;

#[test]
fn what_was_written_is_there_after_a_restart_and_so_is_whose_it_is() {
    let tenant = Tenant::new();
    let before = tenant.store.tenant();
    let tenant = tenant.restarted();
    assert_eq!(tenant.store.tenant(), before);
    assert_eq!(before.id, Uuid::from_u128(9));
    assert_eq!(tenant.store.read(domains::all).unwrap().len(), 1);
}

#[test]
fn a_process_that_was_alive_before_the_stored_one_does_not_replace_it() {
    let tenant = Tenant::new();
    let agent = enrolled(&tenant.store, 3, 1).agent;
    let heard = || tenant.store.read(|reading| agents::find(reading, agent)).unwrap().unwrap().heard;
    assert_eq!(heard(), None);
    let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
    for (name, alive_at, stored) in [(first, 50, first), (second, 51, second), (first, 50, second)] {
        let process = HeardProcess { name, alive_at };
        tenant.store.write("test", |t| agents::seen(t, agent, Some(&process), NOW)).unwrap();
        assert_eq!(heard().unwrap().name, stored);
    }
    // A hello without a name.
    tenant.store.write("test", |t| agents::seen(t, agent, None, NOW + 9)).unwrap();
    assert_eq!(heard(), Some(HeardProcess { name: second, alive_at: 51 }));
    let row = tenant.store.read(|reading| agents::find(reading, agent)).unwrap().unwrap();
    assert_eq!(row.seen_at, Some(NOW + 9));
}

#[test]
fn an_error_undoes_the_whole_transaction_and_so_does_a_panic() {
    let tenant = Tenant::new();
    let audit = |t: &Writing<'_>| audit::append(t, NOW, "tenant", "tried", "", "");
    let failed: Result<(), _> = tenant.store.write("test", |t| {
        audit(t)?;
        Err(StoreError::Defect("on purpose".to_owned()))
    });
    assert!(matches!(failed.unwrap_err(), StoreError::Defect(_)));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = tenant.store.write("test", |t| -> Result<(), StoreError> {
            audit(t)?;
            panic!("on purpose")
        });
    }));
    assert!(panicked.is_err());
    assert!(tenant.audit().is_empty());
    tenant.store.write("test", audit).unwrap();
    assert_eq!(tenant.audit().len(), 1);
}

#[test]
fn reading_cannot_write() {
    let tenant = Tenant::new();
    let answer = tenant.store.read(|c| c.raw_rows("DELETE FROM domains RETURNING id", &[]));
    let error = answer.unwrap_err();
    if let StoreError::Server { trouble, .. } = error {
        assert_eq!(trouble, ServerTrouble::ReadOnly);
    } else {
        assert_eq!(error.trouble(), Some(&Trouble::ReadOnly));
    }
    assert_eq!(tenant.store.read(domains::all).unwrap().len(), 1);
}

#[test]
fn a_row_with_a_value_this_program_never_writes_is_named_and_not_guessed() {
    let tenant = Tenant::new();
    tenant.sends_bare(1);
    tenant.store.write("test", |t| t.raw_execute("UPDATE objects SET presence = 'perhaps'", &[])).unwrap();
    let error = tenant.store.read(|c| objects::find(c, landbridge_tenant_fixture::object(1))).unwrap_err();
    assert!(matches!(error, StoreError::Foreign { what: "presence" }));
    assert!(!error.to_string().contains("perhaps"));
}

#[test]
fn only_sound_names_and_sids_make_a_domain() {
    use landbridge_tenant_rules::model::{DomainRefused, NewDomain};
    let tenant = Tenant::new();
    let good = NewDomain {
        dns_name: "Lab.Example.NET",
        netbios_name: "lab",
        sid: "S-1-5-21-4-5-6",
        allow_privileged: false,
        min_iterations: 1000,
    };
    let add = |new: NewDomain<'_>| tenant.store.write("test", |t| domains::add(t, &new, NOW)).unwrap();
    let long = format!("{}.example", "x".repeat(64));
    for dns_name in
        ["", ".", "a..b", "corp.example.com.", "a@b", "a\\b", "ü.example", "a b", "a&b", long.as_str()]
    {
        assert_eq!(add(NewDomain { dns_name, ..good }), Err(DomainRefused::DnsName), "{dns_name:?}");
    }
    let refused = [
        "",
        "SIXTEEN-LETTERS-",
        "A\\B",
        "A B",
        " A",
        "A/B",
        "A:B",
        "A*B",
        "A?B",
        "A\"B",
        "A<B",
        "A>B",
        "A|B",
        ".A",
        "A\tB",
    ];
    for netbios_name in refused {
        assert_eq!(
            add(NewDomain { netbios_name, ..good }),
            Err(DomainRefused::NetbiosName),
            "{netbios_name:?}"
        );
    }
    for sid in [
        "",
        "S-1-5-21",
        "S-1-5-21-1-2",
        "S-1-5-21-1-2-3-4",
        "S-1-5-21-1-2-03",
        "s-1-5-21-1-2-3",
        "S-1-5-21-1-2-4294967296",
    ] {
        assert_eq!(add(NewDomain { sid, ..good }), Err(DomainRefused::Sid), "{sid:?}");
    }
    assert_eq!(add(NewDomain { min_iterations: 0, ..good }), Err(DomainRefused::Iterations));
    for taken in [
        NewDomain { sid: landbridge_tenant_fixture::SID, ..good },
        NewDomain { dns_name: "CORP.example.com", ..good },
        NewDomain { netbios_name: "corp", ..good },
        NewDomain { dns_name: "corp", ..good },
    ] {
        assert_eq!(add(taken), Err(DomainRefused::Taken));
    }
    // A name under which accounts of another domain may have names.
    tenant.store.write("test", |t| suffixes::add(t, tenant.domain, "old")).unwrap();
    for declared in [NewDomain { dns_name: "Example.com", ..good }, NewDomain { netbios_name: "Old", ..good }]
    {
        assert_eq!(add(declared), Err(DomainRefused::Suffix));
    }
    let id = add(good).unwrap();
    let found = tenant.store.read(|c| domains::by_name(c, "LAB.example.net")).unwrap().unwrap();
    assert_eq!(
        (found.id, found.dns_name.as_str(), found.netbios_name.as_str()),
        (id, "lab.example.net", "LAB")
    );
    assert_eq!(tenant.store.read(|c| domains::by_name(c, "lab")).unwrap().unwrap().id, id);
    // What AD takes as well, also against its own advice. A domain is found by each spelling of its names.
    for (n, (dns_name, netbios_name, spelled)) in [
        ("my_corp.example.org", "AT&T", "at&t"),
        ("_x.example.org", "A.B", "a.B"),
        ("single", "FIFTEEN-LETTERS", "fifteen-letters"),
        ("1st.2nd.3", "1", "1"),
        ("x--y-.example.org", "A@B", "a@b"),
        ("xn--bro-hoa.example.org", "BÜRO", "Büro"),
        ("greek.example.org", "ΓΙΏΡΓΟΣ", "γιώργος"),
        ("odd.example.org", "#!$%^()-_'{}~;,", "#!$%^()-_'{}~;,"),
        ("odder.example.org", "[A]=+`", "[a]=+`"),
    ]
    .into_iter()
    .enumerate()
    {
        let sid = format!("S-1-5-21-7-8-{n}");
        let id = add(NewDomain { dns_name, netbios_name, sid: &sid, ..good }).unwrap();
        for name in [dns_name, netbios_name, spelled] {
            let found = tenant.store.read(|c| domains::by_name(c, name)).unwrap();
            assert_eq!(found.map(|domain| domain.id), Some(id), "{name}");
        }
        let again =
            NewDomain { dns_name: "other.example.org", netbios_name: spelled, sid: "S-1-5-21-9-9-9", ..good };
        assert_eq!(add(again), Err(DomainRefused::Taken), "{spelled}");
    }
}
