#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;

fn capture(name: &str) -> Vec<u8> {
    let path = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("captures").join(name);
    std::fs::read(path).unwrap()[4..].to_vec()
}

#[test]
fn the_errors_of_a_real_kdc_say_who_must_act_and_what_to_do() {
    for (name, code, who, text) in [
        ("wrong-password", 24, Responsible::Operator, "wrong password"),
        ("unknown-account", 6, Responsible::Operator, "no account svc"),
        ("disabled", 18, Responsible::DirectoryOperator, "disabled"),
        ("expired", 23, Responsible::DirectoryOperator, "must change its password"),
    ] {
        let bytes = capture(&format!("krb-error-{name}.der"));
        let refusal = Read::parse(&bytes).unwrap().refusal("svc", "krbtgt/CORP");
        assert_eq!((refusal.code, refusal.who()), (code, who), "{name}");
        assert!(refusal.to_string().contains(text), "{refusal}");
        let age = refusal.time.as_secs();
        assert!((1_700_000_000..2_500_000_000).contains(&age), "{age}");
    }
}

#[test]
fn every_code_has_words() {
    for code in -1..300 {
        let refusal = Refusal {
            code,
            status: None,
            text: String::new(),
            time: Duration::ZERO,
            account: "svc".to_owned(),
            service: "ldap/dc/corp".to_owned(),
        };
        let text = refusal.to_string();
        assert!(text.len() < 400 && text.ends_with(&format!("(Kerberos error {code})")), "{text}");
    }
}

#[test]
fn an_error_cut_or_bent_anywhere_never_panics_and_shows_no_control_character() {
    let whole = capture("krb-error-wrong-password.der");
    for end in 0..whole.len() {
        assert!(Read::parse(&whole[..end]).is_none(), "{end}");
    }
    assert!(Read::parse(&[&whole[..], &[0]].concat()).is_none(), "a byte too many");
    for at in 0..whole.len() {
        for value in [0, 0x1b, 0x7f, 0x80, 0x84, 0xff] {
            let mut bent = whole.clone();
            bent[at] = value;
            if let Some(read) = Read::parse(&bent) {
                let text = read.refusal("svc", "krbtgt/CORP").to_string();
                assert!(!text.chars().any(char::is_control), "{text:?}");
            }
        }
    }
}
