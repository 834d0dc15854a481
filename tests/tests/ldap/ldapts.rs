//! ldapts, the client for Node.js.

use crate::clients::{accepted, node, settings, sign_in_all_kinds, with};
use crate::stage::stages;
use serde_json::{Value, json};

/// The number of this test's people.
const CAST: u32 = 7;

#[test]
fn ldapts_reads_in_pages_builds_filters_and_signs_people_in() {
    for stage in stages() {
        let cast = stage.cast(CAST);
        stage.prepare(&cast);
        stage.sync();
        let by = stage.application("ldapts", &[]);
        // What it finds does not change while other tests change members.
        let everybody = stage.application_for_everybody("ldapts-everybody");
        let people = stage.domain.population().people().count();
        let run = |by: &Value, more: Value| node("ldapts.mjs", &with(by.clone(), more));
        for url in [stage.ldaps(), stage.start_tls()] {
            let by = settings(stage, &url, &everybody);
            run(&by, json!({"people": people, "sign_ins": []})).expect_code(0);
            let right = [&cast.direct, &cast.nested].map(|who| json!([who.sam, who.password]));
            assert_eq!(accepted(run(&by, json!({"sign_ins": right}))), [true, true], "{url}");
        }
        let by = settings(stage, &stage.ldaps(), &by);
        sign_in_all_kinds(stage, &cast, |tries| accepted(run(&by, json!({"sign_ins": tries}))));
    }
}
