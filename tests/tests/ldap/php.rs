//! PHP's own functions, which most programs in PHP use.

use crate::clients::{php, reads_and_signs_people_in};
use crate::stage::stages;

/// The number of this test's people.
const CAST: u32 = 5;

#[test]
fn php_reads_in_pages_compares_and_signs_people_in() {
    for stage in stages() {
        reads_and_signs_people_in(stage, &stage.cast(CAST), "php", |input| php("php_ldap.php", input));
    }
}
