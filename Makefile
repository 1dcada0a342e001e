# What a developer types. `make check` is the loop before each commit; `make test` is everything, and all that CI runs.

GO         ?= go
BIN        := $(CURDIR)/bin
LOGS       := $(BIN)/logs
STATICCHECK_VERSION := v0.8.2
GOTESTSUM_VERSION   := v1.13.0
FUZZTIME   ?= 5s
GOFLAGS    += -buildvcs=false
export GOFLAGS

# Debian packages that suites need: curl for the pages of the API, expat as a second opinion on XML, clients that others wrote (coturn has one for TURN), a browser, a screen and a system bus without a computer behind, file systems for power cuts, networks of our own.
PACKAGES := python3 python3-slixmpp python3-aioxmpp libstrophe-dev gcc libc6-dev profanity tmux go-sendxmpp openssl xfsprogs e2fsprogs iproute2 nftables chromium xvfb dbus-daemon curl coturn
# Containers for tests/deploy: an engine that the test starts by itself, and a shell for an endpoint's image.
PACKAGES += docker.io docker-compose busybox-static util-linux
# A service manager, and what its units and packages are made for.
PACKAGES += systemd systemd-sysv init-system-helpers procps
# promtool, which judges alert rules and metrics.
PACKAGES += prometheus
# Node.js for the clients from npm comes from Debian where there is none.
PACKAGES += $(shell command -v npm >/dev/null || echo npm)
NPM_CLIENTS := tests/interop/testdata/npm
# Suites beside the unit tests, by folder of tests/.
SUITES := deploy kubernetes crash browser console packages powercut doctor interop turninterop observe xml hostile networks
# Nothing runs beside these: they compare times or wait for what is late; and a mount namespace that another suite makes would hold the file systems of powercut.
ALONE  := powercut hostile networks
# In these nothing runs again: a push that is lost once in hundreds of kills is what they look for.
ONCE   := crash powercut
UNITS  = $$($(GO) list ./... | grep -v $(SUITES:%=-e /tests/%))

# Debian packages: their version, which grows with the history unless one is given, the processors that they are for, where they come to lie, who answers for them, and the tool that packs them.
VERSION    ?= 0.0.0~$(shell git rev-list --count HEAD).g$(shell git rev-parse --short HEAD)
ARCHS      ?= amd64 arm64
DEBS       ?= $(BIN)/packages
MAINTAINER ?= Signalbox <signalbox@localhost>
NFPM       := github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2

.PHONY: build image image-files deb check fmt vet staticcheck unit fuzz fuzz-long test setup quickstart bench bench-peers bench-store bench-turn bench-session interop-smack interop-table interop-turn clean $(SUITES)

build: ## the two static programs into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags=-s -o $(BIN)/ ./cmd/...

# Container images.
IMAGE_TAG ?= latest
DOCKER    ?= docker
IMAGES    := $(BIN)/image

image: image-files ## images of both programs, as NAME:IMAGE_TAG-ARCHITECTURE and, for this machine's, NAME:IMAGE_TAG; by BuildKit of the engine that DOCKER reaches, which pulls nothing
	@set -e; for program in signalbox signalbox-agent; do \
	  for arch in $(ARCHS); do \
	    DOCKER_BUILDKIT=1 $(DOCKER) build -q --platform linux/$$arch --build-arg VERSION=$(IMAGE_TAG) \
	      -t $$program:$(IMAGE_TAG)-$$arch -f deploy/image/$$program.Dockerfile $(IMAGES)/context; \
	  done; \
	  $(DOCKER) tag $$program:$(IMAGE_TAG)-$$($(GO) env GOHOSTARCH) $$program:$(IMAGE_TAG); \
	done

image-files: ## what goes into the images, for which no engine is needed: bin/image/context
	@mkdir -p $(IMAGES)/context
	@set -e; for arch in $(ARCHS); do \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$$arch $(GO) build -trimpath -ldflags="-s -X main.version=$(IMAGE_TAG)" -o $(IMAGES)/$$arch/ ./cmd/...; \
	  $(GO) run ./deploy/image/rootfs -o $(IMAGES)/context/signalbox-$$arch.tar -program $(IMAGES)/$$arch/signalbox -low-ports /var/lib/signalbox; \
	  $(GO) run ./deploy/image/rootfs -o $(IMAGES)/context/signalbox-agent-$$arch.tar -program $(IMAGES)/$$arch/signalbox-agent /var/lib/signalbox-agent /etc/signalbox-agent /run/signalbox-agent; \
	done

