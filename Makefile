# Landbridge. `make demo` shows it, `make test` is all that CI runs.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo demo-nodes test quick check soak before upgrade upgrade-nodes bench fuzz build install clients

# Unit tests that change a file's owner or act as another user. `make quick` leaves them out for any user but root.
NEED_ROOT := root_copies_the_keys_of_the_user_that_owns_the_database another_uid_gets_no_answer_but_no

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

# The trials of the time that a refusal takes. They need a machine that does nothing else; all other tests may run beside
# those of another checkout.
TIMING_TRIALS := refusals_of_every_kind_take_the_same_time_and_look_the_same \
	refusals_by_ldap_of_every_kind_take_the_same_time_and_look_the_same \
	refusals_take_the_same_time_while_ads_budget_is_spent_and_digests_stand_in_for_it \
	a_right_and_a_wrong_password_of_a_protected_account_look_the_same_to_a_lying_tenant_in_words_and_time \
	unknown_wrong_disabled_blocked_unassigned_and_locked_look_the_same_in_words_and_in_time

# Tests of the doors that also run with the database on a PostgreSQL server: those that open no file of SQLite themselves.
ON_A_SERVER := administration::after_a_restart administration::health_and_metrics applications:: enrolment::a_token enrolment::a_pta_agent enrolment::of_many \
	directory::a_blocked_account directory::a_rollout ldap::an_application ldap::views oidc::a_ oidc::introspection \
	oidc::client_credentials oidc::back_channel::an_application

install: ## the Debian packages that the lab needs (apt; root or sudo), nothing when they are there
	@tests/install

clients: install ## clients of LDAP and OpenID Connect for Python and Node.js that the tests run, into the folder of the build; nothing when they are there
	@tests/clients/install

build: ## the programs, unoptimised but for the crypto
	cargo build --locked --bins

demo: install clients build ## a disposable real domain, a tenant, a phs and two agents, start to end, cleaned up after; PART=ldap or oidc for that act alone
	@cargo run --locked --quiet --package landbridge-tests --bin demo -- $(PART)

demo-nodes: install build ## two nodes on a PostgreSQL with a replica: people sign in while a node, an agent and the database are lost
	@cargo run --locked --quiet --package landbridge-tests --bin demo -- nodes

test: install clients check ## everything CI runs; TIMING=skip leaves out the trials that compare times, which a second load disturbs
	cargo build --locked --workspace --bins --tests
	cargo test --locked --workspace -- --show-output $(if $(filter skip,$(TIMING)),$(TIMING_TRIALS:%=--skip %))
	@# The store, and a way through each door, once more with the database on a PostgreSQL server.
	LANDBRIDGE_TEST_ENGINE=postgres cargo test --locked --workspace --test store -- --skip sqlite:: --skip upgrade::
	LANDBRIDGE_TEST_ENGINE=postgres cargo test --locked --workspace --lib -- provider::tests::codes of_two_requests_at_once
	LANDBRIDGE_TEST_ENGINE=postgres cargo test --locked --workspace --test edge -- $(ON_A_SERVER)
	@# What two nodes count together.
	LANDBRIDGE_TEST_ENGINE=postgres cargo test --locked --workspace --lib -- two_nodes --show-output
	@# The derivations again as they ship: right, and faster side by side than one after the other.
	cargo test --locked --release --package landbridge-crypto --lib -- derivation:: --show-output

quick: ## fmt, clippy and every test that needs neither root nor Samba: minutes
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	cargo build --locked --workspace --bins
	cargo test --locked --workspace --exclude landbridge-tests -- $(if $(filter 0,$(shell id -u)),,$(NEED_ROOT:%=--skip %))
	cargo test --locked --package landbridge-tests --lib --test structure --test documents --test offline
	cargo test --locked --package landbridge-tests --test pta -- joined::

check: ## fmt, clippy, doc (warnings denied), cargo-deny
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	RUSTDOCFLAGS='--deny warnings' cargo doc --locked --workspace --no-deps --quiet
	@tests/deny

soak: install ## the long trials, whole, with their seeds; about an hour, on a machine that does nothing else: times are compared
	cargo build --locked --workspace --bins --tests
	LANDBRIDGE_SOAK=1 cargo test --locked --package landbridge-tests --test road -- continuous:: soak:: memory:: lockout:: --show-output --test-threads=1
	LANDBRIDGE_SOAK=1 cargo test --locked --package landbridge-tests --test pta -- --show-output --test-threads=1
	LANDBRIDGE_SOAK=1 LANDBRIDGE_TEST_ENGINE=postgres cargo test --locked --package landbridge-tenant-core --lib -- two_nodes --show-output
	@# From the commit before. One that changes a schema that is not released needs another FROM.
	$(MAKE) upgrade-nodes FROM=$(or $(FROM),HEAD~1)

before:
	@test -n "$(FROM)" || { echo "FROM=COMMIT is missing"; exit 2; }
	rm -rf target/before && mkdir -p target/before/source
	git archive "$(FROM)" | tar --extract --directory target/before/source
	cargo build --locked --bins --manifest-path target/before/source/Cargo.toml --target-dir target/before/build
	cargo build --locked --workspace --bins --tests

upgrade: install before ## an installation of the older version FROM (a commit) is upgraded in place, with that version's own programs
	LANDBRIDGE_BEFORE=$(CURDIR)/target/before/build/debug cargo test --locked --package landbridge-tests --test road -- upgrade:: --ignored --show-output --test-threads=1

upgrade-nodes: install before ## two nodes of the version FROM (a commit) are upgraded one after the other while people sign in
	LANDBRIDGE_BEFORE=$(CURDIR)/target/before/build/debug cargo test --locked --package landbridge-tests --test pta -- two_nodes::nodes_are_upgraded --ignored --show-output

bench: install ## what we do beside what one would run otherwise, as ratios in one run (release build); PARTS="signins pta" for some of it
	@# The issuer that ours is measured beside, for that part alone.
	$(if $(filter oidc,$(or $(PARTS),oidc)),@tests/oidc-provider/install)
	cargo build --locked --release --bins
	@cargo run --locked --release --quiet --package landbridge-tests --bin bench -- $(PARTS)

fuzz: install ## every fuzz target for FUZZ_SECONDS (10) each
	@fuzz/run
