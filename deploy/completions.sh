#!/bin/sh
# Writes the shells' completions into a folder, for archives and packages.
set -eu
out=$1
mkdir -p "$out"
go run ./cmd/promobot completion bash >"$out/promobot.bash"
go run ./cmd/promobot completion zsh >"$out/_promobot"
go run ./cmd/promobot completion fish >"$out/promobot.fish"
