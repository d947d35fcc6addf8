# Outrider. `make help` lists the targets.

TAGS     := urfave_cli_no_docs,grpcnotrace
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
REVISION ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
BUILT    ?= $(shell git log -1 --format=%cI 2>/dev/null || date -u +%Y-%m-%dT%H:%M:%SZ)
SDK      := github.com/outrider-run/outrider/sdk
STAMP    := -X main.version=$(VERSION) -X main.revision=$(REVISION) -X main.built=$(BUILT) \
            -X $(SDK).version=$(VERSION) -X $(SDK).revision=$(REVISION) -X $(SDK).built=$(BUILT)
GOBUILD  := CGO_ENABLED=0 go build -trimpath -tags $(TAGS) -ldflags '-s -w $(STAMP)'
GOTEST   := go test -tags $(TAGS)
PLUGINS  := $(patsubst plugins/%/main.go,%,$(wildcard plugins/*/main.go))
EXAMPLES := hello etl
BINARIES := outrider outrider-guard outrider-checker $(PLUGINS:%=outrider-plugin-%) $(EXAMPLES:%=outrider-plugin-%)

.DEFAULT_GOAL := help
.PHONY: help build demo demo-airflow test test-digdag test-unit bench lint fmt generate pages clean deps $(BINARIES:%=bin/%)

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: $(BINARIES:%=bin/%) ## Build static binaries into bin/

# Go decides what is out of date, so every binary is phony.
bin/outrider bin/outrider-guard bin/outrider-checker: bin/%:
	$(GOBUILD) -o $@ ./runner/cmd/$*
$(EXAMPLES:%=bin/outrider-plugin-%): bin/outrider-plugin-%:
	$(GOBUILD) -o $@ ./examples/$*
$(PLUGINS:%=bin/outrider-plugin-%): bin/outrider-plugin-%:
	$(GOBUILD) -o $@ ./plugins/$*

demo: ## Run the example job on Digdag, or on its double; needs Go and Python
demo-airflow: ## Run the example job on a real Airflow 3
demo demo-airflow:
	@.ci/deps $@
	@echo "Building …"
	@$(MAKE) --silent build
	@go run -tags $(TAGS) ./runner/e2e/demo -bin bin $(if $(filter demo,$@),digdag,airflow)

deps: ## Install what the tests need and this machine lacks (needs root or sudo)
	@.ci/deps

test: deps build ## Run every test, the real programs included
	$(GOTEST) -timeout 30m $$(go list -tags $(TAGS) ./... | grep -v -e /runner/e2e -e /dags/ -e /dig/)
	$(GOTEST) -timeout 45m -p 1 ./dig/... ./dags/... ./runner/e2e/...
	@go run -tags $(TAGS) ./dig/digdagtest/cmd/digdag-which

test-digdag: build ## Run the Digdag tests on a real server; fails without one (DIGDAG_CLASSPATH, DIGDAG_JAR)
	OUTRIDER_TEST_DIGDAG=real $(GOTEST) -count=1 -timeout 40m ./dig/digdagtest
	OUTRIDER_TEST_DIGDAG=real $(GOTEST) -count=1 -timeout 40m -run Digdag ./runner/e2e

# The others need a PostgreSQL, an Airflow or what plays Digdag.
test-unit: ## Run the tests that need Go alone
	$(GOTEST) -short $$(go list -tags $(TAGS) ./sdk/... ./runner/internal/... ./plugins/... ./examples/... | grep -v -e /internal/db -e /internal/ledger -e /internal/prune)

bench: build ## Measure what is promised; exits 1 on a miss
	@go run -tags $(TAGS) ./runner/e2e/bench -bin bin

lint: ## Vet, staticcheck and gofumpt
	go vet -tags $(TAGS) ./...
	go tool staticcheck -tags $(TAGS) ./...
	@out=$$(go tool gofumpt -l .); if [ -n "$$out" ]; then echo "gofumpt would change:"; echo "$$out"; exit 1; fi

fmt: ## Format the code
	go tool gofumpt -w .

generate: ## Regenerate the protocol code (needs protoc)
	go build -o bin/.tools/ google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc
	PATH="$(CURDIR)/bin/.tools:$$PATH" protoc -I sdk/protocol/taskv1 \
	  --go_out=sdk/protocol/taskv1 --go_opt=paths=source_relative \
	  --go-grpc_out=sdk/protocol/taskv1 --go-grpc_opt=paths=source_relative task.proto

pages: ## Write plugins/README.md from the components' schemas
	OUTRIDER_UPDATE_PAGES=1 $(GOTEST) -count=1 -run TestComponentPages ./runner/e2e

clean: ## Remove what build made
	rm -rf bin
