//! ldapts, the client for Node.js.

use crate::clients::{node, reads_and_signs_people_in};
use crate::stage::stages;

/// The number of this test's people.
const CAST: u32 = 7;

#[test]
fn ldapts_reads_in_pages_builds_filters_and_signs_people_in() {
    for stage in stages() {
        reads_and_signs_people_in(stage, &stage.cast(CAST), "ldapts", |input| node("ldapts.mjs", input));
    }
}
