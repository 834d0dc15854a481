#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;

#[test]
fn every_result_code_has_words_and_keeps_the_reason() {
    assert_eq!(outcome(0, b"whatever"), Outcome::Changed);
    for code in 1..20 {
        let Outcome::Refused { code: kept, meaning, reason } = outcome(code, "zu kürz\n".as_bytes()) else {
            panic!()
        };
        assert!(kept == code && !meaning.is_empty());
        assert_eq!(reason, Reason::Text("zu kürz".to_owned()));
    }
}

#[test]
fn the_figures_of_windows_are_read_and_nothing_else_is_taken_for_them() {
    // 7 characters, 24 earlier ones, complex, 42 days, one day.
    let mut figures = vec![0, 0];
    for figure in [7u32, 24, 1] {
        figures.extend(figure.to_be_bytes());
    }
    for days in [42u64, 1] {
        figures.extend((days * 86_400 * 10_000_000).to_be_bytes());
    }
    let Outcome::Refused { reason, .. } = outcome(4, &figures) else { panic!() };
    let day = Duration::from_secs(86_400);
    assert_eq!(reason, Reason::Policy { minimum_length: 7, history: 24, complex: true, minimum_age: day });
    for text in [&figures[..29], &[&figures[..], &[0]].concat(), &[b'x'; 30]] {
        let Outcome::Refused { reason, .. } = outcome(4, text) else { panic!() };
        assert!(!matches!(reason, Reason::Policy { .. }), "{reason:?}");
    }
}
