//! Distinguished names as an administrator types them: one that is read has one spelling that reads back as the same
//! name, and says no more than the text.

use landbridge_wire::distinguished_name::DistinguishedName;

/// The data is the text of a name.
pub fn distinguished_name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let name = match DistinguishedName::parse(text) {
        Ok(name) => name,
        Err(why) => {
            assert!((1..=text.chars().count().max(1)).contains(&why.at), "a place outside the text");
            return;
        }
    };
    let shown = name.to_string();
    // Each character of the text is at most three of the spelling: an escaped byte.
    assert!(shown.len() <= 3 * text.len() + 16, "a name that grows");
    assert!(!shown.chars().any(|c| c < ' '), "a control character is shown");
    let read = DistinguishedName::parse(&shown).expect("what was written can be read");
    assert_eq!(read.to_string(), shown, "a name has two spellings");
    assert!(read == name && read.key() == name.key() && read.is_within(&name));
    let upper =
        DistinguishedName::parse(&shown.to_ascii_uppercase()).expect("letters of another case can be read");
    assert_eq!(upper.key(), name.key(), "case makes another name");
    // A name that is as long as a name may be has none below it.
    if let Ok(below) = DistinguishedName::parse(&format!("OU=x , {shown}")) {
        assert!(below.is_within(&name) && !name.is_within(&below) && below != name);
    }
}
