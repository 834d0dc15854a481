//! Why an object is carried or is not: where it is in the tree, which rule decides, what was last sent. Reads the
//! mirror alone.
//! Neighbours: `qualify` decides by the same rules; `show` prints.

use crate::config::Config;
use crate::cycle::warnings::NO_HASH;
use crate::error::PhsError;
use crate::mirror::{Bounds, Kind, Mirror, Object, Position, Sent};
use crate::qualify::privileged::protected_groups;
use crate::qualify::{Outside, Rules, Standing, holders, standing};
use landbridge_drsr::drs::sid::Sid;
use std::collections::HashSet;
use uuid::Uuid;

/// Limit on steps up the tree, and through groups.
const DEEPEST: usize = 64;
/// Limit on groups that are named.
const NAMED: u32 = 50;
/// Limit on other accounts with the same name.
const NAMESAKES: usize = 10;

/// What is known of an object.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Explanation {
    /// objectGUID.
    pub object: Uuid,
    /// The kind of object: person, group, contact, policy, computer, other; or `unreadable object`.
    pub kind: &'static str,
    /// sAMAccountName.
    pub sam_account_name: Option<String>,
    /// userPrincipalName.
    pub user_principal_name: Option<String>,
    /// objectSid.
    pub sid: Option<String>,
    /// The names of the containers above it, the nearest first.
    pub place: Vec<String>,
    /// The groups that it is a direct member of.
    pub groups: Vec<String>,
    /// Whether the tenant has it.
    pub in_the_cloud: bool,
    /// Why, or why not.
    pub because: Vec<String>,
    /// When something of it was last sent to the tenant: seconds since 1970.
    pub told_at: Option<i64>,
    /// When its present password was sent: seconds since 1970.
    pub password_delivered_at: Option<i64>,
}

/// Explains one object, named by sAMAccountName (with or without a domain in front), userPrincipalName, objectGUID or
/// objectSid. `domain` is the domain's SID, `now` is in seconds since 1970.
pub fn explain(
    config: &Config,
    domain: &Sid,
    mirror: &Mirror,
    who: &str,
    now: i64,
) -> Result<Explanation, PhsError> {
    let Some(object) = mirror.named(who)? else { return unreadable(mirror, who) };
    let protected = protected_groups(domain);
    let holders: Vec<Sid> = mirror.holders()?.into_iter().map(|(sid, _)| sid).collect();
    let bounds = Bounds {
        domain,
        protected: &protected,
        holders: &holders,
        account: holders::account(mirror, &config.directory.account)?,
        include: &config.privileged.include,
        scope: &config.scope,
    };
    mirror.resolve(&bounds)?;
    let rules = Rules {
        bounds,
        alternate_login: config.directory.alternate_login,
        reserving: None,
        full: false,
        secrets: false,
        cycle: Uuid::nil(),
        now,
    };
    let at = Explaining { config, mirror, rules };
    let position = mirror.position(&object)?;
    let in_the_cloud = matches!(object.sent, Some(Sent::Present | Sent::Unsure));
    Ok(Explanation {
        because: at.because(&object, &position)?,
        object: object.guid,
        kind: object.kind.as_str(),
        place: at.above(&object)?,
        groups: at.groups(&object)?,
        in_the_cloud,
        told_at: object.told_at,
        password_delivered_at: object.password_at.filter(|_| object.password.is_some()),
        sid: object.sid.map(|sid| sid.to_string()),
        sam_account_name: object.sam,
        user_principal_name: object.upn,
    })
}

/// Explains an object of which nothing is known but why it cannot be read.
fn unreadable(mirror: &Mirror, who: &str) -> Result<Explanation, PhsError> {
    let nobody = || PhsError::NoSuchObject(who.to_owned());
    let by_guid = Uuid::parse_str(who).ok();
    let object = by_guid.map_or_else(|| mirror.flawed(who), |guid| Ok(Some(guid)))?.ok_or_else(nobody)?;
    let flaws = mirror.flaws_of(object)?;
    let known = flaws.first().ok_or_else(nobody)?;
    Ok(Explanation {
        object,
        kind: "unreadable object",
        sam_account_name: None,
        user_principal_name: (known.name != object.to_string()).then(|| known.name.clone()),
        sid: None,
        place: vec![known.dn.clone()],
        groups: Vec::new(),
        in_the_cloud: false,
        because: flaws.iter().map(ToString::to_string).collect(),
        told_at: None,
        password_delivered_at: None,
    })
}

