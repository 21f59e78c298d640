#!/bin/sh
# Runs the Bunny (Ruby) programs against the broker at AMQP_URI, or at AMQP_HOST and AMQP_PORT.
#
#   run.sh [NAME...]     only the cases whose name contains one of the words
#
# Prints `ok NAME` or `FAIL NAME: reason` per case. Exit status: 0 all passed, 1 some failed,
# 77 a tool is missing. Nothing is compiled or installed, so CONFORM_CACHE is not used.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

skip() {
    echo "SKIP ruby: $1"
    exit 77
}

command -v ruby >/dev/null 2>&1 || skip "ruby is not installed"
ruby -e 'require "bunny"' >/dev/null 2>&1 || skip "ruby-bunny is not installed"

exec ruby -W0 "$here/run.rb" "$@"
