//! The tables `app_ldap` and `app_ldap_groups`: how an application reads the directory by LDAP. One without a row does
//! not.
//! Neighbours: [`super::apps`] has the applications; the LDAP door shows each what is set here.

use super::{app_groups, changes};
use crate::engine::{OptionalRow as _, params};
use crate::{Reading, StoreError, Writing};
use landbridge_tenant_rules::model::{AppGroup, LdapAccess, LdapMemberOf, LdapTree, LdapView};
use uuid::Uuid;

/// All attributes, where a list of them stands.
const ALL: &str = "*";

/// How an application reads the directory; none: it does not.
pub fn of(reading: &Reading<'_>, app: Uuid) -> Result<Option<LdapAccess>, StoreError> {
    let mut select = reading.prepare_cached(
        "SELECT view, tree, member_of, people_connect, every_group, attributes FROM app_ldap WHERE app = ?1",
    )?;
    let row = select.query_row([app.as_bytes().as_slice()], |row| {
        let texts: (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok((texts, row.get(3)?, row.get::<bool>(4)?, row.get::<String>(5)?))
    });
    let Some(((view, tree, member_of), people_connect, every_group, attributes)) = row.optional()? else {
        return Ok(None);
    };
    let foreign = || StoreError::Foreign { what: "setting of an application" };
    let groups = if every_group { None } else { Some(app_groups::listed(reading, "app_ldap_groups", app)?) };
    let names = || attributes.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    Ok(Some(LdapAccess {
        view: LdapView::parse(&view).ok_or_else(foreign)?,
        tree: LdapTree::parse(&tree).ok_or_else(foreign)?,
        member_of: LdapMemberOf::parse(&member_of).ok_or_else(foreign)?,
        people_connect,
        groups,
        attributes: (attributes != ALL).then(names),
    }))
}

/// Sets how an application reads the directory; none: it does not any more.
pub fn set(writing: &Writing<'_>, app: Uuid, access: Option<&LdapAccess>) -> Result<(), StoreError> {
    changes::note_settings(writing)?;
    for sql in ["DELETE FROM app_ldap_groups WHERE app = ?1", "DELETE FROM app_ldap WHERE app = ?1"] {
        writing.send(sql, [app.as_bytes().as_slice()])?;
    }
    let Some(access) = access else { return Ok(()) };
    let LdapAccess { view, tree, member_of, people_connect, groups, attributes } = access;
    let attributes = attributes.as_ref().map_or_else(|| ALL.to_owned(), |names| names.join(" "));
    writing.send(
        "INSERT INTO app_ldap (app, view, tree, member_of, people_connect, every_group, attributes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            app.as_bytes(),
            view.as_str(),
            tree.as_str(),
            member_of.as_str(),
            people_connect,
            groups.is_none(),
            attributes
        ],
    )?;
    for AppGroup { domain, group, name, .. } in groups.iter().flatten().take(app_groups::MOST) {
        writing.send(
            "INSERT INTO app_ldap_groups (app, domain, object, name) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            params![app.as_bytes(), domain, group.as_bytes(), name],
        )?;
    }
    Ok(())
}
