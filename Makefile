# Comptoir: what a person runs here is what CI runs. `make` lists the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help tools stores build run test lint fmt contracts docs stubs viewer release-baseline chart chart-write chart-tools clean chaos chaos-inputs chaos-orders chaos-payments chaos-services chaos-backlog flash-sale shop-day differential fuzz abuse mutants bench-orders bench-events bench-payments bench-services bench-gateway

CARGO ?= cargo
PYTHON ?= python3
ARGS ?=

# The programs of tools/fetch.py. A variable that is already set wins.
export COMPTOIR_TOOLS ?= $(CURDIR)/.tools
export MONGOD_BIN ?= $(COMPTOIR_TOOLS)/mongod
export NATS_SERVER_BIN ?= $(COMPTOIR_TOOLS)/nats-server
export ENVOY_BIN ?= $(COMPTOIR_TOOLS)/envoy
export BUF_BIN ?= $(COMPTOIR_TOOLS)/buf
export GRPCURL_BIN ?= $(COMPTOIR_TOOLS)/grpcurl
export ASYNCAPI_DIR ?= $(COMPTOIR_TOOLS)/asyncapi
export OPENAPI_DIR ?= $(COMPTOIR_TOOLS)/openapi
export VIEWER_DIR ?= $(COMPTOIR_TOOLS)/viewer
export HELM_BIN ?= $(COMPTOIR_TOOLS)/helm
export MONGOSH_DIR ?= $(COMPTOIR_TOOLS)/mongosh
export SMTP_DIR ?= $(COMPTOIR_TOOLS)/smtp
export OIDC_DIR ?= $(COMPTOIR_TOOLS)/oidc
export CHART_TOOLS ?= $(COMPTOIR_TOOLS)/chart
export GO_BIN ?= $(COMPTOIR_TOOLS)/go
export STUBS_DIR ?= $(COMPTOIR_TOOLS)/stubs

# Each RPC that a process answers in `make test` is a line of this file.
RPC_COVERAGE = $(abspath $(or $(CARGO_TARGET_DIR),target))/rpc-coverage
BINARY = $(or $(CARGO_TARGET_DIR),target)/debug/comptoir
# The files of the viewer of /docs that are not ours.
VIEWER_FILES = LICENSE NOTICE swagger-ui-bundle.js swagger-ui-bundle.js.LICENSE.txt swagger-ui.css
# Where `make stubs` writes, and for which languages.
STUBS ?= $(CURDIR)/stubs
LANGUAGES ?= typescript python go
MEASURED = $(or $(CARGO_TARGET_DIR),target)/measure
MEASURE_BUILD = RUSTFLAGS="-C force-frame-pointers=yes" $(PYTHON) tools/build.py \
  $(CARGO) build --profile measure -p comptoir -p comptoir-tests --bins

help: ## List the targets
	@echo "usage: make <target>"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

tools: ## Fetch mongod, nats-server, buf, grpcurl, helm and the schemas of all that is checked into .tools/
	@$(PYTHON) tools/fetch.py

stores:
	@$(PYTHON) tools/fetch.py mongod nats-server

build: ## Build the binary: target/debug/comptoir
	@echo "  build   comptoir     the first build takes some minutes, later ones seconds" >&2
	@$(PYTHON) tools/build.py $(CARGO) build -p comptoir

run: stores build ## Run the whole system on this machine; ARGS="--ephemeral" goes to `comptoir dev`
	@exec $(BINARY) dev $(ARGS)

lint: ## Check formatting, clippy, the links of the documentation and the contracts
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" $(CARGO) doc --workspace --no-deps --document-private-items
	@$(MAKE) --no-print-directory contracts

contracts: ## Check the contracts: style, nothing broken since the last release, the documents valid
	@command -v "$(BUF_BIN)" > /dev/null || { echo "buf is missing; mend: make tools" >&2; exit 1; }
	cd proto && $(BUF_BIN) lint
	@test -f proto/baseline.binpb || { echo "proto/baseline.binpb is missing; mend: git checkout proto/baseline.binpb" >&2; exit 1; }
	@cd proto && echo "buf breaking --against baseline.binpb" && $(BUF_BIN) breaking --against baseline.binpb || { \
	  echo "This breaks who was built with proto/baseline.binpb. Mend: keep the old element and add a new one;" >&2; \
	  echo "what was in no release yet may go: make release-baseline, and commit the new baseline." >&2; exit 1; }
	@command -v node > /dev/null || { echo "node is missing; mend: apt-get install -y nodejs npm" >&2; exit 1; }
	node tools/asyncapi.mjs docs/asyncapi.json
	node tools/openapi.mjs docs/openapi.json
	@for file in $(VIEWER_FILES); do cmp "$(VIEWER_DIR)/$$file" "gateway/viewer/$$file" || { \
	  echo "gateway/viewer/$$file is not that of the package; mend: make tools viewer" >&2; exit 1; }; done

