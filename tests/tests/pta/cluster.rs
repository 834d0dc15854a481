//! A tenant of two nodes as a company has it: a PostgreSQL server with its synchronous replica, HAProxy, two agents and phs.
//! Each node connects to the database, and agents connect to the second node, by forwarders, which can be cut and silenced.

use landbridge_tenant_fixture::postgres::PASSWORD;
use landbridge_tenant_fixture::postgres::pair::Pair;
use landbridge_tests::lab::forwarder::Forwarder;
use landbridge_tests::lab::haproxy::Haproxy;
use landbridge_tests::lab::program::wait_until;
use landbridge_tests::lab::{
    Application, Domain, DoorSettings, Phs, PhsSettings, Population, PtaAgent, PtaSettings, RunningTenant,
    TenantSettings,
};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) struct Cluster {
    pub(crate) agents: Vec<PtaAgent>,
    pub(crate) phs: Phs,
    pub(crate) nodes: [RunningTenant; 2],
    /// By way of the balancer, and at each node itself.
    pub(crate) app: Application,
    pub(crate) at_nodes: [Application; 2],
    /// An application that signs people in by LDAP and OpenID Connect, by way of the balancer.
    pub(crate) doors: DoorSettings,
    pub(crate) haproxy: Haproxy,
    /// The ways of each node to each server of the database.
    pub(crate) to_database: [[Forwarder; 2]; 2],
    /// The way of agents to the second node.
    pub(crate) to_second: Forwarder,
    pub(crate) database: Pair,
    primary: AtomicUsize,
    pub(crate) domain: Domain,
    _certificate: tempfile::TempDir,
}

impl Cluster {
    /// `prepare` changes the domain before phs reads it.
    pub(crate) fn new(people: u32, lockout_threshold: u32, prepare: impl FnOnce(&Domain)) -> Self {
        Self::of_version(None, people, lockout_threshold, prepare)
    }

    /// The same, with nodes that run the programs in this folder.
    pub(crate) fn of_version(
        programs: Option<PathBuf>,
        people: u32,
        lockout_threshold: u32,
        prepare: impl FnOnce(&Domain),
    ) -> Self {
        let domain = Domain::start(Population::of(people)).unwrap();
        prepare(&domain);
        // 1. The database, and the ways to it.
        let database = Pair::start();
        let way =
            |port: Option<u16>| Forwarder::start(IpAddr::V4(Ipv4Addr::LOCALHOST), port.map(local)).unwrap();
        let ways = || database.ports().map(way);
        let to_database = [ways(), ways()];
        let settings = |node: usize| TenantSettings {
            lockout_threshold,
            database: Some(database.url_by(to_database[node].each_ref().map(|way| way.address().port()))),
            programs: programs.clone(),
            database_by_tls: Some((database.ca.clone(), PASSWORD)),
            ..TenantSettings::default()
        };
        // 2. The nodes, and the balancer before their addresses for applications.
        let first = RunningTenant::start_for(&domain, &settings(0)).unwrap();
        // The tenant's CA signs for the host of the first node, or for names below it.
        let at = first.bound();
        let listen = first.address_of_second();
        let to_second = Forwarder::start(at.ip(), Some(listen)).unwrap();
        let of_second =
            TenantSettings { listen: Some(listen), forwarder: Some(to_second.address()), ..settings(1) };
        let second = first.start_node("second", &of_second).unwrap();
        let (haproxy, certificate) = (Haproxy::claim().unwrap(), tempfile::tempdir().unwrap());
        let folder = certificate.path().join("applications");
        let behind = |node: &RunningTenant| node.serve_applications_behind(haproxy.ip(), &folder).unwrap();
        let addresses = [behind(&first), behind(&second)];
        for node in [&first, &second] {
            node.serve_doors_behind(haproxy.ip(), &folder).unwrap();
        }
        haproxy.start_before_doors(&addresses).unwrap();
        // 3. phs and two agents, which enrol at the first node.
        let phs = Phs::install(&PhsSettings::for_domain(&domain, "entra")).unwrap();
        phs.join(&first).unwrap();
        phs.once(&[]).unwrap().expect_code(0);
        first.set_policy("pta").unwrap().expect_code(0);
        let defence = "failed_binds_per_minute = 100000".to_owned();
        let settings = PtaSettings { defence, ..PtaSettings::for_domain(&domain) };
        let agents = (0..2).map(|_| PtaAgent::start(&settings, &first).unwrap()).collect();
        // 4. An application: its credential is good at each address.
        let at_first = Application::of(&first, "two-nodes").unwrap();
        let at_second = at_first.at(second.bound(), &second.root_certificate()).unwrap();
        let app = at_first.at(haproxy.listen(), &folder.join("ca.pem")).unwrap();
        let doors = DoorSettings::of(&first, "doors", haproxy.ip(), &folder.join("ca.pem")).unwrap();
        let (nodes, at_nodes, primary) = ([first, second], [at_first, at_second], AtomicUsize::new(0));
        let cluster = Self {
            agents,
            phs,
            nodes,
            app,
            at_nodes,
            doors,
            haproxy,
            to_database,
            to_second,
            database,
            primary,
            domain,
            _certificate: certificate,
        };
        cluster.wait_for_all();
        cluster
    }

    /// Each agent is connected to each node, and the balancer finds both.
    #[track_caller]
    pub(crate) fn wait_for_all(&self) {
        self.wait_for_agents(2);
        self.wait_for_nodes(2);
    }

    /// Waits until each agent is connected to `wanted` nodes.
    #[track_caller]
    pub(crate) fn wait_for_agents(&self, wanted: usize) {
        for agent in &self.agents {
            agent.wait_for_nodes(wanted).unwrap();
        }
    }

    /// Waits until the balancer finds `wanted` nodes ready.
    #[track_caller]
    pub(crate) fn wait_for_nodes(&self, wanted: usize) {
        let said = || format!("{:?}", self.nodes.each_ref().map(|node| node.readiness().ok()));
        let what = format!("the balancer to find {wanted} nodes");
        wait_until(&what, 60, || self.haproxy.nodes_up() == wanted, said).unwrap();
    }

    /// The server of the database that is the primary.
    pub(crate) fn primary(&self) -> usize {
        self.primary.load(Ordering::Relaxed)
    }

    /// Makes the replica the primary. The old one was killed or is frozen.
    pub(crate) fn promote(&self) {
        let next = 1 - self.primary();
        self.database.promote(next);
        self.primary.store(next, Ordering::Relaxed);
    }

    /// Makes a new synchronous replica in the place of the server that was killed.
    pub(crate) fn add_replica(&self) {
        self.database.add_replica();
        let replica = 1 - self.primary();
        let port = self.database.ports()[replica];
        self.to_database.iter().for_each(|ways| ways[replica].lead_to(port.map(local)));
    }

    /// Both nodes hold their locks at the primary. The connection of a lock receives notices as well.
    #[track_caller]
    pub(crate) fn wait_for_locks(&self) {
        // The lock of the chores, which one node holds, has a small number.
        let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid <> 0";
        let held = || self.database.ask(self.primary(), locks);
        wait_until("both nodes to hold their locks", 30, || held() == "2", held).unwrap();
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
