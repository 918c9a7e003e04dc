# What a developer runs. `make test` is the whole of the tests that must pass.
GOLANGCI_LINT ?= go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

GORELEASER ?= go run github.com/goreleaser/goreleaser/v2@v2.15.4

.PHONY: release-check build test race lint soak bench demo golden

build: ## the program, in bin/
	go build -trimpath -o bin/promobot ./cmd/promobot

demo: ## a narrated promotion against a simulated GitHub
	go run ./cmd/promobot demo

test: ## every test, the model with 5,000 seeds
	go test ./...

race: ## every test under the race detector, the model with fewer seeds
	go test -race -short -timeout 30m ./...

soak: ## the model with 50,000 seeds, and the program killed at each request of a rollback and of a command
	go test ./cmd/promobot -run 'Killed' -every-kill -timeout 2h
	go test ./promotion/reconcile -run 'TestModel$$' -seeds 50000 -timeout 4h

bench: ## promobot measured over the simulator, beside the usual script; BENCH='--only 2,3'
	go run ./internal/bench $(BENCH)

lint: ## formatting, linters and the architecture
	$(GOLANGCI_LINT) run

release-check: ## the configuration of releases, and what the packages hold
	$(GORELEASER) check
	sh -n deploy/completions.sh

golden: ## rewrite golden files and generated references
	go test ./promotion ./promotion/config ./promotion/command ./promotion/texts -update
	go test ./cmd/promobot -run TestReferences -update
	go test ./handlers/pages -run 'Golden|PicturesOfTheDocs' -update
