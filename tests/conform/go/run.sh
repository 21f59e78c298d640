#!/bin/sh
# Runs the amqp091-go programs against the broker at AMQP_URI, or at AMQP_HOST and AMQP_PORT.
#
#   run.sh [NAME...]     only the cases whose name contains one of the words
#
# Prints `ok NAME` or `FAIL NAME: reason` per case. Exit status: 0 all passed, 1 some failed,
# 77 a tool is missing. CONFORM_CACHE keeps Go's build cache between runs.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

skip() {
    echo "SKIP go: $1"
    exit 77
}

command -v go >/dev/null 2>&1 || skip "go is not installed"

# The client comes from the distribution as sources in a GOPATH, so no network is needed.
sources=/usr/share/gocode
[ -f "$sources/src/github.com/rabbitmq/amqp091-go/go.mod" ] ||
    skip "golang-github-rabbitmq-amqp091-go-dev is not installed"

cache=${CONFORM_CACHE:-"$here/../../../target/conform"}/go
mkdir -p "$cache/build" "$cache/path"
cache=$(CDPATH='' cd -- "$cache" && pwd)

export GO111MODULE=off GOTOOLCHAIN=local GOFLAGS='' GOCACHE="$cache/build" GOPATH="$cache/path:$sources"
cd "$here"
if ! go build -o "$cache/conform" . >"$cache/build.log" 2>&1; then
    echo "FAIL go/build: $(tr '\n' ' ' <"$cache/build.log")"
    exit 1
fi
exec "$cache/conform" "$@"
