//! A morning peak, simulated: everyone signs in once within half an hour, with twice the mean in the worst minute, as
//! docs/operations.md sizes it. The times of services are those of docs/performance.md, and the limits are those of the
//! tenant. This part needs no domain and no quiet machine: its figures depend on the seed alone.
//!
//! The nodes of an installation are one pool of cores and places, as if a balancer knew the load of each. Not in the
//! model: TLS of new connections, round trips to the database, the limit on a node's connections to it, wrong passwords.

mod simulation;

use crate::report::Comparison;
use landbridge_door_listen::limits::Limits;
use landbridge_tenant_core::sign_ins::Settings;
use landbridge_tenant_rules::lockout::Rules;
use landbridge_tenant_rules::relay;
use landbridge_tests::lab::LabError;
use simulation::{
    Dice, Limit, Nanoseconds, Outcome, SECOND, Station, Step, independent_arrivals, nanoseconds,
};
use std::ops::Range;
use std::time::Duration;

const SEED: u64 = 1;
/// The half hour in which everyone signs in.
const MORNING: u64 = 30;
const MINUTE: Nanoseconds = 60 * SECOND;
/// Sign-ins by digest that a core with SHA instructions serves in a second.
const STRONG: f64 = 23.0;
const ENTRA: f64 = 1_300.0;
/// Derivations that such a core computes side by side.
const LANES: usize = 2;
/// Seconds of a core of a node for a sign-in by agents.
const BY_AGENTS: f64 = 0.001_1;
/// Binds that a core of a domain controller serves in a second. Of those measured, p99 was three times p50: so their times
/// are exponentially distributed here.
const BINDS: f64 = 161.0;
/// Commits of one database server in a second. This is an assumption, not a measurement: it depends on the server's disk.
const COMMITS: f64 = 5_000.0;
/// Cores of a node of a large installation. More of them are further nodes.
const CORES_OF_NODE: usize = 32;
/// Limit on the sign-ins that wait for agents at a node: `TICKETS` of the relay.
const TICKETS: usize = 4_096;

/// A number of accounts.
struct Size {
    accounts: u64,
    /// Cores of nodes by the table of docs/operations.md.
    strong: usize,
    entra: usize,
    /// Mornings that are simulated: more where a worst minute has few sign-ins.
    mornings: u64,
    /// Whether the worst minute alone is simulated, after [`LEAD`]. It bounds the work.
    is_minute_alone: bool,
}

const SIZES: [Size; 4] = [
    Size { accounts: 1_000, strong: 1, entra: 1, mornings: 101, is_minute_alone: false },
    Size { accounts: 100_000, strong: 5, entra: 1, mornings: 11, is_minute_alone: false },
    Size { accounts: 5_000_000, strong: 242, entra: 5, mornings: 3, is_minute_alone: true },
    Size { accounts: 50_000_000, strong: 2_416, entra: 43, mornings: 1, is_minute_alone: true },
];

/// The time at the rate of the worst minute before it, if that minute is simulated alone: queues grow in it. It is longer
/// than the longest wait.
const LEAD: Nanoseconds = 30 * SECOND;

impl Size {
    /// Sign-ins a second in the worst minute: twice the mean.
    fn rate(&self) -> f64 {
        2.0 * self.accounts as f64 / (MORNING * 60) as f64
    }

    /// When the sign-ins of a morning arrive, and the worst minute.
    fn arrivals(&self, mut dice: Dice) -> (Box<dyn Iterator<Item = Nanoseconds>>, Range<Nanoseconds>) {
        if self.is_minute_alone {
            let end = LEAD + MINUTE;
            return (Box::new(independent_arrivals(self.rate(), end, dice)), LEAD..end);
        }
        // The sum of two evenly distributed times, of 14 and of 15 minutes: the rate rises for 14 minutes, is twice the mean
        // of the half hour for one, and falls for 14. What is left of the half hour is half a minute on both sides.
        let begin = MINUTE / 2;
        let mut one = || begin + nanoseconds((14.0 * dice.share() + 15.0 * dice.share()) * 60.0);
        let mut all: Vec<Nanoseconds> = (0..self.accounts).map(|_| one()).collect();
        all.sort_unstable();
        let worst = begin + 14 * MINUTE..begin + 15 * MINUTE;
        (Box::new(all.into_iter()), worst)
    }
}

/// How sign-ins are decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Road {
    Strong,
    Entra,
    Agents,
}

impl Road {
    const ALL: [Self; 3] = [Self::Strong, Self::Entra, Self::Agents];

    fn name(self) -> &'static str {
        match self {
            Self::Strong => "by digest, strong",
            Self::Entra => "by digest, entra",
            Self::Agents => "by agents",
        }
    }

    /// Transactions of one sign-in. One notes the place of the person, which is done once a day. By agents another one reserves
    /// a bind in AD's budget. The audit entries of up to 256 sign-ins share one, which is not counted.
    fn commits(self) -> f64 {
        match self {
            Self::Strong | Self::Entra => 1.0,
            Self::Agents => 2.0,
        }
    }
}

