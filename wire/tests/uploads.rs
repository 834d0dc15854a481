//! Uploads that are not quite right: unknown fields at every depth, too many records, malformed digests.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use landbridge_wire::described::{Described, DescribedName};
use landbridge_wire::enroll::{EnrollRequest, EnrollResponse, RenewRequest, RenewResponse};
use landbridge_wire::frame::{self, FrameError};
use landbridge_wire::upload::{
    AttributeValue, DESCRIBED_FROM, Hello, LONG_TEXTS_FROM, MAX_ATTRIBUTES, MAX_RECORDS, MAX_RESERVED, Offer,
    Receipt, Stamp, Upload, Wanted, carried,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

fn golden(name: &str) -> Value {
    let file = format!("{}/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

fn read<T: DeserializeOwned>(message: &Value) -> Result<T, FrameError> {
    frame::decode(&frame::encode(message).unwrap())
}

/// The message with one more field in the object that `path` (a JSON pointer) names.
fn with_unknown(message: &Value, path: &str) -> Value {
    let mut message = message.clone();
    let object = message.pointer_mut(path).and_then(Value::as_object_mut).unwrap();
    object.insert("surprise".to_owned(), json!(1));
    message
}

#[test]
fn an_unknown_field_is_refused_at_every_depth_of_what_agents_send() {
    let upload = golden("upload");
    assert!(read::<Upload>(&upload).is_ok());
    for path in [
        "",
        "/policy",
        "/policy/max_pwd_age/0",
        "/records/0",
        "/records/0/attributes/0",
        "/records/0/attributes/0/stamp",
        "/records/0/attributes/0/is",
        "/records/0/password",
        "/records/0/password/stamp",
    ] {
        assert!(read::<Upload>(&with_unknown(&upload, path)).is_err(), "taken at {path:?}");
    }
    let reserved = golden("upload_reserved");
    for path in ["/reserved/0", "/reserved/0/stamp"] {
        assert!(read::<Upload>(&with_unknown(&reserved, path)).is_err(), "taken at {path:?}");
    }
    assert!(read::<Hello>(&with_unknown(&golden("hello"), "")).is_err());
    for offer in ["offer", "offer_iterations"] {
        assert!(read::<Offer>(&with_unknown(&golden(offer), "")).is_err());
    }
    assert!(read::<EnrollRequest>(&with_unknown(&golden("enroll_request"), "")).is_err());
    assert!(read::<RenewRequest>(&with_unknown(&golden("renew_request"), "")).is_err());
}

#[test]
fn an_agent_reads_the_answers_of_a_newer_tenant() {
    assert!(read::<Receipt>(&with_unknown(&golden("receipt"), "")).is_ok());
    assert!(read::<EnrollResponse>(&with_unknown(&golden("enroll_response"), "")).is_ok());
    assert!(read::<RenewResponse>(&with_unknown(&golden("renew_response"), "")).is_ok());
    for wanted in ["wanted", "wanted_again"] {
        assert!(read::<Wanted>(&with_unknown(&golden(wanted), "")).is_ok());
    }
}

#[test]
fn a_missing_field_is_refused_unless_it_may_be_absent() {
    let upload = golden("upload");
    for field in upload.as_object().unwrap().keys() {
        let mut without = upload.clone();
        without.as_object_mut().unwrap().remove(field);
        let may_be_absent = ["policy", "commit"].contains(&field.as_str());
        assert_eq!(read::<Upload>(&without).is_ok(), may_be_absent, "without {field}");
    }
}

#[test]
fn a_thousand_records_are_taken_and_one_more_is_not() {
    let mut upload = golden("upload_empty");
    let record = json!({"object": Uuid::nil(), "sid": "S-1-5-21-1-2-3-500", "presence": "deleted"});
    upload["records"] = Value::Array(vec![record.clone(); MAX_RECORDS]);
    assert_eq!(read::<Upload>(&upload).unwrap().records.as_slice().len(), MAX_RECORDS);
    upload["records"].as_array_mut().unwrap().push(record);
    assert!(matches!(read::<Upload>(&upload).unwrap_err(), FrameError::Malformed { .. }));
}

#[test]
fn a_thousand_reserved_names_are_taken_with_three_hashes_each_and_no_more() {
    let mut upload = golden("upload_reserved");
    let name = upload["reserved"][0].clone();
    assert_eq!(name["hashes"].as_array().unwrap().len(), 3);
    upload["reserved"] = Value::Array(vec![name.clone(); MAX_RESERVED]);
    let frame = frame::encode(&upload).unwrap();
    assert!(frame.len() < frame::MAX_PAYLOAD / 8, "{} bytes", frame.len());
    assert_eq!(read::<Upload>(&upload).unwrap().reserved.as_slice().len(), MAX_RESERVED);
    upload["reserved"].as_array_mut().unwrap().push(name);
    assert!(matches!(read::<Upload>(&upload).unwrap_err(), FrameError::Malformed { .. }));
    let hash = golden("upload_reserved")["reserved"][0]["hashes"][0].clone();
    for hashes in [json!([hash, hash, hash, hash]), json!(["AAAA"]), json!(["no base64"])] {
        let mut upload = golden("upload_reserved");
        upload["reserved"][0]["hashes"] = hashes;
        assert!(matches!(read::<Upload>(&upload).unwrap_err(), FrameError::Malformed { .. }));
    }
}

#[test]
fn values_over_their_bounds_are_refused() {
    for (path, value) in [
        ("/domain_sid", json!("S".repeat(193))),
        ("/commit", json!("c".repeat(65))),
        ("/records/0/sid", json!("S".repeat(193))),
        ("/records/0/presence", json!("perhaps")),
        ("/records/0/attributes/0/is", json!({"sam_account_name": "a".repeat(769)})),
        ("/records/0/attributes/0/is", json!({"sam_account_name": 7})),
        ("/records/0/attributes/0/is", json!({"password": "made up"})),
        ("/records/0/attributes/7/is", json!({"logon_hours": "A".repeat(32)})),
        ("/records/0/attributes/3/is", json!({"user_account_control": 4_294_967_296_u64})),
        ("/records/0/attributes/0/stamp/version", json!(-1)),
        ("/records/0/attributes/0/stamp/version", json!(4_294_967_296_u64)),
        (
            "/records/0/attributes",
            Value::Array(vec![golden("upload")["records"][0]["attributes"][0].clone(); MAX_ATTRIBUTES + 1]),
        ),
        ("/mode", json!("sideways")),
        ("/instance", json!("not an id")),
    ] {
        let mut upload = golden("upload");
        *upload.pointer_mut(path).unwrap() = value;
        assert!(
            matches!(read::<Upload>(&upload).unwrap_err(), FrameError::Malformed { .. }),
            "taken at {path}"
        );
    }
}

#[test]
fn a_malformed_digest_is_refused_and_not_repeated() {
    let upload = golden("upload");
    let digest = upload["records"][0]["password"]["digest"].as_str().unwrap().to_owned();
    let hash = "7eaea8e1628dffee62cf319f4e1fc05254da30a1d42ff755ff352f5b13497531";
    assert!(digest.contains(hash));
    for bent in [
        digest.to_uppercase(),
        digest.replace("v1;", "v2;"),
        digest.trim_end_matches(';').to_owned(),
        digest.replace(",1000,", ",0,"),
        digest.replace(",1000,", ",10000001,"),
        digest.replace("317ee9d1dec6508fa510", "31"),
        format!("{digest} "),
    ] {
        let mut upload = upload.clone();
        upload["records"][0]["password"]["digest"] = json!(bent);
        let error = read::<Upload>(&upload).unwrap_err();
        let shown = format!("{error} {error:?}").to_lowercase();
        assert!(matches!(error, FrameError::Malformed { .. }));
        assert!(!shown.contains("7eaea8") && !shown.contains("317ee9"), "repeated: {shown}");
        // The text behind it, which the frame does not show, holds nothing of it either.
        let behind = serde_json::from_value::<Upload>(upload).unwrap_err().to_string().to_lowercase();
        assert!(!behind.contains("7eaea8") && !behind.contains("317ee9"), "repeated: {behind}");
    }
}

#[test]
fn debug_shows_no_digest() {
    let shown = format!("{:?}", read::<Upload>(&golden("upload")).unwrap());
    assert!(shown.contains("SaltedDigest(..)") && !shown.contains("7eaea8"));
}

#[test]
fn stamps_are_ordered_by_version_then_time_then_invocation_id() {
    let stamp = |version, time, id| Stamp { version, time, invocation_id: Uuid::from_u128(id) };
    let rising = [stamp(1, 9, 9), stamp(2, 1, 9), stamp(2, 2, 1), stamp(2, 2, 2), stamp(3, 0, 0)];
    assert!(rising.is_sorted());
    assert!(rising[0] < rising[4]);
}

#[test]
fn the_longest_texts_of_ad_are_read_in_any_script() {
    // Characters by AD's count (UTF-16 units): a letter of three bytes counts once, one of four twice.
    for (name, units) in [
        ("sam_account_name", 256),
        ("user_principal_name", 1024),
        ("display_name", 256),
        ("alternate_login", 1024),
        ("mail", 256),
        ("given_name", 64),
        ("surname", 64),
        ("department", 64),
        ("title", 128),
        ("telephone_number", 64),
        ("mobile", 64),
        ("description", 1024),
        ("name", 255),
    ] {
        for text in ["a".repeat(units), "я".repeat(units), "中".repeat(units), "😀".repeat(units / 2)] {
            let read = serde_json::from_value::<AttributeValue>(json!({ name: text }));
            assert!(read.is_ok(), "{name}: {} bytes", text.len());
        }
    }
    let addresses = vec!["中".repeat(1123); 300];
    assert!(serde_json::from_value::<AttributeValue>(json!({ "proxy_addresses": addresses })).is_ok());
}

#[test]
fn what_a_tenant_of_a_lower_level_refuses_as_too_long_is_cut_if_people_read_it_and_left_out_if_it_is_a_name()
{
    let fitted = |level, value: Value| {
        let mut is = serde_json::from_value::<AttributeValue>(value).unwrap();
        is.fit(level);
        serde_json::to_value(is).unwrap()
    };
    let (name, text) = ("я".repeat(141), "я".repeat(200));
    for (value, below) in [
        (json!({ "sam_account_name": name }), json!({"sam_account_name": null})),
        (json!({ "user_principal_name": "я".repeat(600) }), json!({"user_principal_name": null})),
        (json!({ "alternate_login": "я".repeat(600) }), json!({"alternate_login": null})),
        (json!({ "mail": "я".repeat(600) }), json!({"mail": null})),
        (json!({ "display_name": text }), json!({"display_name": "я".repeat(128)})),
        (json!({ "title": text }), json!({"title": "я".repeat(128)})),
        (json!({ "name": format!("x{text}") }), json!({"name": format!("x{}", "я".repeat(127))})),
        (json!({ "description": "я".repeat(600) }), json!({"description": "я".repeat(512)})),
        (json!({ "proxy_addresses": ["a", "я".repeat(600), "b"] }), json!({"proxy_addresses": ["a", "b"]})),
        (json!({ "sam_account_name": "short" }), json!({"sam_account_name": "short"})),
        (json!({ "pwd_last_set": 7 }), json!({"pwd_last_set": 7})),
    ] {
        for level in 0..LONG_TEXTS_FROM {
            assert_eq!(fitted(level, value.clone()), below, "level {level}");
        }
        assert_eq!(fitted(LONG_TEXTS_FROM, value.clone()), value);
    }
}

/// The attributes that this build reads, as the error about an unknown one lists them.
fn attributes() -> Vec<AttributeValue> {
    let unknown =
        serde_json::from_value::<AttributeValue>(json!({"surprise": null})).unwrap_err().to_string();
    let listed = unknown.split('`').skip(3).step_by(2);
    let none = |name: &str| serde_json::from_value(json!({name: null}));
    let read = |name| none(name).or_else(|_| serde_json::from_value(json!({name: []}))).unwrap();
    let of_upload: Vec<AttributeValue> = listed.filter(|name| *name != "described").map(read).collect();
    let described =
        DescribedName::all().map(|name| AttributeValue::Described(Described { name, value: None }));
    of_upload.into_iter().chain(described).collect()
}

#[test]
fn the_list_of_carried_attributes_has_each_one() {
    let names: Vec<_> = attributes().iter().map(AttributeValue::name).collect();
    assert_eq!(names.join(", "), carried());
    assert!(names.len() < MAX_ATTRIBUTES, "a record has room for all");
}

#[test]
fn a_level_has_the_attributes_that_its_golden_messages_have() {
    let golden_messages: [(&[&str], u8); 3] = [
        (&["upload"], 0),
        (&["upload_directory"], 1),
        (&["upload_described", "upload_tree"], DESCRIBED_FROM),
    ];
    for (names, level) in golden_messages {
        let uploads: Vec<Upload> = names.iter().map(|name| read(&golden(name)).unwrap()).collect();
        let records = uploads.iter().flat_map(|upload| upload.records.as_slice());
        let values: Vec<_> = records.flat_map(|r| r.attributes.as_slice()).map(|a| &a.is).collect();
        assert!(values.iter().all(|is| is.level() == level), "{names:?}");
        let found: BTreeSet<&str> = values.iter().map(|is| is.name()).collect();
        let all = attributes();
        let due: BTreeSet<&str> = all.iter().filter(|is| is.level() == level).map(|is| is.name()).collect();
        assert_eq!(found, due, "{names:?}");
    }
}