docs: build ## Write docs/EVENTS.md, docs/TELEMETRY.md, docs/asyncapi.json, docs/openapi.json and helm/comptoir/topology.yaml
	@$(BINARY) docs events --output docs/EVENTS.md
	@$(BINARY) docs asyncapi --output docs/asyncapi.json
	@$(BINARY) docs openapi --output docs/openapi.json
	@$(BINARY) docs telemetry --output docs/TELEMETRY.md
	@$(BINARY) docs chart --output helm/comptoir/topology.yaml

stubs: ## Write clients from proto/ into stubs/ for LANGUAGES="typescript python go"; clients/README.md shows their use
	@$(PYTHON) tools/fetch.py buf go stubs
	@command -v node > /dev/null || { echo "node is missing; mend: apt-get install -y nodejs npm" >&2; exit 1; }
	@for language in $(LANGUAGES); do \
	  rm -rf "$(abspath $(STUBS))/$$language" && mkdir -p "$(abspath $(STUBS))/$$language" && \
	  (cd proto && PATH="$(STUBS_DIR)/node_modules/.bin:$(STUBS_DIR)/python/bin:$(STUBS_DIR)/bin:$$PATH" \
	    PYTHONPATH="$(STUBS_DIR)/python" "$(BUF_BIN)" generate --template stubs/$$language/buf.gen.yaml --output "$(abspath $(STUBS))/$$language") && \
	  cp -R proto/stubs/$$language/. "$(abspath $(STUBS))/$$language" && rm "$(abspath $(STUBS))/$$language/buf.gen.yaml" && \
	  echo "$(abspath $(STUBS))/$$language" || exit 1; done

viewer: ## Copy the viewer of /docs, at the version that tools/fetch.py names, into gateway/viewer/
	@$(PYTHON) tools/fetch.py viewer
	cd "$(VIEWER_DIR)" && cp $(VIEWER_FILES) "$(CURDIR)/gateway/viewer/"

chart-tools:
	@$(PYTHON) tools/fetch.py mongod nats-server buf helm chart mongosh

chart: chart-tools ## Check the chart, its policies and the container files without a cluster; no Rust is built
	@$(PYTHON) tools/chart

chart-write: chart-tools ## Render helm/golden/ and the chart README's table anew, then check
	@$(PYTHON) tools/chart --write

release-baseline: chart-tools ## Make contracts and chart as they are what later ones are compared with; part of a release
	cd proto && $(BUF_BIN) lint && $(BUF_BIN) build --exclude-source-info --output baseline.binpb
	@$(PYTHON) tools/chart --baseline

# What a failed test says is at the end of the output, where a backtrace would push it out; BACKTRACE=1 shows one.
test: export RUST_BACKTRACE := $(or $(BACKTRACE),0)
# A test waits more than it computes: for a lease, a process, a deadline.
test: export RUST_TEST_THREADS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
test: tools ## Everything that CI checks: lint, then all tests against real stores
	@$(MAKE) --no-print-directory lint chart
	$(CARGO) build --workspace
	@rm -f $(RPC_COVERAGE)
	COMPTOIR_RPC_COVERAGE=$(RPC_COVERAGE) $(CARGO) test --workspace
	COMPTOIR_RPC_COVERAGE=$(RPC_COVERAGE) $(CARGO) test --quiet -p comptoir-tests --test it -- \
	  --ignored --exact architecture::every_rpc_was_answered_in_a_test

chaos: stores ## Play SEEDS=500 random faults under writers, or SEED=x again; prints faults, runs, violations
	@$(CARGO) build --quiet -p comptoir
	@SEEDS=$(or $(SEEDS),$(if $(SEED),1,500)) $(if $(SEED),SEED=$(SEED)) $(CARGO) test --quiet -p comptoir-tests --test it -- \
	  --exact chaos::events::whatever_fails_at_whatever_moment_every_event_is_published_once_and_in_order --nocapture

chaos-orders: stores ## Kill each service and store at each step of the sagas, stop orchestrators: all of it, SEEDS=n, SEED=x again
	@$(CARGO) build --quiet -p comptoir
	@SEEDS=$(or $(SEEDS),matrix) $(if $(SEED),SEED=$(SEED)) $(CARGO) test --quiet -p comptoir-tests --test it -- \
	  --exact chaos::orders::whoever_is_killed_at_whatever_step_every_order_ends_and_verify_is_clean --nocapture

chaos-payments: stores ## Pay PAYMENTS=10000 orders with every token while payments and orders are killed
	@$(CARGO) build --quiet -p comptoir
	@PAYMENTS=$(or $(PAYMENTS),10000) $(CARGO) test --quiet -p comptoir-tests --test it -- \
	  --exact chaos::payments::whoever_is_killed_what_is_captured_is_what_is_owed --nocapture

