# goflink: build, check, test, package. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
MAKEFLAGS += --no-builtin-rules

VERSION ?= 0.1.0
GOOS := linux
GOARCH ?= $(shell go env GOARCH 2>/dev/null || echo amd64)
COMMIT := $(shell git rev-parse --short=7 HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X goflink/conf.Version=$(VERSION) -X goflink/conf.Commit=$(COMMIT)
# Programs and job binaries are static: the host's C library is not asked.
GOBUILD := CGO_ENABLED=0 GOOS=$(GOOS) GOARCH=$(GOARCH) go build -trimpath -ldflags '$(LDFLAGS)'
PROTOS := $(wildcard control/*.proto graph/*.proto)
DIST := goflink-$(VERSION)
# Packages that have tests of their own on real clusters, one after the other.
ON_CLUSTERS = $(shell grep -rl --include='*_test.go' '^//go:build e2e' . | grep -v '^./e2e/' | xargs -r -n 1 dirname | sort -u)

# make torture-yarn KILLS=… SEED=…: how many processes are killed, and where.
KILLS ?= 100
SEED ?=
# make bench-yarn RUNS=…: how often each thing is measured.
RUNS ?= 5

# need COMMAND PACKAGE: ends with the name of the package that brings COMMAND.
define need
command -v $(1) >/dev/null || { echo "make: $(1) is missing: apt-get install $(2)" >&2; exit 1; }
endef
need_go := $(call need,go,golang-go (1.21 or newer; it fetches Go 1.26 by itself))
need_java := $(call need,javac,openjdk-17-jdk-headless); $(call need,mvn,maven); $(call need,curl,curl); $(call need,openssl,openssl)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## bin/flink, the launchers bin/*.sh, the examples in bin/examples
	@$(need_go)
	@mkdir -p bin/examples
	$(GOBUILD) -o bin/flink ./cmd/flink
	@for f in scripts/*.sh; do install -m 755 "$$f" bin/; done
	@# examples/streaming/WordCount becomes bin/examples/streaming/WordCount
	@for dir in examples/*/; do \
	  if ! compgen -G "$$dir*/*.go" >/dev/null; then continue; fi; \
	  mkdir -p "bin/$$dir"; \
	  echo "$(GOBUILD) -o bin/$$dir ./$$dir..."; \
	  $(GOBUILD) -o "bin/$$dir" "./$$dir..."; \
	done

.PHONY: run
run: build ## WordCount in an embedded cluster: its result and its web address
	bin/examples/streaming/WordCount

.PHONY: lint
lint: ## gofmt, go vet, staticcheck and the rules of internal/lint
	@$(need_go)
	@bad=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	  if [[ -n $$bad ]]; then echo "not formatted (gofmt -w):" >&2; echo "$$bad" >&2; exit 1; fi
	go vet ./...
	go vet -tags e2e ./...
	go vet -tags mutants ./internal/law
	go vet -tags bench ./benchmark/...
	go tool staticcheck ./...
	go test ./internal/lint

.PHONY: unit
unit: ## the unit tests under the race detector
	@$(need_go)
	@$(call need,gcc,gcc libc6-dev)
	go test -race -timeout 400s ./...

# make torture SEEDS=1000..1999: which seeds of the law.
SEEDS ?= 0..499
# make mutants BUG='a split': only the planted bugs whose name holds this.
BUG ?=

.PHONY: law
law: ## 500 random graphs against the reference interpreter (internal/law)
	@$(need_go)
	go test -count=1 -timeout 10m ./internal/law -law.seeds 0..499

.PHONY: torture
torture: ## the law for any seeds, with the table of what they cover: SEEDS=1000..1999
	@$(need_go)
	go test -count=1 -timeout 0 -v -run '^TestSeeds$$' ./internal/law -law.seeds $(SEEDS) | grep -v '^ *=== \|^ *--- PASS'

.PHONY: mutants
mutants: ## plants bugs into the engine and shows at which seed the law finds each: SEEDS=, BUG=
	@$(need_go)
	go test -count=1 -tags mutants -timeout 0 -v -run '^TestMutants$$' ./internal/law -law.seeds $(SEEDS) -law.only '$(BUG)'

# make faults SEEDS=0..999: which seeds of the connections' faults; a thousand unless given.
FAULT_SEEDS = $(if $(filter command environment,$(firstword $(origin SEEDS))),$(SEEDS),0..999)

.PHONY: faults
faults: ## jobs over connections that fail, commands that come late and twice: SEEDS=0..999
	@$(need_go)
	go test -count=1 -timeout 0 -v -run '^TestMeshFaults$$' ./taskmanager/exchange -faults.seeds $(FAULT_SEEDS) | grep -v '^ *=== \|^ *--- PASS'
	go test -count=1 -timeout 0 -v -run '^TestConnectionFaults$$' ./taskmanager/worker -faults.seeds $(FAULT_SEEDS) | grep -v '^ *=== \|^ *--- PASS'

.PHONY: norace
norace: ## the tests whose figures mean nothing under the race detector (allocations, memory limits, sizes), and long ones
	go test -timeout 200s ./codec ./state ./stream ./taskmanager ./launch
	go test -timeout 200s -run '^TestScale$$' ./jobmanager

.PHONY: check
check: build lint unit norace ## build, lint, unit tests (at most 4 minutes)

.PHONY: prepare
prepare: ## install what the end-to-end tests need (idempotent)
	@$(need_java)
	@scripts/hadoop/install

.PHONY: test
test: check law prepare ## everything, with the end-to-end tests on real Hadoop (at most 35 minutes)
	@# End-to-end tests mostly wait: several run beside each other on one cluster.
	go test -tags e2e -count=1 -timeout 20m -parallel 4 ./e2e
	go test -tags e2e -count=1 -timeout 20m -p 1 $(ON_CLUSTERS)

.PHONY: torture-yarn
torture-yarn: build prepare ## kill processes on YARN: KILLS=100, SEED= to repeat a run
	GOFLINK_KILLS=$(KILLS) go test -tags e2e -count=1 -timeout 0 -v -parallel 4 -run '^TestKills' ./e2e $(if $(SEED),-seed $(SEED))

.PHONY: bench-yarn
bench-yarn: build prepare ## time and memory of jobs on YARN, as a table: RUNS=5, GOFLINK_BENCH_FLINK=a real Flink's folder
	RUNS=$(RUNS) go test -tags bench -count=1 -timeout 0 -v ./benchmark/yarn

.PHONY: bench
bench: build ## tasks beside a real Flink's, as a table: ROUNDS=3 WARMUP=20s MEASURE=60s JOBS=windowed,keyed
	@$(need_java)
	@benchmark/flink/install
	go test -tags bench -count=1 -timeout 0 -v ./benchmark/engine

.PHONY: soak
SOAK ?= 20m
soak: build ## jobs for a long time: memory, goroutines and checkpoints stay as they are: SOAK=20m
	SOAK=$(SOAK) go test -tags bench -count=1 -timeout 0 -v -run '^TestSoak$$' ./benchmark/engine

.PHONY: dist
dist: build ## dist/goflink-VERSION-linux-ARCH.tar.gz: bin/ conf/ examples/
	@rm -rf dist/$(DIST) && mkdir -p dist/$(DIST)/bin dist/$(DIST)/conf dist/$(DIST)/examples
	@cp bin/flink bin/*.sh dist/$(DIST)/bin/
	@for f in conf/config.yaml conf/masters conf/workers; do if [[ -f $$f ]]; then cp "$$f" dist/$(DIST)/conf/; fi; done
	@cp -r bin/examples/. dist/$(DIST)/examples/
	@for f in LICENSE README.md CHANGELOG.md; do if [[ -f $$f ]]; then cp "$$f" dist/$(DIST)/; fi; done
	@tar -C dist --sort=name --owner=0 --group=0 --numeric-owner -czf dist/$(DIST)-$(GOOS)-$(GOARCH).tar.gz $(DIST)
	@rm -rf dist/$(DIST)
	@ls -l dist/$(DIST)-$(GOOS)-$(GOARCH).tar.gz

.PHONY: generate
generate: ## protobuf code from *.proto (the generated code is committed)
	@$(need_go)
	@$(call need,protoc,protobuf-compiler)
	protoc --plugin=protoc-gen-go=$$(go tool -n protoc-gen-go) --plugin=protoc-gen-go-grpc=$$(go tool -n protoc-gen-go-grpc) \
	  --go_out=. --go_opt=module=goflink --go-grpc_out=. --go-grpc_opt=module=goflink $(PROTOS)
	go generate ./...

.PHONY: clean
clean: ## remove bin, dist and log
	rm -rf bin dist log
