//! DCs that were turned back to an earlier state of their database (USN rollback): remembered by name and invocation
//! id, so that a restart does not trust them again. A DC that was restored correctly has a new invocation id, and is
//! trusted from then on.
//! Neighbours: `cycle::job` adds and lifts; [`super::session`] skips them.

use crate::mirror::{Mirror, StateError};
use uuid::Uuid;

/// The name of the fact in the mirror.
const FACT: &str = "distrusted";

/// A DC that is not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distrusted {
    /// The invocation id of the database that was turned back.
    pub invocation_id: Uuid,
    /// The DC's full DNS name.
    pub controller: String,
}

/// All distrusted DCs.
pub fn all(mirror: &Mirror) -> Result<Vec<Distrusted>, StateError> {
    let fact = mirror.fact(FACT)?.unwrap_or_default();
    let line = |line: &str| {
        let (invocation_id, controller) = line.split_once(' ')?;
        Some(Distrusted { invocation_id: invocation_id.parse().ok()?, controller: controller.to_owned() })
    };
    Ok(fact.lines().filter_map(line).collect())
}

/// Adds a DC, and deletes the cursor: what this DC sent may be wrong, so the next cycle compares all.
pub fn add(mirror: &Mirror, one: Distrusted) -> Result<(), StateError> {
    let mut known = all(mirror)?;
    known.retain(|other| *other != one);
    known.push(one);
    remember(mirror, &known)?;
    mirror.forget_position()
}

/// The DC has this database now: distrust of an earlier database of it is lifted.
pub fn lift(mirror: &Mirror, controller: &str, invocation_id: Uuid) -> Result<(), StateError> {
    let mut known = all(mirror)?;
    let before = known.len();
    known.retain(|one| one.controller != controller || one.invocation_id == invocation_id);
    if known.len() == before { Ok(()) } else { remember(mirror, &known) }
}

fn remember(mirror: &Mirror, known: &[Distrusted]) -> Result<(), StateError> {
    let lines: Vec<_> = known.iter().map(|one| format!("{} {}", one.invocation_id, one.controller)).collect();
    mirror.set_fact(FACT, &lines.join("\n"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::mirror::tests::directory;

    #[test]
    fn a_dc_is_distrusted_beyond_a_restart_until_it_has_another_database() {
        let directory = directory();
        let one = |n| Distrusted { invocation_id: Uuid::from_u128(n), controller: "dc1.example".to_owned() };
        {
            let mirror = Mirror::open(directory.path()).unwrap();
            assert_eq!(all(&mirror).unwrap(), []);
            add(&mirror, one(1)).unwrap();
            add(&mirror, one(1)).unwrap();
        }
        let mirror = Mirror::open(directory.path()).unwrap();
        assert_eq!(all(&mirror).unwrap(), [one(1)]);
        lift(&mirror, "dc2.example", Uuid::from_u128(2)).unwrap();
        lift(&mirror, "dc1.example", Uuid::from_u128(1)).unwrap();
        assert_eq!(all(&mirror).unwrap(), [one(1)]);
        lift(&mirror, "dc1.example", Uuid::from_u128(2)).unwrap();
        assert_eq!(all(&mirror).unwrap(), []);
    }
}
