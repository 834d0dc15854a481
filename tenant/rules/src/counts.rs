//! The counters that `/metrics` shows. They hold numbers only: no names and no objects.
//! Neighbours: uploads and sign-ins add to the counters; the operator's door shows them.

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Adds one.
    pub fn one(&self) {
        self.add(1);
    }

    /// The present value.
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counts {
    ($($(#[doc = $help:literal])+ $name:ident,)+) => {
        /// The counters since the start of this process.
        #[derive(Debug, Default)]
        pub struct Counts {
            $($(#[doc = $help])+ pub $name: Count,)+
        }

        impl Counts {
            /// Name, help text and value of each counter.
            pub fn each(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$((stringify!($name), concat!($($help),+).trim_ascii(), self.$name.now()),)+]
            }
        }
    };
}

counts! {
    /// Records of uploads that changed something.
    records_applied,
    /// Records of uploads that changed nothing.
    records_unchanged,
    /// Records of uploads that were refused, in whole or their digest.
    records_refused,
    /// Links of uploads that changed something.
    links_applied,
    /// Links of uploads that were refused: from objects of another domain.
    links_refused,
    /// Digests stored for accounts that had none.
    digests_set,
    /// Digests that replaced another one.
    digests_replaced,
    /// Digests that were sent although the tenant held them already.
    digests_repeated,
    /// Digests erased: deleted, out of scope, privileged.
    digests_erased,
    /// Objects gone because a full compare ended without them.
    accounts_swept,
    /// Sign-in names that arrived although another account holds them: neither account can sign in with them.
    names_shared,
    /// Sign-in names that arrived with a UPN suffix of another domain: refused.
    names_of_other_domains,
    /// Sign-in names that arrived with a UPN suffix that no domain declares: refused.
    names_undeclared,
    /// Records and starts of links in uploads whose object belongs to another domain: refused.
    objects_of_other_domains,
    /// Requests of a phs that is not the domain's writer.
    second_writers,
    /// Sign-ins with a name that more than one account holds.
    names_ambiguous,
    /// Sign-ins refused because something about the account is not known.
    states_unknown,
    /// Digests that could not be opened or read: a key is missing, or another program wrote to the database.
    digests_unreadable,
    /// Sign-ins refused by the smart lockout, before any derivation.
    signins_locked_out,
    /// Of these, sign-ins of an account that came from a source which is not known for it: all unknown sources share one
    /// counter, so wrong passwords from elsewhere had filled it.
    signins_unknown_sources_locked,
    /// Sign-ins with a wrong password or a name that no account can sign in with; repeats of one wrong password not
    /// counted.
    signin_failures,
    /// Locks that the smart lockout set.
    locks_set,
    /// Sign-ins turned away because all cores and the queue were full.
    signins_overloaded,
    /// Derivations made for sign-ins, decoys included.
    derivations,
}
