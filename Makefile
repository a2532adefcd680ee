# Comptoir: what a person runs here is what CI runs. `make` lists the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help tools stores build run test lint fmt clean bench-orders

CARGO ?= cargo
PYTHON ?= python3
ARGS ?=

# The programs of tools/fetch.py. A variable that is already set wins.
export COMPTOIR_TOOLS ?= $(CURDIR)/.tools
export MONGOD_BIN ?= $(COMPTOIR_TOOLS)/mongod
export NATS_SERVER_BIN ?= $(COMPTOIR_TOOLS)/nats-server
export BUF_BIN ?= $(COMPTOIR_TOOLS)/buf
export GRPCURL_BIN ?= $(COMPTOIR_TOOLS)/grpcurl

BINARY = $(or $(CARGO_TARGET_DIR),target)/debug/comptoir

help: ## List the targets
	@echo "usage: make <target>"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

tools: ## Fetch mongod, nats-server, buf and grpcurl into .tools/
	@$(PYTHON) tools/fetch.py

stores:
	@$(PYTHON) tools/fetch.py mongod nats-server

build: ## Build the binary: target/debug/comptoir
	@echo "  build   comptoir     the first build takes some minutes, later ones seconds" >&2
	@$(CARGO) build --quiet -p comptoir

run: stores build ## Run the whole system on this machine; ARGS="--ephemeral" goes to `comptoir dev`
	@exec $(BINARY) dev $(ARGS)

lint: ## Check formatting, clippy and the contracts
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	cd proto && $(BUF_BIN) lint

test: tools ## Everything that CI checks: lint, then all tests against real stores
	@$(MAKE) --no-print-directory lint
	$(CARGO) build --workspace
	$(CARGO) test --workspace

fmt: ## Format the code
	$(CARGO) fmt --all

clean: ## Remove build results, fetched tools and the data of `make run`
	$(CARGO) clean
	rm -rf .tools .comptoir

bench-orders: stores ## Measure confirmed orders per second, latency, CPU and memory (release build)
	@$(CARGO) build --release -p comptoir -p comptoir-tests --bins
	@COMPTOIR_BIN=$(or $(CARGO_TARGET_DIR),target)/release/comptoir $(or $(CARGO_TARGET_DIR),target)/release/bench-orders
