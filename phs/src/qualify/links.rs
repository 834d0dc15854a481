//! What a page says about links, before it is stored: which values an attribute leaves out that came whole.
//! Neighbours: `super` stores and sends the result; `drsr::drs::page` reads links.

use crate::mirror::{Mirror, StateError};
use landbridge_drsr::drs::change::{Link, LinkStamp, Rewritten};
use landbridge_drsr::drs::dsname::Dsname;
use std::collections::HashSet;
use uuid::Uuid;

/// The links of a page, with a removal for each value from before 2003 that is stored and that its attribute, which came
/// whole, no longer has. Removals come first: a value that was given a stamp of its own is among the links too.
pub(super) fn with_removals(
    links: Vec<Link>,
    rewritten: &[Rewritten],
    mirror: &Mirror,
) -> Result<Vec<Link>, StateError> {
    let mut all = Vec::new();
    for Rewritten { what, from, stamp } in rewritten {
        let mine = links.iter().filter(|link| link.what == *what && link.from.guid == *from);
        let named: HashSet<Uuid> =
            mine.filter(|link| link.stamp.created == 0).map(|link| link.to.guid).collect();
        for target in mirror.old_links(*what, *from)? {
            if !named.contains(&target) {
                let stamp = LinkStamp { created: 0, written: *stamp };
                let (from, to) = (unnamed(*from), unnamed(target));
                all.push(Link { what: *what, from, to, present: false, stamp, until: None });
            }
        }
    }
    for link in links {
        // A value that was written since 2003 has a stamp of its own, and no older form replaces it.
        let newer = link.stamp.created == 0
            && mirror.link(link.what, link.from.guid, link.to.guid)?.is_some_and(|held| held.created != 0);
        if !newer {
            all.push(link);
        }
    }
    Ok(all)
}

fn unnamed(guid: Uuid) -> Dsname {
    Dsname { guid, sid: None, dn: String::new() }
}
