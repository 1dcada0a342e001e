# What a developer types. `make check` is the loop before each commit; `make test` is everything, and all that CI runs.

GO         ?= go
BIN        := $(CURDIR)/bin
STATICCHECK_VERSION := v0.8.2
FUZZTIME   ?= 5s
LEFT_OUT   := $(BIN)/left-out
export CGO_ENABLED ?= 1
export GOFLAGS += -buildvcs=false

.PHONY: build check fmt vet staticcheck unit fuzz test setup setup-debian interop quickstart bench-peers clean

build: ## the two static programs into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags=-s -o $(BIN)/ ./cmd/...

check: fmt vet staticcheck unit fuzz ## the developer's loop, at most 15 minutes on two cores

fmt:
	@files=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$files" ]; then echo "not formatted by gofmt:"; echo "$$files"; exit 1; fi

vet:
	$(GO) vet ./...
	GOOS=windows $(GO) vet ./cmd/signalbox-agent ./internal/agent
	GOOS=darwin $(GO) vet ./cmd/signalbox-agent ./internal/agent

staticcheck: $(BIN)/staticcheck-$(STATICCHECK_VERSION)
	$< ./...

$(BIN)/staticcheck-$(STATICCHECK_VERSION):
	@mkdir -p $(BIN)
	GOBIN=$(BIN) $(GO) install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)
	@mv $(BIN)/staticcheck $@

unit: ## every test with the race detector, in random order; then what can only be counted without it
	$(GO) test -race -shuffle=on -timeout 10m ./...
	$(GO) test -run 'Alloc' -count=1 ./...

fuzz: ## every fuzz target for FUZZTIME
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "fuzz $$pkg $$target"; $(GO) test -run='^$$' -fuzz="^$$target$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=10x $$pkg >$(BIN)/fuzz.log 2>&1 || { cat $(BIN)/fuzz.log; exit 1; }; \
	  done; \
	done

test: setup check quickstart interop ## everything; says at the end what was left out and why
	@if [ -s $(LEFT_OUT) ]; then echo; echo "########  LEFT OUT  ########"; cat $(LEFT_OUT); echo "############################"; else echo "no suite was left out"; fi

setup: setup-debian ## what the tests need beyond Go
	@mkdir -p $(BIN); : > $(LEFT_OUT)
	$(GO) mod download

setup-debian:
	@mkdir -p $(BIN)
	@if [ "$$(id -u)" != 0 ]; then echo "not root: Debian packages are not installed"; \
	elif ! command -v apt-get >/dev/null; then echo "no apt-get: Debian packages are not installed"; \
	elif ! python3 -c 'import xml.parsers.expat' 2>/dev/null || ! /usr/bin/python3 -c 'import slixmpp' 2>/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-slixmpp openssl; \
	fi

quickstart: build ## the README's first command, with real processes
	$(BIN)/signalbox quickstart --once

interop: build ## XMPP clients that others wrote
	@if /usr/bin/python3 -c 'import slixmpp' 2>/dev/null; then $(GO) test -count=1 ./tests/interop; \
	else echo "interop with slixmpp: Debian package python3-slixmpp is not installed (make setup as root installs it)" | tee -a $(LEFT_OUT); fi

bench-peers: ## memory, CPU, fan-out and storms beside ejabberd and Prosody, a quarter of an hour per round; writes docs/BENCHMARKS.md
	./tests/peers/install.sh
	PEERS=full PEERS_ROUNDS=$(or $(PEERS_ROUNDS),1) $(GO) test -count=1 -timeout 4h -run '^TestPeers$$' -v ./tests/peers

clean:
	rm -rf $(BIN)
