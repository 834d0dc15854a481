//! Road two, end to end: a sign-in validated by a real DC through a real agent that only dials out.
//! `LANDBRIDGE_SOAK=1` (`make soak`) runs the long forms.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

mod attacks;
mod cluster;
mod copied;
mod guesses_at_nodes;
mod joined;
mod kills;
mod ldap_times;
mod ldaps;
mod lockout;
mod lost_parts;
mod lying_tenant;
mod nodes;
mod outages;
mod proxies;
mod silence;
mod stage;
mod times;
mod two_nodes;
mod verdicts;
mod ways;
mod windows;
mod wrong_clock;
