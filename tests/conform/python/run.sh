#!/bin/sh
# Runs the Python conformance programs against a broker that is already listening.
#
#   AMQP_URI       where the broker is          (amqp://guest:guest@127.0.0.1:5672/%2F)
#   AMQP_HOST, AMQP_PORT                        (host and port of AMQP_URI, when that is not given)
#   CONFORM_CACHE  folder for the virtualenv    (~/.cache/warren-conform; made if missing)
#   arguments      run only programs whose name contains one of them
#
# Prints `ok NAME` or `FAIL NAME: reason` for each program and exits 1 when one failed;
# prints `SKIP python: what is missing` and exits 77 when Python or its packages are not to be had.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cache=${CONFORM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/warren-conform}

skip() { echo "SKIP python: $1"; exit 77; }

command -v python3 >/dev/null 2>&1 || skip "no python3"
mkdir -p "$cache" || skip "cannot write to $cache"

# One virtualenv for each (interpreter, requirements): a changed pin never meets an old package. The file
# `complete` is written last, so that a broken download is done again.
key=$( (python3 -VV; cat "$here/requirements.txt") | sha256sum | cut -c1-16)
venv=$cache/python-$key
if [ ! -x "$venv/bin/python" ] || [ ! -e "$venv/complete" ]; then
    rm -rf "$venv"
    log=$cache/python-setup.log
    python3 -m venv "$venv" >"$log" 2>&1 || skip "no venv module (see $log)"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" \
        >>"$log" 2>&1 || skip "packages not installed (see $log)"
    : >"$venv/complete"
fi

exec "$venv/bin/python" "$here/run.py" "$@"