/// What serves a tenant.
#[derive(Debug, Clone, Copy)]
struct Installation {
    nodes: usize,
    /// Of all nodes.
    cores: usize,
    /// Of all domain controllers. 0: digests decide.
    controller_cores: usize,
    /// Commits of the database in a second.
    commits: f64,
}

impl Installation {
    /// As docs/operations.md sizes it, with a database that commits twice what the peak needs.
    fn sized(road: Road, size: &Size) -> Self {
        let needed = |seconds: f64| (size.rate() * seconds).ceil() as usize;
        let (cores, controller_cores) = match road {
            Road::Strong => (size.strong, 0),
            Road::Entra => (size.entra, 0),
            Road::Agents => (needed(BY_AGENTS), needed(1.0 / BINDS)),
        };
        // At least two nodes, where there are cores for them.
        let nodes = cores.div_ceil(CORES_OF_NODE).max(2).min(cores);
        let commits = COMMITS.max(2.0 * road.commits() * size.rate());
        Self { nodes, cores, controller_cores, commits }
    }

    /// The same with half of the nodes and of their cores or, where agents decide, of the domain controllers' cores. None: it
    /// has one core.
    fn halved(self, road: Road) -> Option<Self> {
        let Self { nodes, cores, controller_cores, .. } = self;
        match road {
            Road::Agents => Some(Self { controller_cores: controller_cores / 2, ..self })
                .filter(|halved| halved.controller_cores > 0),
            Road::Strong | Road::Entra => {
                Some(Self { nodes: nodes / 2, cores: cores / 2, ..self }).filter(|halved| halved.cores > 0)
            }
        }
    }

    /// What it is, in a few words.
    fn text(self) -> String {
        let Self { nodes, cores, controller_cores, commits } = self;
        let controllers = match controller_cores {
            0 => String::new(),
            some => format!(", cores of domain controllers: {some}"),
        };
        format!("nodes: {nodes}, their cores: {cores}{controllers}, commits/s: {commits:.0}")
    }

    /// What a sign-in passes.
    fn line(self, road: Road) -> Vec<Step> {
        let Self { nodes, cores, controller_cores, commits } = self;
        let limit = |refusal, places, waiting, patience| {
            Step::Limit(Limit { refusal, places: places * nodes, waiting, patience })
        };
        let station = |name, servers, seconds: f64| {
            let service = nanoseconds(seconds);
            Step::Station(Station { name, servers, service, is_constant: true })
        };
        // 1. The limits of all nodes together. Each sign-in has a connection of its own.
        let connections = limit("no connection is free", Limits::default().connections as usize, 0, None);
        // 2. The queue for derivations. With `strong` the derivation is nearly all the work of a core. With `entra` it is a
        //    tenth, so the work is before the queue. The lockout has no part in it.
        let rules = Rules::new(10, 60);
        let Settings { queue, patience, .. } = Settings::for_cores(cores, rules, Duration::ZERO);
        let patience = Some(nanoseconds(patience.as_secs_f64()));
        let places =
            Step::Limit(Limit { refusal: "overloaded", places: cores * LANES, waiting: queue, patience });
        // 3. The database. A sign-in by digest keeps its place in the queue until its commit.
        let database = station("the database", 1, road.commits() / commits);
        match road {
            Road::Strong => {
                let derivations = station("cores of nodes", cores * LANES, LANES as f64 / STRONG);
                vec![connections, places, derivations, database]
            }
            Road::Entra => {
                let work = station("cores of nodes", cores, 1.0 / ENTRA);
                vec![connections, work, places, database]
            }
            Road::Agents => {
                let work = station("cores of nodes", cores, BY_AGENTS);
                // A sign-in that no domain controller has begun with in time ends without an answer.
                let tickets = Step::Limit(Limit {
                    refusal: "no agent is free in time",
                    places: controller_cores,
                    waiting: TICKETS * nodes,
                    patience: Some(nanoseconds(relay::PATIENCE.as_secs_f64())),
                });
                let binds = Step::Station(Station {
                    name: "cores of domain controllers",
                    servers: controller_cores,
                    service: nanoseconds(1.0 / BINDS),
                    is_constant: false,
                });
                vec![connections, work, database, tickets, binds]
            }
        }
    }
}

/// Every size on every road: as it is sized, with [`COMMITS`] where the peak needs a faster database, and with half of the
/// cores.
pub(crate) fn measure() -> Result<Vec<Comparison>, LabError> {
    let mut all = Vec::new();
    for road in Road::ALL {
        for size in &SIZES {
            let sized = Installation::sized(road, size);
            let slower = (sized.commits > COMMITS).then_some(Installation { commits: COMMITS, ..sized });
            let cases = [Some(sized), slower, sized.halved(road)];
            all.extend(cases.into_iter().flatten().map(|installation| peak(road, size, installation)));
            eprintln!("    peak: {} accounts, {}, seed {SEED}", size.accounts, road.name());
        }
    }
    Ok(all)
}

