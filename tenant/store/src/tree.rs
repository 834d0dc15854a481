//! Where an object is in the directory's tree, composed from the containers above it. No object stores its distinguished
//! name, so that a container that is renamed is one record.
//! Neighbours: [`crate::tables::attributes`] has the first part of each name and the container that an object is in.

use crate::tables::{attributes, objects};
use crate::{Reading, StoreError};
use landbridge_tenant_rules::model::Domain;
use landbridge_wire::distinguished_name::DistinguishedName;
use landbridge_wire::upload::{Kind, Presence};
use uuid::Uuid;

/// Limit on the containers above an object. AD's own limit on a distinguished name allows fewer.
const MAX_DEPTH: usize = 256;

/// The distinguished name of an object of the domain, in the spelling of RFC 4514. None: its place or that of a container
/// above it has not arrived, as from a phs of an older version.
pub fn distinguished_name(
    reading: &Reading<'_>,
    domain: &Domain,
    object: Uuid,
) -> Result<Option<String>, StoreError> {
    let (mut name, mut next) = (String::new(), object);
    for depth in 0..MAX_DEPTH {
        // 1. The object, or a container above it. Of another domain, or gone, it says nothing.
        let Some(found) = objects::find(reading, next)? else { return Ok(None) };
        let is_here = found.domain == domain.id && found.presence == Presence::Present;
        if !is_here || (depth > 0 && found.kind != Kind::Container) {
            return Ok(None);
        }
        // 2. The domain's head is the container that is in none.
        let (part, parent) = attributes::place(reading, next)?;
        let Some(parent) = parent else {
            let is_head = found.kind == Kind::Container;
            let head = DistinguishedName::of_domain(&domain.dns_name);
            return Ok(is_head.then(|| format!("{name}{head}")));
        };
        // 3. Its part of the name, and on to the container that it is in.
        let Some(part) = part else { return Ok(None) };
        name = format!("{name}{part},");
        next = parent;
    }
    Ok(None)
}
