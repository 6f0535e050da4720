# Bare `make` lists the targets. Recipes are short; what needs more than a few lines is a script beside its subject.
# Variables can be set on the command line or in the environment: make run LISTEN=127.0.0.1:9000

LISTEN    ?= 127.0.0.1:8080
DATA_DIR  ?= ./telltale-data
DEVICES   ?= 20
CARGO     ?= cargo
PYTEST    ?=
BENCH     ?=
export LISTEN DATA_DIR DEVICES

PAGE         := dashboards
PAGE_SOURCES := $(shell find $(PAGE) \( -name node_modules -o -name dist -o -name '*.png' \) -prune -o -type f -print)
PAGE_TOOLS   := $(PAGE)/node_modules/.package-lock.json
BROWSER      := tests/browser
PAGE_BUILT   := $(PAGE)/dist/index.html

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test deps page api-types ui-gallery build fmt lint unit browser interop crash bench bench-store bench-push bench-page bench-query peers clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

run: ## Build everything, start a hub, an agent that reports this host and a simulated gateway; Ctrl-C stops all
	@config/run.sh

test: ## Run every check and test there is, with the minutes of each part at the end; stops at the first that fails
	@tests/all.sh deps build lint unit browser interop

deps: ## Check that the tools are there; as root on Debian, install those that Debian has
	@tests/deps.sh

page: $(PAGE_BUILT) ## Build the page, which the hub's binary then holds

api-types: $(PAGE_TOOLS) ## Write the document of the REST interface beside the page, and the page's types of it, anew
	$(CARGO) run --quiet --locked --bin telltale -- openapi > $(PAGE)/openapi.json.new
	mv $(PAGE)/openapi.json.new $(PAGE)/openapi.json
	cd $(PAGE) && npm run --silent api-types

ui-gallery: $(PAGE_TOOLS) ## Serve a page of every widget with fixed data on http://127.0.0.1:5180; Ctrl-C stops it
	cd $(PAGE) && npm run --silent gallery

build: $(PAGE_BUILT) ## Build the page, then the programs and their tests (development profile)
	$(CARGO) build --workspace --all-targets --locked

fmt: $(PAGE_TOOLS) ## Format the sources in place
	$(CARGO) fmt --all
	cd $(PAGE) && npm run --silent format
	tests/python.sh -m ruff format --no-cache tests

lint: $(PAGE_TOOLS) ## Check format, lints, types, licences and documents, changing nothing
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy --no-default-features --locked -- -D warnings
	cd $(PAGE) && npm run --silent lint
	tests/python.sh -m ruff check --no-cache tests
	tests/python.sh -m ruff format --no-cache --check tests
	tests/python.sh -m pytest -q tests/tidy $(PYTEST)

unit: $(PAGE_BUILT) ## Run the Rust tests (unit and whole system) and the page's unit tests
	tests/peers/influxd.sh
	$(CARGO) test --workspace --locked
	cd $(PAGE) && npm test

browser: build $(BROWSER)/node_modules/.package-lock.json ## Drive the page in a real Chromium against a real hub
	cd $(BROWSER) && npm test --silent

interop: build ## Real peers against a real hub: Python, raw sockets, Telegraf, influxd, hostile input, the npm package
	TELEGRAF=$$(tests/peers/telegraf.sh) && INFLUXD=$$(tests/peers/influxd.sh) && export TELEGRAF INFLUXD && \
	  tests/interop.sh $(PYTEST)
	cd $(PAGE) && npm run --silent hub

crash: build ## The long runs: 500 kills, 10,000 power cuts, 600 failing disks, each with its seed; a million series
	CRASH_RUNS=$${CRASH_RUNS:-500} TELLTALE_POWERCUT_STATES=$${TELLTALE_POWERCUT_STATES:-10000} \
	  TELLTALE_FAULT_CASES=$${TELLTALE_FAULT_CASES:-600} TELLTALE_MANY_SERIES=$${TELLTALE_MANY_SERIES:-1000000} \
	  $(CARGO) test --test system --locked -- --nocapture crash powercut many::
	tests/python.sh -m pytest tests/interop -m crash $(PYTEST)

bench: ## Measure decoding, ingest and live on this machine with release builds; BENCH=live measures one of decode, encoding, rows, single, live; BENCH=export exports of 20 M readings; BENCH=influx a store in influxd
	$(CARGO) bench --bench bench --locked -- $(BENCH)

bench-store: ## Measure the store beside VictoriaMetrics (half an hour); BENCH=late measures one of sustained, rest, history, reopen, late, many, card
	@tests/bench/store.sh $(or $(BENCH),store)

bench-push: $(PAGE_TOOLS) ## Measure live updates by WebSocket, server-sent events, long polling and polling (ten minutes); ONLY=ws-json,last-1s some of them
	$(CARGO) build --release --locked --bin telltale
	cd $(PAGE) && npm run --silent build -w client
	node tests/bench/push-vs-poll/main.mjs

bench-page: $(PAGE_BUILT) $(BROWSER)/node_modules/.package-lock.json ## Measure the page in Chromium: frames, first paint, a year of 25 million points; PAGE_POINTS=1000000 fills less
	$(CARGO) build --release --locked --bin telltale
	cd $(BROWSER) && TELLTALE_BIN=$(CURDIR)/target/release/telltale npx playwright test --config bench.config.ts $(BENCH)

bench-query: ## Measure questions about the past beside InfluxDB and VictoriaMetrics on the same data; answers are compared first
	@tests/bench/store.sh query

peers: ## Build the other programs the tests talk to (cached outside the work tree)
	tests/peers/telegraf.sh
	tests/peers/influxd.sh

clean: ## Remove what was built here; built peers and the data directory stay
	$(CARGO) clean
	rm -rf $(PAGE)/node_modules $(PAGE)/*/*/node_modules $(PAGE)/dist $(PAGE)/gallery/dist $(BROWSER)/node_modules test-results

%/node_modules/.package-lock.json: %/package.json %/package-lock.json
	cd $* && npm ci --no-audit --no-fund
	@touch $@

$(PAGE_BUILT): $(PAGE_SOURCES) $(PAGE_TOOLS)
	cd $(PAGE) && npm run --silent build
	@touch $@
