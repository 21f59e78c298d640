#!/bin/sh
# Runs the command-line tools of the C client (amqp-tools) against the broker at AMQP_URI, or at AMQP_HOST
# and AMQP_PORT.
#
#   run.sh [NAME...]     only the cases whose name contains one of the words
#
# Prints `ok NAME` or `FAIL NAME: reason` per case. Exit status: 0 all passed, 1 some failed,
# 77 a tool is missing. Nothing is compiled or installed, so CONFORM_CACHE is not used.
set -eu

for tool in amqp-declare-queue amqp-publish amqp-get amqp-consume amqp-delete-queue; do
    command -v "$tool" >/dev/null 2>&1 || {
        echo "SKIP shell: $tool is not installed (package amqp-tools)"
        exit 77
    }
done

uri=${AMQP_URI:-amqp://guest:guest@${AMQP_HOST:-127.0.0.1}:${AMQP_PORT:-5672}/%2F}
run_id=$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Every tool waits for the broker without an end of its own.
seconds=20
within() { timeout "$seconds" "$@"; }

declare_queue() { within amqp-declare-queue --url="$uri" "$@"; }
publish() { within amqp-publish --url="$uri" "$@"; }
get() { within amqp-get --url="$uri" "$@"; }
consume() { within amqp-consume --url="$uri" "$@"; }
delete_queue() { within amqp-delete-queue --url="$uri" "$@"; }

# What amqp-consume runs for each message: the tool would take options after a command for its own.
script() {
    printf '#!/bin/sh\n%s\n' "$2" >"$work/$1"
    chmod +x "$work/$1"
}
script show 'cat; echo'
script broken 'cat; echo; exit 1'
script killer 'kill -9 "$PPID"'

# fail REASON: ends the case, which runs in a shell of its own.
fail() {
    echo "$1" >"$work/reason"
    exit 1
}

# same WHAT GOT WANT
same() {
    [ "$2" = "$3" ] || fail "$1: got '$2', want '$3'"
}

# refused TEXT COMMAND...: the command must fail and say the broker's text.
refused() {
    text=$1
    shift
    if "$@" >"$work/out" 2>"$work/err"; then
        fail "accepted what must be refused: $text"
    fi
    case $(cat "$work/err") in
    *"$text"*) ;;
    *) fail "not '$text' but '$(cat "$work/err")'" ;;
    esac
}

# empty QUEUE: amqp-get ends with 2 when there is nothing.
empty() {
    status=0
    get -q "$1" >"$work/out" || status=$?
    same "status of a get from an empty queue" "$status" 2
}

case_declare() {
    same "name" "$(declare_queue -q "$queue")" "$queue"
    same "name when declared again" "$(declare_queue -q "$queue")" "$queue"
    # Without -d the queue is not durable; the tool shows what the broker says to a mismatch.
    refused "406, message: PRECONDITION_FAILED - inequivalent arg 'durable' for queue '$queue'" \
        declare_queue -q "$queue" -d
}

case_declare_durable() {
    same "name" "$(declare_queue -d -q "$queue")" "$queue"
    publish -p -r "$queue" -b 'kept'
    same "name when declared again" "$(declare_queue -d -q "$queue")" "$queue"
    same "body" "$(get -q "$queue")" kept
}

case_server_named() {
    one=$(declare_queue -q '')
    two=$(declare_queue -q '')
    for name in "$one" "$two"; do
        case $name in
        amq.gen-*) delete_queue -q "$name" >"$work/out" ;;
        *) fail "the broker's name is '$name'" ;;
        esac
    done
    [ "$one" != "$two" ] || fail "the same name twice: $one"
}

case_publish_get() {
    declare_queue -q "$queue" >"$work/out"
    empty "$queue"
    for body in one two three; do
        publish -r "$queue" -C text/plain -H 'kind: test' -b "$body"
    done
    printf 'from standard input' | publish -r "$queue"
    for body in one two three 'from standard input'; do
        same "body" "$(get -q "$queue")" "$body"
    done
    empty "$queue"
}

case_publish_lines() {
    declare_queue -q "$queue" >"$work/out"
    printf 'a\nb\nc\n' | publish -l -r "$queue"
    # Each line keeps its end.
    for body in a b c; do
        get -q "$queue" >"$work/out"
        same "line" "$(od -An -c "$work/out" | tr -d ' ')" "$body\\n"
    done
    empty "$queue"
}

case_large_message() {
    declare_queue -q "$queue" >"$work/out"
    head -c 5242880 /dev/urandom >"$work/sent"
    publish -r "$queue" <"$work/sent"
    get -q "$queue" >"$work/got"
    cmp -s "$work/sent" "$work/got" || fail "5 MiB came back otherwise, as $(wc -c <"$work/got") bytes"
}

case_consume_count() {
    declare_queue -q "$queue" >"$work/out"
    for body in 1 2 3 4 5; do
        publish -r "$queue" -b "$body"
    done
    same "three of five" "$(consume -q "$queue" -c 3 -p 1 "$work/show")" "$(printf '1\n2\n3')"
    # Those three are acknowledged; the rest is there for the next consumer, in order.
    same "the other two" "$(consume -q "$queue" -c 2 -A "$work/show")" "$(printf '4\n5')"
    empty "$queue"
}