/// The worst minute of some mornings.
fn peak(road: Road, size: &Size, installation: Installation) -> Comparison {
    let line = installation.line(road);
    let mut outcomes = Vec::new();
    for morning in 0..size.mornings {
        // Arrivals and services have a seed each.
        let seed = 2 * (SEED * 1_000 + morning);
        let (arrivals, worst) = size.arrivals(Dice::new(seed));
        outcomes.push(simulation::simulate(&line, arrivals, worst, Dice::new(seed + 1)));
    }
    table(road, size, installation, &outcomes)
}

fn table(road: Road, size: &Size, installation: Installation, outcomes: &[Outcome]) -> Comparison {
    // 1. The names of the figures, which all outcomes share.
    let mut names = Vec::new();
    if let Some(Outcome { in_use, refused, .. }) = outcomes.first() {
        names.extend(in_use.iter().map(|(name, _)| format!("{name}, in use, %")));
        names.extend(["p50", "p99"].map(|name| format!("time in the tenant, {name}, ms")));
        names.extend(refused.iter().map(|(name, _)| format!("refused, {name}, %")));
    }
    let Size { accounts, is_minute_alone, .. } = size;
    let what = format!("A morning peak of {accounts} accounts, {}: {}", road.name(), installation.text());
    let mut table = Comparison::of_kinds(what, &names.iter().map(String::as_str).collect::<Vec<_>>());
    // 2. The figures of each morning.
    for outcome in outcomes {
        let times = [0.5, 0.99].map(|share| outcome.milliseconds(share));
        let percent = |(_, share): &(&str, f64)| 100.0 * share;
        let in_use = outcome.in_use.iter().map(percent);
        let refused = outcome.refused.iter().map(percent);
        table.round(&in_use.chain(times).chain(refused).collect::<Vec<_>>());
    }
    let arrived = outcomes.iter().map(|outcome| outcome.arrived).sum::<usize>() / outcomes.len().max(1);
    let simulated = if *is_minute_alone {
        format!("The worst minute alone, after {} s at its rate", LEAD / SECOND)
    } else {
        "The whole half hour; the figures are of its worst minute".to_owned()
    };
    table.note =
        format!("Simulated, seed {SEED}. {simulated}: {arrived} sign-ins, {:.1} a second.", size.rate());
    table
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn everyone_signs_in_within_half_an_hour_and_the_worst_minute_has_twice_the_mean() {
        let size = Size { accounts: 200_000, ..SIZES[0] };
        let (arrivals, worst) = size.arrivals(Dice::new(1));
        let arrivals: Vec<Nanoseconds> = arrivals.collect();
        assert_eq!(arrivals.len(), 200_000);
        assert!(arrivals.is_sorted() && arrivals.iter().all(|at| *at <= MORNING * MINUTE));
        let of_minute = |from: Nanoseconds| {
            arrivals.iter().filter(|at| (from..from + MINUTE).contains(*at)).count() as f64
        };
        let expected = 60.0 * size.rate();
        let found = of_minute(worst.start);
        assert!((found / expected - 1.0).abs() < 0.03, "{found} instead of {expected}");
        let most =
            (0..MORNING).map(|minute| of_minute(worst.start % MINUTE + minute * MINUTE)).fold(0.0, f64::max);
        assert!(most < 1.03 * expected, "{most} in another minute");
    }

    #[test]
    fn the_limits_are_those_of_the_tenant() {
        let sized = Installation::sized(Road::Strong, &SIZES[1]);
        let limits: Vec<Limit> = sized
            .line(Road::Strong)
            .into_iter()
            .filter_map(|step| match step {
                Step::Limit(limit) => Some(limit),
                Step::Station(_) => None,
            })
            .collect();
        let [connections, queue] = &limits[..] else { panic!("{limits:?}") };
        assert_eq!((sized.nodes, sized.cores), (2, 5));
        assert_eq!((connections.places, connections.waiting), (2 * 1_024, 0));
        assert_eq!((queue.places, queue.waiting, queue.patience), (10, 5 * 64, Some(5 * SECOND)));
    }

    #[test]
    fn half_of_the_cores_refuse_what_they_cannot_derive() {
        let size = Size { mornings: 1, ..SIZES[1] };
        let halved = Installation::sized(Road::Strong, &size).halved(Road::Strong).unwrap();
        let (arrivals, worst) = size.arrivals(Dice::new(1));
        let outcome = simulation::simulate(&halved.line(Road::Strong), arrivals, worst, Dice::new(2));
        let refused: f64 = outcome.refused.iter().map(|(_, share)| share).sum();
        let expected = 1.0 - halved.cores as f64 * STRONG / size.rate();
        assert!((refused - expected).abs() < 0.03, "{:?} instead of {expected}", outcome.refused);
    }
}
