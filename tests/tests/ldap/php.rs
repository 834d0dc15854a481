//! PHP's own functions, which most programs in PHP use.

use crate::clients::{accepted, php, settings, sign_in_all_kinds, with};
use crate::stage::stages;
use serde_json::{Value, json};

/// The number of this test's people.
const CAST: u32 = 5;

#[test]
fn php_reads_in_pages_compares_and_signs_people_in() {
    for stage in stages() {
        let cast = stage.cast(CAST);
        stage.prepare(&cast);
        stage.sync();
        let by = stage.application("php", &[]);
        // What it finds does not change while other tests change members.
        let everybody = stage.application_for_everybody("php-everybody");
        let people = stage.domain.population().people().count();
        let run = |by: &Value, more: Value| php("php_ldap.php", &with(by.clone(), more));
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