# The tool does not acknowledge what its command failed on: the broker has it back when the tool is gone.
case_consume_unacked() {
    declare_queue -q "$queue" >"$work/out"
    publish -r "$queue" -b one
    publish -r "$queue" -b two
    same "failed on" "$(consume -q "$queue" -c 2 "$work/broken")" "$(printf 'one\ntwo')"
    same "again, in order" "$(consume -q "$queue" -c 2 -p 1 "$work/show")" "$(printf 'one\ntwo')"
    empty "$queue"
}

# A consumer that is killed over its message has not acknowledged it either.
case_consume_killed() {
    declare_queue -q "$queue" >"$work/out"
    publish -r "$queue" -b one
    status=0
    consume -q "$queue" -c 1 "$work/killer" || status=$?
    same "status of the killed consumer" "$status" 137
    same "again" "$(consume -q "$queue" -c 1 "$work/show")" one
}

# publish_until_gone PID ARGUMENT...: the tool does not tell when it has bound its queue. So the same message
# is published until the consumer has its number of them and ends; what comes before the binding goes nowhere.
publish_until_gone() {
    consumer=$1
    shift
    while kill -0 "$consumer" 2>"$work/out"; do
        publish "$@"
    done
    wait "$consumer" || fail "the consumer got '$(cat "$work/got")' and ended with $?"
}

# With an exchange the tool declares the queue itself, as one that goes with its last consumer.
case_consume_bound() {
    consume -q "$queue" -e amq.topic -r "$queue.*" -c 2 "$work/show" >"$work/got" &
    publish_until_gone $! -e amq.topic -r "$queue.key" -b bound
    same "bodies" "$(cat "$work/got")" "$(printf 'bound\nbound')"
    refused "404, message: NOT_FOUND - no queue '$queue' in vhost" get -q "$queue"
}

case_consume_exclusive() {
    consume -e amq.direct -r "$queue" -x -c 2 "$work/show" >"$work/got" 2>"$work/said" &
    publish_until_gone $! -e amq.direct -r "$queue" -b bound
    same "bodies" "$(cat "$work/got")" "$(printf 'bound\nbound')"
    name=$(sed -n 's/^Server provided queue name: //p' "$work/said")
    case $name in
    amq.gen-*) ;;
    *) fail "the consumer said '$(cat "$work/said")'" ;;
    esac
    refused "404, message: NOT_FOUND - no queue '$name' in vhost" get -q "$name"
}

case_delete() {
    declare_queue -q "$queue" >"$work/out"
    publish -r "$queue" -b one
    publish -r "$queue" -b two
    refused "406, message: PRECONDITION_FAILED - queue '$queue' in vhost" delete_queue --if-empty -q "$queue"
    same "messages deleted" "$(delete_queue --if-unused -q "$queue")" 2
    refused "404, message: NOT_FOUND - no queue '$queue' in vhost" get -q "$queue"
    # Deleting what is missing succeeds.
    same "messages of a missing queue" "$(delete_queue -q "$queue")" 0
}

case_publish_missing_exchange() {
    refused "404, message: NOT_FOUND - no exchange '$queue' in vhost" publish -e "$queue" -r key -b lost
}

case_login_refused() {
    address=${uri#*://}
    refused "403, message: ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN" \
        within amqp-get --url="amqp://nobody:wrong@${address##*@}" -q "$queue"
}

# chosen NAME WORD...
chosen() {
    name=$1
    shift
    [ $# -gt 0 ] || return 0
    for word in "$@"; do
        case $name in *"$word"*) return 0 ;; esac
    done
    return 1
}

# No further case is begun after this: a broker that answers nothing costs the deadline of every case.
whole_run_seconds=180
started=$(date +%s)
ran=0
failed=0
for name in declare declare-durable server-named publish-get publish-lines publish-missing-exchange \
    large-message consume-count consume-unacked consume-killed consume-bound consume-exclusive delete \
    login-refused; do
    chosen "$name" "$@" || continue
    ran=$((ran + 1))
    if [ $(($(date +%s) - started)) -gt "$whole_run_seconds" ]; then
        echo "FAIL shell/$name: not begun, the run has taken $whole_run_seconds s"
        failed=$((failed + 1))
        continue
    fi
    queue=conform.shell.$run_id.$name
    : >"$work/reason"
    # Not inside a condition: there the shell would not stop a case at its first failing command.
    set +e
    (
        set -e
        "case_$(echo "$name" | tr - _)"
    ) 2>"$work/stderr"
    status=$?
    delete_queue -q "$queue" >"$work/out" 2>&1
    set -e
    if [ "$status" -eq 0 ]; then
        echo "ok shell/$name"
        continue
    fi
    failed=$((failed + 1))
    reason=$(cat "$work/reason" "$work/stderr" | tr '\n' ' ')
    echo "FAIL shell/$name: ${reason:-a command ended with $status}"
done

if [ "$ran" -eq 0 ]; then
    echo "FAIL shell/run: no case is named like $*"
    exit 1
fi
[ "$failed" -eq 0 ]