struct Explaining<'a> {
    config: &'a Config,
    mirror: &'a Mirror,
    rules: Rules<'a>,
}

impl Explaining<'_> {
    fn because(&self, object: &Object, position: &Position) -> Result<Vec<String>, PhsError> {
        let there = matches!(object.sent, Some(Sent::Present | Sent::Unsure));
        let mut because = Vec::new();
        match standing(object, position, &self.rules) {
            Standing::Present => {
                because.push("it belongs to the scope".to_owned());
                if self.rules.bounds.include.iter().any(|sid| Some(sid) == object.sid.as_ref()) {
                    because.push("[privileged] include names it".to_owned());
                }
                if object.kind == Kind::Person && !position.carries {
                    because.push(self.why_no_password(object, position));
                    if there && object.carries && self.config.scope.passwords && !position.restricted {
                        because.push(
                            "the tenant still has it: too many accounts lose their password at once, so they are held back; `status` says how to confirm"
                                .to_owned(),
                        );
                    }
                }
                if !there {
                    because.push("it was not sent yet: the next cycle sends it".to_owned());
                }
                let whole = object.sent == Some(Sent::Present);
                if object.kind == Kind::Person && whole && position.carries && object.password.is_none() {
                    because.push(format!("no password of it was delivered: it has {NO_HASH}"));
                }
            }
            Standing::Privileged => because.push(self.why_privileged(object, position)?),
            Standing::Never => because.push(self.why_never(object)?),
            Standing::Deleted => because.push("it was deleted".to_owned()),
            Standing::Outside(outside) => {
                because.push(self.why_outside(object, outside)?);
                if there {
                    because.push(
                        "too many accounts left the scope at once, so they are held back: `status` says how to confirm"
                            .to_owned(),
                    );
                }
            }
            Standing::Nothing => because.push(self.why_nothing(object, position)),
        }
        if object.sent == Some(Sent::Unsure) {
            because.push(
                "the tenant does not have all of it: its next change, or `once --full`, sends it whole"
                    .to_owned(),
            );
        }
        because.extend(self.mirror.flaws_of(object.guid)?.iter().map(ToString::to_string));
        if object.kind.has_names() && !object.deleted {
            let domain = &self.config.directory.domain;
            for (name, other) in self.mirror.namesakes(object, domain, NAMESAKES)? {
                because.push(format!(
                    "its name {name} is also that of {} ({} {}) in {}: it signs nobody in",
                    other.label(),
                    other.kind.as_str(),
                    other.guid,
                    self.above(&other)?.join(" in "),
                ));
            }
        }
        if position.protected_user {
            because.push("it is in Protected Users: the tenant refuses its password".to_owned());
        }
        Ok(because)
    }

    fn why_no_password(&self, object: &Object, position: &Position) -> String {
        let why = if !self.config.scope.passwords {
            "[scope] passwords = false"
        } else if object.workstations {
            "it may log on to some computers only (userWorkstations), so only an agent can sign it in"
        } else if position.restricted {
            "it has an authentication policy or is in a silo, so only an agent can sign it in"
        } else {
            "it is in none of [scope] password_groups"
        };
        format!("its password stays here: {why}")
    }

    fn why_privileged(&self, object: &Object, position: &Position) -> Result<String, PhsError> {
        let why = if position.protected {
            let protected = |sid: &Sid| self.rules.bounds.protected.contains(sid);
            match self.way_to(object, &protected)? {
                Some(way) => format!("a member of {way}, which AdminSDHolder protects"),
                None => "its primary group is one that AdminSDHolder protects".to_owned(),
            }
        } else if object.admin_count != 0 {
            format!(
                "its adminCount is {}: it is, or was, in a protected group; clear it if it was",
                object.admin_count
            )
        } else {
            "it is the built-in administrator".to_owned()
        };
        Ok(format!("privileged: {why}"))
    }

    fn why_never(&self, object: &Object) -> Result<String, PhsError> {
        if self.rules.bounds.account == Some(object.guid) {
            return Ok("never carried: phs reads with it".to_owned());
        }
        if object.critical {
            return Ok("never carried: AD marks it as critical (isCriticalSystemObject)".to_owned());
        }
        for (trustee, rights) in self.mirror.holders()? {
            let text = trustee.to_string();
            let way = if holders::well_known(&text).is_some() || object.sid.as_ref() == Some(&trustee) {
                String::new()
            } else if let Some(way) = self.way_to(object, &|sid| *sid == trustee)? {
                format!(" through {way}")
            } else if i32::try_from(trustee.rid()) == Ok(object.primary_group) {
                " through its primary group".to_owned()
            } else {
                continue;
            };
            let holder = holders::name(self.mirror, &trustee)?;
            return Ok(format!("never carried: at the domain's head {holder} has {rights}{way}"));
        }
        Ok("never carried: a group with rights over every password holds it".to_owned())
    }

    /// The chain of groups from an account to one of these groups.
    fn way_to(&self, object: &Object, wanted: &dyn Fn(&Sid) -> bool) -> Result<Option<String>, PhsError> {
        let mut ways = vec![vec![object.guid]];
        let mut seen = HashSet::from([object.guid]);
        for _ in 0..DEEPEST {
            let mut further = Vec::new();
            for way in ways {
                let Some(last) = way.last() else { continue };
                for group in self.mirror.groups_of(*last, NAMED)? {
                    if !seen.insert(group) {
                        continue;
                    }
                    let known = self.mirror.object(group)?;
                    let way = [way.as_slice(), &[group]].concat();
                    if known.and_then(|known| known.sid).is_some_and(|sid| wanted(&sid)) {
                        let names =
                            way.iter().skip(1).map(|guid| self.name(*guid)).collect::<Result<Vec<_>, _>>()?;
                        return Ok(Some(names.join(" in ")));
                    }
                    further.push(way);
                }
            }
            ways = further;
        }
        Ok(None)
    }

    fn why_outside(&self, object: &Object, outside: Outside) -> Result<String, PhsError> {
        let scope = self.rules.bounds.scope;
        Ok(match outside {
            Outside::Filter => match scope.keeps_out(object.terms, object.kind == Kind::Group) {
                Some(term) if scope.without.contains(term) => format!("outside the scope: without {term}"),
                Some(term) => format!("outside the scope: with {term}"),
                None => "outside the scope: the filter has changed since".to_owned(),
            },
            Outside::Container => {
                let named = self.nearest(object)?;
                match named {
                    Some(dn) => format!("outside the scope: exclude names {dn}"),
                    None => "outside the scope: no OU that include names is above it".to_owned(),
                }
            }
            Outside::Group => "outside the scope: it is in none of its groups".to_owned(),
        })
    }

    /// The nearest excluded container above it.
    fn nearest(&self, object: &Object) -> Result<Option<String>, PhsError> {
        let mut at = object.parent;
        for _ in 0..DEEPEST {
            let Some(guid) = at else { return Ok(None) };
            for dn in &self.rules.bounds.scope.exclude {
                if self.mirror.entry(dn)? == Some(guid) {
                    return Ok(Some(dn.clone()));
                }
            }
            at = self.mirror.object(guid)?.and_then(|container| container.parent);
        }
        Ok(None)
    }

    fn why_nothing(&self, object: &Object, position: &Position) -> String {
        match object.kind {
            Kind::Computer => "a computer or a managed service account: never carried".to_owned(),
            Kind::Other => "neither account nor group nor contact: never carried".to_owned(),
            Kind::Group if position.protected => {
                "a group that AdminSDHolder protects: never carried".to_owned()
            }
            Kind::Group | Kind::Contact | Kind::Policy => "a built-in group: never carried".to_owned(),
            Kind::Person => "an account of a machine, a trust or the KDC: never carried".to_owned(),
        }
    }

    fn above(&self, object: &Object) -> Result<Vec<String>, PhsError> {
        let (mut names, mut at) = (Vec::new(), object.parent);
        while let Some(guid) = at.filter(|_| names.len() < DEEPEST) {
            let Some(container) = self.mirror.object(guid)? else { break };
            at = container.parent;
            names.push(container.label());
        }
        Ok(names)
    }

    fn groups(&self, object: &Object) -> Result<Vec<String>, PhsError> {
        self.mirror.groups_of(object.guid, NAMED)?.into_iter().map(|group| self.name(group)).collect()
    }

    fn name(&self, guid: Uuid) -> Result<String, PhsError> {
        Ok(self.mirror.object(guid)?.map_or_else(|| guid.to_string(), |object| object.label()))
    }
}
