//! What a KDC says before anybody is authenticated: its time is one that a calendar can hold, its code leads to
//! one error, and neither is made of more than is there.

use landbridge_drsr::rpc::krb_error::KrbError;

/// The seconds of the years 0 to 9999, and a day at each end for hours that no clock shows.
const TIMES: std::ops::Range<i64> = -62_167_300_000..253_402_800_000;

/// Takes the bytes as a reply of the KDC, with the four bytes of its length in front.
pub fn krb_error(data: &[u8]) {
    let Some(error) = KrbError::parse(data) else { return };
    assert!(data.len() >= 4 + 2 + 2 + 2 + 3, "an error out of nothing");
    if let Some(time) = error.time {
        assert!(TIMES.contains(&time), "a time that no calendar holds: {time}");
        assert!(data.contains(&b'Z'), "a time out of nothing");
    }
    let told = error.into_error("svc", "ldap/dc", "corp");
    assert!(told.to_string().len() < 300 && !told.to_string().is_empty());
}