chaos-services: stores ## Kill each service around the orders at each of its steps, read all logs again: all of it, SEEDS=n, SEED=x again
	@$(PYTHON) tools/fetch.py smtp
	@$(CARGO) build --quiet -p comptoir
	@SEEDS=$(or $(SEEDS),$(if $(SEED),1,steps)) $(if $(SEED),SEED=$(SEED)) $(CARGO) test --quiet -p comptoir-tests --test it -- \
	  --exact chaos::services::whichever_service_is_killed_at_whatever_step_nothing_is_done_twice_or_lost --nocapture

chaos-backlog: stores ## Stop inventory for SAGAS=10000 sagas that are due, while others order
	@$(CARGO) build --quiet -p comptoir
	@SAGAS=$(or $(SAGAS),10000) $(CARGO) test --quiet -p comptoir-tests --test it -- \
	  --exact orders::sagas::backlog::sagas_due_for_a_dead_peer_hold_up_nobody_and_end_once_it_is_back --nocapture

chaos-inputs: stores ## Send webhooks of strangers, silent connections and large orders, ROUNDS=10 of each, while others order
	@$(CARGO) build --quiet -p comptoir
	@ROUNDS=$(or $(ROUNDS),10) $(CARGO) test --quiet -p comptoir-tests --test it -- \
	  --exact chaos::inputs::whatever_strangers_and_large_customers_send_others_are_served --nocapture

flash-sale: stores ## Sell 100 units to 64 clients, ROUNDS=200 times
	@$(CARGO) build --quiet -p comptoir
	@ROUNDS=$(or $(ROUNDS),200) $(CARGO) test --quiet -p comptoir-tests --test it -- \
	  --exact inventory::flash_sale::sixty_four_clients_sell_exactly_what_is_there_round_after_round --nocapture

differential: ## Read and write COUNT=100000 messages with the transcoder, prost-reflect and Envoy, there and back
	@$(PYTHON) tools/fetch.py envoy
	@COUNT=$(or $(COUNT),100000) $(CARGO) test --quiet -p comptoir-transcode -- differential envoy --nocapture

fuzz: ## Run INPUTS=10000000 made inputs, SEED=1, through each reader of what callers send; ARGS="json path", ARGS=--help
	@RUSTC_WORKSPACE_WRAPPER="$(CURDIR)/gateway/fuzz/rustc" RUSTFLAGS="-C force-frame-pointers=yes" $(PYTHON) tools/build.py \
	  $(CARGO) build --profile measure -p comptoir-fuzz
	@$(MEASURED)/fuzz --inputs $(or $(INPUTS),10000000) --seed $(or $(SEED),1) $(ARGS)

abuse: ## Attack the gateway at full length: resets, slow sockets, header bombs, idle and unread connections; prints calls and memory
	@$(CARGO) build --quiet -p comptoir
	@ABUSE=long $(CARGO) test --quiet -p comptoir-tests --test it -- gateway::abuse --nocapture

mutants: stores ## Plant the faults of tests/mutants.toml one by one; the tests must catch each; ARGS="--list", "--only NAME"
	@$(PYTHON) tools/mutants.py $(ARGS)

fmt: ## Format the code
	$(CARGO) fmt --all

clean: ## Remove build results, fetched tools and the data of `make run`
	$(CARGO) clean
	rm -rf .tools .comptoir stubs

bench-orders: stores ## Measure confirmed orders per second, latency, CPU, writes, memory (optimised build); ARGS=--help
	@$(MEASURE_BUILD)
	@COMPTOIR_BIN=$(MEASURED)/comptoir $(MEASURED)/bench-orders $(ARGS)

bench-events: stores ## Measure the relay beside its floors: catch-up, latency, write rate, CPU (optimised build)
	@$(MEASURE_BUILD)
	@COMPTOIR_BIN=$(MEASURED)/comptoir $(MEASURED)/bench-events $(ARGS)

bench-gateway: stores ## Measure requests through the gateway beside Envoy and a pass-through: CPU, rate, latency, allocations (optimised build)
	@$(PYTHON) tools/fetch.py envoy
	@$(MEASURE_BUILD)
	@COMPTOIR_BIN=$(MEASURED)/comptoir $(MEASURED)/bench-gateway $(ARGS)

shop-day: stores ## Play a day of a shop, ORDERS=500, and print its statement, the reconciliation and the invariants
	@$(CARGO) build --quiet -p comptoir
	@ORDERS=$(or $(ORDERS),500) $(CARGO) test --quiet -p comptoir-tests --test it -- \
	  --exact system::soak::a_days_statement_has_the_same_sums_in_orders_ledger_and_provider --nocapture

bench-payments: stores ## Measure authorizations through the sandbox provider beside a bare driver: rate, latency, CPU (optimised build)
	@$(MEASURE_BUILD)
	@COMPTOIR_BIN=$(MEASURED)/comptoir $(MEASURED)/bench-payments

bench-services: stores ## Measure search, sign-in, history, import and replays beside a bare driver; PRODUCTS=, ORDERS=, PLACED=, ARGS=--help
	@$(MEASURE_BUILD)
	@COMPTOIR_BIN=$(MEASURED)/comptoir $(MEASURED)/bench-services $(ARGS)
