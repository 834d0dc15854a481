//! How long a sign-in name may be: as long as in AD, counted as AD counts, in any script.

#![allow(missing_docs)]

use landbridge_wire::names::{MAX_NAME, folded, of_sam, of_upn};

#[test]
fn a_name_as_long_as_ad_has_it_is_a_name_in_any_script_and_a_longer_one_is_none() {
    // A letter of four bytes is two UTF-16 units.
    for (letter, units) in [("a", 1), ("я", 1), ("中", 1), ("😀", 2)] {
        let sam = |longer: usize| letter.repeat(256 / units + longer);
        assert_eq!(of_sam(&sam(0), "corp.example.com", "CORP").len(), 3, "{letter}");
        assert_eq!(of_sam(&sam(1), "corp.example.com", "CORP").len(), 0, "{letter}");
        let upn = |length: usize| format!("{}@example.com", letter.repeat(length));
        let longest = (1024 - "@example.com".len()) / units;
        assert!(of_upn(&upn(longest)).is_some(), "{letter}");
        assert!(of_upn(&upn(longest + 1)).is_none(), "{letter}");
        assert!(upn(longest).len() <= MAX_NAME);
        // As a person types it.
        assert!(
            folded(&upn(longest)).is_some() && folded(&format!("CORP\\{}", sam(0))).is_some(),
            "{letter}"
        );
        assert!(
            folded(&upn(longest + 1)).is_none() && folded(&format!("CORP\\{}", sam(1))).is_none(),
            "{letter}"
        );
    }
    assert!(folded(&"a".repeat(MAX_NAME + 1)).is_none());
}
