# The developers' tasks. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash

# Further arguments: of tracegen for `run`, of `cargo test` for `test`, of the benchmarks for `bench`.
ARGS ?=
# Seconds of fuzzing in `make test-long`, all targets together.
FUZZ_SECONDS ?= 3600

# Sets the variables with the real parts that tests run against. A missing part is a failure if CI is set.
define REAL_PARTS
for part in collector clickhouse jaeger browser schemathesis; do \
	  found=$$(scripts/$$part.sh) || { test -z "$$CI" || exit 1; }; \
	  for variable in $$found; do export "$$variable"; done; \
	done
endef

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: ## Build tracegen and install it into ~/.cargo/bin
	cargo install --locked --profile dist --path .

.PHONY: build
build:
	cargo build --release --locked

.PHONY: run
run: build ## Build tracegen and serve the UI on http://localhost:8000, with the environment as it is; Ctrl-C ends it
	@target/release/tracegen serve $(ARGS)

.PHONY: run-inmemory
run-inmemory: build ## Do the same as run, with traces in memory whatever DATABASE_TYPE is
	@DATABASE_TYPE=inmemory target/release/tracegen serve $(ARGS)

.PHONY: run-clickhouse
run-clickhouse: build ## Do the same as run, with a real ClickHouse, which is fetched (by Python), started and ended
	@scripts/serve-clickhouse.sh target/release/tracegen serve $(ARGS)

.PHONY: stack-up
stack-up: build ## Start the stack without Docker: ClickHouse, Jaeger, a collector, tracegen (the first time it builds them: minutes)
	@scripts/stack.py up

.PHONY: stack-down
stack-down: ## End the stack; its data stays in .stack
	@scripts/stack.py down

.PHONY: stack-status
stack-status: ## Show which parts of the stack run, which died, and where the logs are
	@scripts/stack.py status

.PHONY: stack-logs
stack-logs: ## Follow the logs of the stack
	@tail -n 20 -F .stack/logs/*.log

.PHONY: stack-clean
stack-clean: ## End the stack, and remove its data and logs
	@scripts/stack.py clean

.PHONY: docker-up
docker-up: ## Start the stack with Docker: ClickHouse, Jaeger, a collector, tracegen
	@scripts/docker.sh stack-up docker-compose.yaml up --build --detach --wait

.PHONY: docker-up-inmemory
docker-up-inmemory: ## Start tracegen, with traces in memory, and a collector with Docker
	@scripts/docker.sh run-inmemory docker-compose.inmemory.yaml up --build --detach --wait

.PHONY: docker-down
docker-down: ## End the stack in Docker; its data stays
	@scripts/docker.sh stack-down docker-compose.yaml down --remove-orphans

.PHONY: docker-logs
docker-logs: ## Follow the logs of the stack in Docker
	@scripts/docker.sh stack-logs docker-compose.yaml logs --follow --tail 100

.PHONY: docker-clean
docker-clean: ## End the stack in Docker, and remove its data and images
	@scripts/docker.sh stack-clean docker-compose.yaml down --remove-orphans --volumes --rmi local

.PHONY: clickhouse-shell
clickhouse-shell: ## Open an SQL prompt on the stack's ClickHouse, or on the one at DATABASE_HOST
	@scripts/clickhouse-shell.sh

.PHONY: test
test: ## Run all tests, including those against real parts, which are installed first: a collector and Jaeger (by Go), ClickHouse (by Python), Chromium, axe-core
	@$(REAL_PARTS); cargo test --locked --no-fail-fast $(ARGS)

.PHONY: test-containers
test-containers: ## Build the images and run Compose files and pods for real, with Podman (root is needed), on base images made here
	@scripts/test-containers.sh

.PHONY: test-long
test-long: test-containers ## Run test-containers, fuzz for FUZZ_SECONDS, and run the tests that take long (memory: TRACEGEN_MEMORY_SECONDS, 600)
	scripts/fuzz.sh $(FUZZ_SECONDS)
	$(MAKE) test ARGS='--release -- --ignored'

.PHONY: attack
attack: build ## Attack the release build on loopback: memory, time and connections, as a table (also a part of test-long)
	@scripts/attack.py target/release/tracegen

.PHONY: lint
lint: ## Check formatting, clippy, licences and sources of dependencies, and the files for Docker, Kubernetes, the collector and CI
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	@# This fetches the dependencies of all platforms, of which a build here needs only some.
	@cargo fetch --locked --quiet
	@# The lock file of the fuzz targets must follow the main one.
	@cargo fetch --locked --quiet --manifest-path fuzz/Cargo.toml
	@deny=$$(scripts/cargo-tool.sh cargo-deny) && $$deny --offline --log-level error check licenses bans sources
	scripts/lint-files.sh
	scripts/kubernetes-check.sh

.PHONY: lint-fix
lint-fix: ## Let clippy fix what it can, then format
	cargo clippy --locked --all-targets --fix --allow-dirty --allow-staged
	cargo fmt

.PHONY: format
format: ## Format the code
	cargo fmt

.PHONY: coverage
coverage: ## Write coverage/tarpaulin-report.html (installs cargo-tarpaulin if it is missing)
	cargo tarpaulin --version >/dev/null 2>&1 || cargo install --locked cargo-tarpaulin
	@$(REAL_PARTS); \
	cargo tarpaulin --locked --engine ptrace --target-dir target/tarpaulin --skip-clean --timeout 600 \
	  --exclude-files 'fuzz/*' 'benches/*' 'tests/*' --out html --output-dir coverage $(ARGS)

.PHONY: bench
bench: ## Run the benchmarks
	cargo bench --locked --bench compile --bench otlp --bench verify $(ARGS)

.PHONY: bench-store
bench-store: ## Benchmark every question of the pages to ClickHouse, with 10 M and 40 M spans (Python is needed; ROUNDS=100 SPANS="10 40")
	@export $$(scripts/clickhouse.sh) && cargo bench --locked --profile release --bench store

.PHONY: bench-peers
bench-peers: ## Compare with telemetrygen and the SDK on one collector (Go and curl are needed; DURATION=10 ROUNDS=3)
	scripts/bench-peers.sh

.PHONY: dist
dist: ## Make dist/tracegen-VERSION-TARGET.tar.gz with a static binary, tested in an empty root
	scripts/dist.sh

.PHONY: clean
clean: ## Remove everything that was built here (the collector's cache is kept)
	cargo clean
	rm -rf coverage dist fuzz/target
