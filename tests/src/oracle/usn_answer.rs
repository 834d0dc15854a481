//! What anybody on the way to a DC may answer to the question about the rootDSE: it is the same however the bytes
//! come, what is told stands in it, and it ends.

use landbridge_phs::read::root_dse::{Answer, MAX_MESSAGE, highest_usn};

/// Takes the first byte as the number of the question, and the others as the answer.
pub fn usn_answer(data: &[u8]) {
    let Some((id, bytes)) = data.split_first() else { return };
    let whole = Answer::to(*id).add(bytes);
    let mut slowly = Answer::to(*id);
    let mut came = Ok(None);
    for byte in bytes {
        came = slowly.add(&[*byte]);
        if !matches!(came, Ok(None)) {
            break;
        }
    }
    // All at once, what stands after the answer is heard too: an error after it is none that counts.
    assert_eq!(whole.is_ok(), came.is_ok());
    if let (Ok(whole), Ok(came)) = (whole, &came) {
        assert_eq!(whole, *came);
    }
    if let Ok(Some(root)) = &came {
        let told =
            |text: &str| bytes.windows(text.len()).any(|part| part.eq_ignore_ascii_case(text.as_bytes()));
        for (name, values) in root.iter().filter(|(name, _)| !name.is_empty()) {
            assert!(told(name), "a name out of nothing");
            assert!(values.iter().filter(|value| !value.is_empty()).all(|value| told(value)), "a value too");
        }
        let _ = highest_usn(root);
    }
    if came == Ok(None) {
        assert!(bytes.len() <= 2 * MAX_MESSAGE, "it is kept without end");
    }
}
