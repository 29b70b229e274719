# Wardbook. `make help` lists the targets.
SHELL      := /bin/bash
VERSION    := $(shell git describe --always --dirty 2>/dev/null || echo dev)
GOFLAGS    := -trimpath
LDFLAGS    := -s -w -X main.Version=$(VERSION)
NODE_STAMP := web/node_modules/.package-lock.json
WASM_EXEC  := $(shell go env GOROOT)/lib/wasm/go_js_wasm_exec
LISTEN     ?= localhost:8080
DATA       ?= data
# Each commit plays seeds that nobody has played before, and the same ones whenever it is tested.
COMMIT_SEED := $(shell printf %d 0x$$(git rev-parse --short=12 HEAD 2>/dev/null || echo 1))
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.7.0

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(NODE_STAMP): web/package.json web/package-lock.json
	cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: web
web: $(NODE_STAMP) ## build the browser module and the page into web/dist
	cd web && node build.mjs

.PHONY: server
server: ## build bin/wardbook with what web/dist holds
	CGO_ENABLED=1 go build $(GOFLAGS) -ldflags='$(LDFLAGS)' -o bin/wardbook ./server

.PHONY: device
device: ## build bin/wardbook-device, the headless client
	CGO_ENABLED=1 go build $(GOFLAGS) -ldflags='$(LDFLAGS)' -o bin/wardbook-device ./client-wasm

.PHONY: build
build: web ## build everything: the app, bin/wardbook, bin/wardbook-device
	$(MAKE) --no-print-directory server device

.PHONY: run
run: build ## build everything and serve it with demo data at http://localhost:8080
	bin/wardbook serve -listen $(LISTEN) -data $(DATA) -demo

.PHONY: tools
tools: ## install what the tests need: two browsers, strace, ip, mkfs
	@.ci/tools

.PHONY: test
test: tools build ## run every test: Go, WASM, simulator, browsers, faults
	go test -timeout 30m ./...
	for mix in plain changes identity restores everything; do bin/wardbook sim -seeds 12000 -from $(COMMIT_SEED) -mix $$mix || exit 1; done
	bin/wardbook sim -seeds 400 -from $(COMMIT_SEED) -mix city
	GOOS=js GOARCH=wasm go test -exec='$(WASM_EXEC)' ./conflict ./sync/record ./sync/protocol ./sync/session ./client-wasm/replica
	cd web && npm test --silent

.PHONY: test-go
test-go: ## run the Go tests alone
	go test -timeout 30m ./...

.PHONY: race
race: ## run the Go tests under the race detector
	go test -race -short ./...

.PHONY: chaos
chaos: tools build ## kill, starve and cut real processes; CHAOS=long does the full counts
	@.ci/chaos

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME, 30s if not given
	.ci/fuzz

.PHONY: check
check: $(NODE_STAMP) ## check format, vet, staticcheck, both targets and the page's types
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt would change:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	GOOS=js GOARCH=wasm go vet ./conflict ./sync/register ./sync/record ./sync/protocol ./sync/session ./client-wasm/...
	go run $(STATICCHECK) ./...
	cd web && npm run check --silent

.PHONY: bench
bench: build ## print the figures of the budgets, each against its floor; samples in bin/bench.json
	bin/wardbook bench -json bin/bench.json

SEEDS ?= 200000
FROM  ?= 0
MIX   ?= all
.PHONY: sim
sim: server ## play SEEDS schedules of a simulated city from seed FROM, of MIX
	bin/wardbook sim -seeds $(SEEDS) -from $(FROM) -mix $(MIX)

.PHONY: clean
clean: ## remove what was built
	rm -rf bin web/node_modules
	find web/dist -mindepth 1 ! -name .gitkeep -delete