deb: ## the Debian packages of server and agent into bin/packages, for amd64 and arm64
	@mkdir -p $(DEBS)
	@set -e; for arch in $(ARCHS); do \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$$arch $(GO) build -trimpath -ldflags='-s -X main.version=$(VERSION)' -o $(DEBS)/$$arch/ ./cmd/...; \
	  for package in server agent; do \
	    ARCH=$$arch VERSION='$(VERSION)' BIN='$(DEBS)'/$$arch MAINTAINER='$(MAINTAINER)' \
	      $(GO) run $(NFPM) package --config deploy/debian/$$package/nfpm.yaml --packager deb --target '$(DEBS)/'; \
	  done; \
	done

check: fmt vet staticcheck unit fuzz ## the developer's loop, some 35 minutes on two cores

fmt:
	@files=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$files" ]; then echo "not formatted by gofmt:"; echo "$$files"; exit 1; fi

vet:
	$(GO) vet ./...
	CGO_ENABLED=0 GOOS=windows $(GO) vet ./cmd/signalbox-agent ./internal/agent/...
	CGO_ENABLED=0 GOOS=darwin $(GO) vet ./cmd/signalbox-agent ./internal/agent/... ./turn/batch ./turn/datapath
	for system in windows darwin; do CGO_ENABLED=0 GOOS=$$system $(GO) build -o /dev/null ./cmd/signalbox-agent || exit 1; done # vet does not link

staticcheck: $(BIN)/staticcheck-$(STATICCHECK_VERSION)
	$< ./...

$(BIN)/staticcheck-$(STATICCHECK_VERSION):
	@mkdir -p $(BIN)
	GOBIN=$(BIN) $(GO) install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)
	@mv $(BIN)/staticcheck $@

# $(call run,NAME,PACKAGES,FLAGS OF go test): the whole output goes to a log; shown are a line per package, or what belongs to the tests that failed. Up to three that
# failed without a data race run once more by themselves, except in ONCE, and again.awk says which: hundreds of them wait for real processes, and a busy machine has one come too late.
define run
	@mkdir -p $(LOGS); : >$(LOGS)/$(1).again
	@echo "$(1): go test $(3) $(2)"
	@show() { awk -f tests/failures.awk $(LOGS)/$(1).log $(LOGS)/$(1).log | cut -c1-1000 | head -400; }; \
	if $(GOTESTSUM) --format standard-verbose --hide-summary all --rerun-fails=$(if $(filter $(ONCE),$(1)),0,1) --rerun-fails-max-failures 3 --rerun-fails-run-root-test --rerun-fails-abort-on-data-race \
	  --rerun-fails-report $(LOGS)/$(1).again --packages "$$(echo $(2))" -- $(3) >$(LOGS)/$(1).log 2>&1 && \
	  awk -f tests/again.awk $(LOGS)/$(1).again $(LOGS)/$(1).log >$(LOGS)/$(1).once; \
	then grep '^ok' $(LOGS)/$(1).log; if [ -s $(LOGS)/$(1).once ]; then show; fi; \
	else show; exit 1; fi
endef

GOTESTSUM := $(BIN)/gotestsum-$(GOTESTSUM_VERSION)

$(GOTESTSUM): ## runs go test, and once more what failed
	@mkdir -p $(BIN)
	GOBIN=$(BIN) $(GO) install gotest.tools/gotestsum@$(GOTESTSUM_VERSION)
	@mv $(BIN)/gotestsum $@

# What can only be counted without the race detector, and what -short cuts because the detector makes it long: whole runs of kills, models and garbled bytes.
WHOLE := Alloc|Expat|Model|TestServerKilled|TestGarbled|TestTwoAccountsAgree|TestAnyChangeIsFound|TestLeadIsTheTruth|TestOnlineIsTheTruth|TestRulesHoldInEveryOrder|TestEveryPushEndsTruly

unit: $(GOTESTSUM) ## every test but the suites with the race detector, in random order; then without it what can only be counted so, and what was cut short
	$(call run,unit,$(UNITS),-race -shuffle=on -short -timeout 30m)
	$(call run,whole,$(UNITS),-run '$(WHOLE)' -count=1)

