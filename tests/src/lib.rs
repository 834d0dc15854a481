//! What the tests, the demo and the benchmarks share. Nothing here is shipped.
//!
//! # Files
//!
//! - `src/lib.rs`: this list
//! - `src/lab.rs`: the lab: a real domain on loopback, the real programs, and functions to drive them
//! - `src/lab/error.rs`: what keeps a lab from being made, and who must act
//! - `src/lab/program.rs`: runs programs and keeps what they print
//! - `src/lab/watchdog.rs`: ends every process of a lab when the process that made the lab ends
//! - `src/lab/address.rs`: loopback addresses for labs side by side
//! - `src/lab/view.rs`: what a program of the lab sees of the machine
//! - `src/lab/certificates.rs`: the domain's CA and the DC's certificate
//! - `src/lab/population.rs`: people and passwords, computed from an index
//! - `src/lab/recipe.rs`: makes a domain's files once and keeps them as a tar
//! - `src/lab/domain.rs`: one running Samba AD DC
//! - `src/lab/script.rs`: a script that answers one line of JSON with another
//! - `src/lab/machine.rs`: a machine of its own for a packaged program, as far as files go
//! - `src/lab/dovecot.rs`: a Dovecot that signs people in by LDAP
//! - `src/lab/mit.rs`: MIT's KDC and its service for passwords, with a realm of their own
//! - `src/lab/second.rs`: a second DC that lags for as long as a test wants
//! - `src/lab/edits.rs`: what an administrator does to the domain while it runs
//! - `src/lab/tenant.rs`: a real tenant
//! - `src/lab/phs.rs`: a real phs
//! - `src/lab/pta_agent.rs`: a real pta-agent
//! - `src/lab/fake_dns.rs`: a DNS server that knows one domain's controllers
//! - `src/lab/forwarder.rs`: a further address of a server, until it is dropped
//! - `src/lab/full_backlog.rs`: a fake of addresses that take no connection
//! - `src/lab/protected_site.rs`: an Apache with a small web application behind mod_auth_openidc
//! - `src/lab/browser.rs`: a real Chromium
//! - `src/lab/cluster.rs`: a real PostgreSQL, alone or with a synchronous replica
//! - `src/lab/haproxy.rs`: a real HAProxy before a tenant
//! - `src/lab/doors.rs`: an application that signs people in by LDAP and OpenID Connect through it
//! - `src/lab/lying_agent.rs`: an agent that lies, with a real identity
//! - `src/lab/thief.rs`: a thief with a copy of an agent's disk, under ever new process names
//! - `src/lab/old_tenant.rs`: a tenant of version 0.1, as far as a phs sees it
//! - `src/lab/openssl.rs`: certificates and TLS servers of real OpenSSL
//! - `src/lab/lying_tenant.rs`: a tenant that lies, with a real CA key
//! - `src/lab/windows_ldap_fake.rs`: LDAP over TLS as the documents say that a Windows DC answers
//! - `src/lab/windows_ldap_fake/names.rs`: the eleven forms of name in a simple bind
//! - `src/lab/windows_ldap_fake/ber.rs`: BER as far as LDAP needs it
//! - `src/lab/application.rs`: an application that signs people in
//! - `src/lab/trial.rs`: how long a trial is, and its seed
//! - `src/lab/small_disk.rs`: the full disk of the tests
//! - `src/lab/silence.rs`: the search for secrets in everything that was written
//! - `src/lab/slapd.rs`: Debian's slapd with given entries, as a peer
//! - `src/lab/oidc_provider.rs`: npm's oidc-provider, as a peer
//! - `src/lab/windows_fake.rs`: a fake DC that answers as Windows does: its switches, and how to extend it
//! - `src/lab/windows_fake/objects.rs`: what its domain holds
//! - `src/lab/windows_fake/rpc.rs`: its sockets: a KDC, an endpoint mapper, the replication interface
//! - `src/lab/windows_fake/answers.rs`: its answer to each call
//! - `src/lab/windows_fake/reply.rs`: its replies to GetNCChanges, written out
//! - `src/recorded.rs`: one walk through all exchanges of the Kerberos client, to record and to replay
//! - `src/oracle.rs`: what must hold for any bytes at all
//! - `src/oracle/digest_text.rs`: for the text of a digest
//! - `src/oracle/distinguished_name.rs`: for distinguished names as people type them
//! - `src/oracle/drs_secret.rs`: for a sealed password attribute, compared with a second implementation
//! - `src/oracle/enrolment.rs`: for tokens, enrolments, certificates
//! - `src/oracle/kerberos.rs`: for what KDCs and services send, sealed parts included, and for keytabs
//! - `src/oracle/krb_error.rs`: for a KDC's error messages, which arrive before authentication
//! - `src/oracle/wire_frames.rs`: for frames
//! - `src/oracle/pdu.rs`: for fragments
//! - `src/oracle/ndr_reply.rs`: for replication replies
//! - `src/oracle/prefix_table.rs`: for prefix tables
//! - `src/oracle/usn_answer.rs`: for answers about the rootDSE
//! - `src/oracle/ldap_answer.rs`: for answers about the schema and to a bind, by LDAP
//! - `src/oracle/ldap_request.rs`: for what clients send to the LDAP door
//! - `src/oracle/password_modify.rs`: for the value of a request to change a password by LDAP
//! - `src/oracle/certificate_file.rs`: for files of certificates or text that an administrator names
//! - `src/oracle/client_assertion.rs`: assertions by which clients prove themselves
//! - `src/oracle/proxy_answer.rs`: for answers of an HTTP proxy
//! - `src/oracle/proxy_header.rs`: for what a balancer sends before TLS
//! - `src/oracle/oidc_request.rs`: for the query that a browser brings to the issuer
//! - `src/oracle/oidc_form.rs`: for forms and Basic credentials at the issuer
//! - `src/oracle/oidc_code.rs`: for the text of a code at the issuer
//! - `src/oracle/oidc_cookie.rs`: for cookies at the issuer
//! - `src/oracle/redirect_uri.rs`: for redirect URIs, registered and requested
//! - `src/bin/demo/main.rs`: `make demo`: its board, and the first act, by digests
//! - `src/bin/demo/scope.rs`: the scope in the demo
//! - `src/bin/demo/ldap.rs`: an act of its own, by LDAP
//! - `src/bin/demo/oidc.rs`: an act of its own, by OpenID Connect
//! - `src/bin/demo/agents.rs`: the last act, by agents
//! - `src/bin/demo/nodes.rs`: `make demo-nodes`: two nodes and a database that fails over
//! - `src/bin/bench/main.rs`: `make bench`: this project beside the alternatives, as ratios in one run
//! - `src/bin/bench/derivations.rs`: derivations a second on one core
//! - `ring/src/main.rs`: derivations by ring, which is kept out of the workspace
//! - `src/bin/bench/signins.rs`: sign-ins by digest beside bare derivations
//! - `src/bin/bench/pta.rs`: sign-ins through tenant and agent, beside bare binds
//! - `src/bin/bench/ingest.rs`: the tenant alone receives uploads, beside SQLite alone
//! - `src/bin/bench/sync.rs`: a domain read and synchronised beside Samba's own client
//! - `src/bin/bench/strong.rs`: a whole sync with the costly profile, beside bare derivations
//! - `src/bin/bench/changes.rs`: what a change costs
//! - `src/bin/bench/programs.rs`: sizes, starts, memory
//! - `src/bin/bench/population.rs`: people and groups in the tenant's database, and as LDIF for slapd
//! - `src/bin/bench/ldap.rs`: the tenant's LDAP beside slapd
//! - `src/bin/bench/ldap/client.rs`: a client that costs little beside a server
//! - `src/bin/bench/ldap/prepared.rs`: a fake server that answers every search with the same bytes
//! - `src/bin/bench/ldap/load.rs`: searches of many connections, at full load and at a rate
//! - `src/bin/bench/nodes.rs`: one node and two, on SQLite and on PostgreSQL, near and far
//! - `src/bin/bench/nodes/proxy.rs`: a distance to PostgreSQL, which counts round trips
//! - `src/bin/bench/million.rs`: a tenant on SQLite with a million accounts
//! - `src/bin/bench/peak.rs`: a morning peak of 1,000 to 50 million accounts, simulated
//! - `src/bin/bench/peak/simulation.rs`: limits and servers in line, from event to event
//! - `src/bin/bench/oidc.rs`: the tenant's issuer beside npm's oidc-provider, and its sign-in page beside the API
//! - `src/bin/bench/oidc/http.rs`: a client of HTTP that costs little beside a server
//! - `src/bin/bench/oidc/load.rs`: code flows, refreshes and userinfo on kept connections, at both issuers
//! - `src/bin/bench/oidc/change.rs`: the change of a password by the page beside MIT's kpasswd
//! - `src/bin/bench/oidc/page.rs`: people who sign in at the page
//! - `src/bin/bench/oidc/sessions.rs`: sessions and grants in the tenant's database
//! - `src/bin/bench/proc.rs`: CPU, memory and bytes, as the kernel counts them
//! - `src/bin/bench/report.rs`: medians and spreads, as tables and as a chart
//! - `tests/documents.rs`: line width, links, and a row for every command, flag and configuration key
//! - `tests/offline.rs`: hostile bytes without a lab: corpora, crashes, mutated captures
//! - `tests/lab.rs`: the lab keeps its own promises
//! - `tests/scope.rs`: which accounts are carried, tested with a real domain
//! - `tests/windows.rs`: phs beside a fake DC that answers as Windows does
//! - `tests/identity.rs`: an identity over time at a real tenant
//! - `tests/oidc/change.rs`: people who change their passwords on the pages
//! - `tests/oidc/main.rs`: OpenID Connect with other people's clients on a real domain
//! - `tests/oidc/stage.rs`: the domain, the tenant and the clients
//! - `tests/oidc/apache.rs`: people in a browser before sites behind mod_auth_openidc
//! - `tests/oidc/machine.rs`: what clients call without a browser, by openid-client and Authlib
//! - `tests/oidc/device.rs`: devices without a browser, and people who type their codes
//! - `tests/oidc/native.rs`: an application on the person's own machine
//! - `tests/oidc/pages.rs`: every page in every width, colour scheme and language
//! - `tests/ldap/main.rs`: LDAP clients on a real domain: the list of tests
//! - `tests/ldap/stage.rs`: a tenant that decides by digest, and one that decides by agents
//! - `tests/ldap/openldap.rs`: ldapsearch, ldapwhoami and ldappasswd
//! - `tests/ldap/clients.rs`: scripts for Python, PHP and Node.js, and sign-ins of all kinds through them
//! - `tests/ldap/apache.rs`: Apache's mod_authnz_ldap: passwords, groups in groups, filters
//! - `tests/ldap/python.rs`: python-ldap: pages, order, the whole schema; and django-auth-ldap
//! - `tests/ldap/php.rs`: PHP's own functions
//! - `tests/ldap/ldapts.rs`: ldapts on Node.js
//! - `tests/ldap/differential.rs`: the same searches find the same at a tenant and at slapd
//! - `tests/ldap/freeradius.rs`: FreeRADIUS, asked by radclient and eapol_test
//! - `tests/ldap/dovecot.rs`: Dovecot, by IMAP
//! - `tests/ldap/silence.rs`: no password of a change is written anywhere
//! - `tests/ldap/sssd.rs`: SSSD: names, groups, sign-ins and passwords of a host, with the tenant and without
//! - `tests/pta/main.rs`: pass-through authentication, end to end: the list of tests
//! - `tests/pta/stage.rs`: a domain, a tenant and agents of a test's own
//! - `tests/pta/verdicts.rs`: every verdict of a domain controller, beside a bare bind
//! - `tests/pta/joined.rs`: session and relay joined in memory, under simulated time
//! - `tests/pta/joined/world.rs`: one world: what is requested, what is true, what must hold
//! - `tests/pta/joined/agent.rs`: an agent of that world, honest or not
//! - `tests/pta/joined/troubles.rs`: faults of the connection: lost, doubled, late, reordered, forged
//! - `tests/pta/joined/dice.rs`: chance from a seed
//! - `tests/pta/kills.rs`: forty agents, of which one dies every two seconds
//! - `tests/pta/ldaps.rs`: LDAPS servers that cannot be used, and CA files in every form
//! - `tests/pta/times.rs`: refusals are not told apart by their time
//! - `tests/pta/cluster.rs`: two nodes behind a balancer, with a replicated database, agents and phs
//! - `tests/pta/two_nodes.rs`: sign-ins at two nodes, while nodes, agents, phs and the database are killed
//! - `tests/pta/lost_parts.rs`: nodes that are frozen or cut off, and a database that is
//! - `tests/pta/guesses_at_nodes.rs`: wrong passwords at two nodes, and what AD counts of them
//! - `tests/pta/wrong_clock.rs`: a node whose clock is wrong
//! - `tests/pta/ldap_times.rs`: refusals by LDAP neither
//! - `tests/pta/silence.rs`: everything that tenant and agents wrote, searched for secrets
//! - `tests/pta/outages.rs`: agents killed and frozen, the tenant and the DC gone and back
//! - `tests/pta/proxies.rs`: proxies that are silent or speak oddly
//! - `tests/pta/ways.rs`: through a proxy, over IPv6, to a second controller, to a pinned one
//! - `tests/pta/windows.rs`: the agents at a fake of a Windows DC, beside the same at Samba
//! - `tests/pta/copied.rs`: a copy of an agent's disk beside the agent, and what is none
//! - `tests/pta/attacks.rs`: identities used twice, agents revoked, controllers that must not be trusted
//! - `tests/pta/lying_tenant.rs`: a lying tenant locks no account, and learns nothing of a protected one
//! - `tests/pta/nodes.rs`: which nodes of a tenant an agent connects to, and what it remembers of them
//! - `tests/pta/lockout.rs`: guesses from outside lock no account inside
//! - `tests/road/main.rs`: password hash sync, end to end: the list of tests
//! - `tests/road/stage.rs`: shared domains, a tenant and a phs for one test, sign-ins of all accounts
//! - `tests/road/everyone.rs`: every password of a domain, and every wrong one
//! - `tests/road/life.rs`: what happens to accounts in AD, and what the tenant makes of it
//! - `tests/road/assigned.rs`: who is assigned to an application, by the groups of a real directory
//! - `tests/road/balanced.rs`: a tenant behind a real HAProxy
//! - `tests/road/never_carried.rs`: accounts that stay in the company, whatever the configuration includes
//! - `tests/road/nodes.rs`: a tenant of several nodes, of which some are gone, as phs sees it
//! - `tests/road/lockout.rs`: what a guesser sees
//! - `tests/road/directory_refusals.rs`: every way in which a DC refuses
//! - `tests/road/preflight.rs`: what `check` finds, and DCs that DNS names
//! - `tests/road/tenant_refusals.rs`: every way in which tenant and phs do not fit together
//! - `tests/road/objects.rs`: groups, contacts, fine-grained policies and every attribute, from the directory to
//!   the tenant
//! - `tests/road/odd_names.rs`: a domain with an underscore and `AT&T` in its names
//! - `tests/road/odd_objects.rs`: texts that are none, values without end, names of any script, and the one list of them
//! - `tests/road/other_domains.rs`: a second domain at the tenant: names by UPN suffix, objects that moved
//! - `tests/road/own_attributes.rs`: attributes that AD numbers itself
//! - `tests/road/names.rs`: the spelling of sign-in names: letters and blanks, beside Samba's table and a DC
//! - `tests/road/profile.rs`: a higher profile derives all passwords again; a tenant that refuses less
//! - `tests/road/scope_entries.rs`: names in `[scope]`: every legal spelling, and names that their list cannot have
//! - `tests/road/scoped.rs`: accounts that enter and leave by OU, group and filter; the limit on removals at a time
//! - `tests/road/copied.rs`: a copy of the disk of phs beside it, and what may run beside the daemon
//! - `tests/road/continuous.rs`: the daemon: changes in force within a moment, failures reported and over
//! - `tests/road/backup.rs`: a lost tenant restored from its backup; applications that see a certificate of the
//!   administrator's
//! - `tests/road/bad_input.rs`: files, disks, frames and clocks that are wrong
//! - `tests/road/kdcs.rs`: the Kerberos client beside Samba's KDC and MIT's
//! - `tests/road/kills.rs`: each program killed in the middle of a sync
//! - `tests/road/reserved_names.rs`: names of accounts that are not carried sign nobody in
//! - `tests/road/restored.rs`: backups put back, at either end
//! - `tests/road/tree.rs`: where objects are in the directory's tree, and their distinguished names
//! - `tests/road/upgrade.rs`: an installation of an older version, upgraded in place (`make upgrade`)
//! - `tests/road/other_controller.rs`: one DC after another, and one that lags
//! - `tests/road/memory.rs`: the memory of phs does not grow with the accounts
//! - `tests/road/soak.rs`: every kind of change at random while phs, tenant and DC are killed at random
//! - `tests/road/soak/deeds.rs`: what an administrator does all day, drawn from a seed
//! - `tests/road/soak/agreement.rs`: whether tenant and domain agree, account by account and password by password
//! - `tests/road/silence.rs`: everything that was written, searched for secrets
//! - `tests/structure/main.rs`: the shape of the workspace: the list of tests
//! - `tests/structure/arrows.rs`: which crate may name or reach which
//! - `tests/structure/map.rs`: `ARCHITECTURE.md` and the lists of files in each `lib.rs`
//! - `tests/structure/source.rs`: Rust source as tokens, without comments, strings and tests
//! - `tests/structure/sql.rs`: SQL in the store alone, written for two databases
//! - `tests/structure/circles.rs`: no circle of files in a crate, one form of modules
//! - `tests/structure/words.rs`: names that are not used
//! - `tests/structure/contents.rs`: which file may hold what: sockets, NT hashes, `unsafe`

pub mod lab;
pub mod oracle;
pub mod recorded;
