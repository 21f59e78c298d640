#!/bin/sh
# Runs the amqplib (Node.js) programs against the broker at AMQP_URI, or at AMQP_HOST and AMQP_PORT.
#
#   run.sh [NAME...]     only the cases whose name contains one of the words
#
# Prints `ok NAME` or `FAIL NAME: reason` per case. Exit status: 0 all passed, 1 some failed,
# 77 a tool is missing. CONFORM_CACHE keeps node_modules between runs.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

skip() {
    echo "SKIP node: $1"
    exit 77
}

command -v node >/dev/null 2>&1 || skip "node is not installed"
command -v npm >/dev/null 2>&1 || skip "npm is not installed"

modules=${CONFORM_CACHE:-"$here/../../../target/conform"}/node
mkdir -p "$modules"
modules=$(CDPATH='' cd -- "$modules" && pwd)

# npm ci deletes and refetches everything, so it runs only when the lock file has changed.
if ! cmp -s "$here/package-lock.json" "$modules/installed-lock.json"; then
    cp "$here/package.json" "$here/package-lock.json" "$modules/"
    (cd "$modules" && npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1) || {
        cat "$modules/npm.log" >&2
        skip "npm ci could not install amqplib"
    }
    cp "$here/package-lock.json" "$modules/installed-lock.json"
fi

NODE_PATH="$modules/node_modules" exec node "$here/run.js" "$@"