fuzz: ## every fuzz target for FUZZTIME; once more where the go command calls it a failure that the time ended in the middle of an input
	@mkdir -p $(LOGS)
	@set -e; grep -roE '^func Fuzz\w+' --include='*_test.go' . | sed -E 's|/[^/]*:func | |' | sort | while read pkg target; do \
	  echo "fuzz $$pkg $$target"; \
	  once() { $(GO) test -run='^$$' -fuzz="^$$target$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=10x $$pkg >$(LOGS)/fuzz.log 2>&1 </dev/null; }; \
	  late() { grep -q '^ *context deadline exceeded$$' $(LOGS)/fuzz.log && ! grep -q 'Failing input' $(LOGS)/fuzz.log; }; \
	  once || { late && once; } || { cat $(LOGS)/fuzz.log; exit 1; }; \
	done

fuzz-long: ## 10 million datagrams and 1 million frames of streams that are nearly right, at the TURN server; `make unit` sends a few thousand of the same
	TURN_FUZZ_LONG=1 $(GO) test -count=1 -timeout 2h -run '^TestMalformed' -v ./turn/guard

test: setup check quickstart ## everything; says at the end what was left out and why
	@$(MAKE) --no-print-directory -j2 $(filter-out $(ALONE),$(SUITES))
	@$(MAKE) --no-print-directory -j1 $(ALONE)
	@cat $(LOGS)/*.once
	@left=$$(grep -hoE 'LEFT OUT: .*' $(LOGS)/*.log | sort -u); \
	if [ -n "$$left" ]; then echo; echo "########  LEFT OUT  ########"; echo "$$left"; echo "############################"; else echo "no suite was left out"; fi

setup: ## what the tests need beyond Go
	@rm -rf $(LOGS); mkdir -p $(LOGS)
	$(GO) mod download
	cd tests/kubernetes/render && $(GO) mod download
	@missing=$$(for p in $(PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || echo $$p; done); \
	if [ -z "$$missing" ]; then :; \
	elif ! command -v apt-get >/dev/null; then echo "no apt-get: without" $$missing; \
	elif [ "$$(id -u)" != 0 ]; then echo "not root, so these Debian packages are not installed:" $$missing; \
	else ./tests/beside/install.sh $$missing >$(LOGS)/apt.txt; fi # none of their services is started
	@if ! command -v npm >/dev/null; then echo "no npm: without the clients in JavaScript"; \
	elif ! cmp -s $(NPM_CLIENTS)/package-lock.json $(NPM_CLIENTS)/node_modules/installed; then \
	  cd $(NPM_CLIENTS) && npm ci >$(LOGS)/npm.txt && cp package-lock.json node_modules/installed; fi

quickstart: build ## the README's first command, with real processes
	$(BIN)/signalbox quickstart --once

$(SUITES): $(GOTESTSUM) ## suites on real processes, programs of others, file systems and networks; pictures of pages are kept below bin/logs/_artifacts
	$(call run,$@,./tests/$@/...,-count=1 -timeout 40m -artifacts -outputdir $(LOGS))

interop-table: ## the table of clients and features in docs/INTEROP.md, from a run with all of them
	INTEROP_WRITE=1 $(GO) test -count=1 -timeout 10m -run '^TestClients$$' ./tests/interop

interop-turn: ## the table of TURN clients in docs/INTEROP.md, from a run with all of them
	INTEROP_WRITE=1 $(GO) test -count=1 -timeout 10m -run '^TestClients$$' ./tests/turninterop

bench: bench-peers bench-store bench-turn bench-session ## all of them; on a machine that does nothing else

bench-peers: ## memory, CPU, fan-out and storms beside ejabberd and Prosody, a quarter of an hour per round; writes docs/BENCHMARKS.md
	./tests/beside/install.sh ejabberd prosody
	PEERS=full PEERS_ROUNDS=$(or $(PEERS_ROUNDS),1) $(GO) test -count=1 -timeout 4h -run '^TestPeers$$' -v ./tests/peers

bench-store: ## pushes, acknowledgements, reads and growth of the store beside PostgreSQL, a quarter of an hour; writes docs/BENCHMARKS.md
	./tests/beside/install.sh postgresql-15
	STORES=full STORES_ROUNDS=$(or $(STORES_ROUNDS),3) $(GO) test -count=1 -timeout 2h -run '^TestStores$$' -v ./tests/stores

bench-turn: ## CPU per relayed packet, allocations, memory and latency of the TURN server beside coturn, three minutes per round; writes docs/BENCHMARKS.md
	./tests/beside/install.sh coturn
	TURNBENCH=full TURNBENCH_ROUNDS=$(or $(TURNBENCH_ROUNDS),5) $(GO) test -count=1 -timeout 2h -run '^TestTURN$$' -v ./tests/turnbench

bench-session: ## remote sessions: time to a terminal, by a click in a browser and by a program, files through the relay, a stalled reader, a minute and a half per round; writes docs/BENCHMARKS.md
	./tests/beside/install.sh chromium
	SESSIONBENCH=full SESSIONBENCH_ROUNDS=$(or $(SESSIONBENCH_ROUNDS),5) $(GO) test -count=1 -timeout 1h -run '^TestSession$$' -v ./tests/sessionbench

interop-smack: ## Smack's integration test framework, by Maven or SINT_JAR, judges the server; writes docs/INTEROP.md. SPECS=RFC6121,XEP-0198 is a part of it
	SMACK=run SINT_JAR="$(abspath $(SINT_JAR))" SPECS="$(SPECS)" $(GO) test -count=1 -timeout 1h -run '^TestSmack$$' -v ./tests/smack

clean:
	rm -rf $(BIN)
