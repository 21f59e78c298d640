#!/usr/bin/env bash
# Measures what the store promises, and prints one JSON line a figure. docs/performance.md has the results.
#
#   bench/store/run.sh WARREN NULL_BROKER FOLDER [RABBIT_ADDRESS RABBIT_PID]
#
# WARREN and NULL_BROKER are release binaries (cargo build --release here and in bench/null), FOLDER an empty
# folder on the disk to be measured, RABBIT_ADDRESS a RabbitMQ on the same disk. Everything runs under
# `chrt -r 20`, which pushes neighbours aside; run it on an otherwise idle machine all the same.
set -euo pipefail

warren=$1 null=$2 folder=$3 rabbit=${4:-} rabbit_pid=${5:-0}
scale=${SCALE:-1} only=${ONLY:-}
ready=$folder/ready.json data=$folder/data pid=0 address=
fast() { chrt -r 20 "$@"; }
load() { fast "$null" "$@" --addr "$address" --broker-pid "$pid"; }
say() { printf '{"scenario":"%s"}\n' "$*"; }
rss() { awk '/VmRSS/ {printf "{\"rss_KiB\":%d,\"when\":\"%s\"}\n", $2, when}' when="$1" "/proc/$pid/status"; }
wants() { [ -z "$only" ] || [[ " $only " = *" $1 "* ]]; }

start() { # [ARGUMENTS...]
    rm -f "$ready"
    chrt -r 20 "$warren" --data-dir "$data" --ports any --ready-file "$ready" "$@" >>"$folder/warren.log" 2>&1 &
    pid=$!
    until [ -s "$ready" ]; do sleep 0.005; done
    address=127.0.0.1:$(grep -oE '"address":"[^"]*' "$ready" | head -1 | grep -oE '[0-9]+$')
}
stop() { # [SIGNAL]
    kill "-${1:-KILL}" "$pid"
    wait "$pid" 2>/dev/null || true
}
fresh() { rm -rf "$data" && start "$@"; }
trap '[ "$pid" = 0 ] || kill -KILL "$pid" 2>/dev/null' EXIT

if wants throughput; then
    for round in 1 2 3; do
        say "throughput, window 1000, 1 KiB persistent, round $round"
        fresh
        load fill --count $((1000000 * scale)) --size 1024 --confirm 1000
        stop
        if [ -n "$rabbit" ]; then
            for kind in classic quorum; do
                say "the same, RabbitMQ $kind"
                queue="--prefix bench-$kind-$round --type $kind"
                # shellcheck disable=SC2086
                fast "$null" fill --addr "$rabbit" --broker-pid "$rabbit_pid" --count $((100000 * scale)) --size 1024 \
                    --confirm 1000 $queue
                fast "$null" drain --addr "$rabbit" --count $((100000 * scale)) --prefix "bench-$kind-$round" >/dev/null
            done
        fi
    done
fi

if wants window1; then
    for round in 1 2 3; do
        say "window 1, beside what fdatasync alone allows, round $round"
        fresh && sleep 2
        fast "$null" sync-latency --dir "$folder" --secs 4
        load fill --count 15000 --size 1024 --confirm 1
        stop
    done
fi

if wants latency; then
    for round in 1 2 3; do
        say "confirm latency at 2000 a second, beside fdatasync at that rate, round $round"
        fresh && sleep 2
        load confirm-latency --rate 2000 --secs 1 >/dev/null
        load drain --count 2000 >/dev/null
        fast "$null" sync-latency --dir "$folder" --rate 2000 --secs 8
        load drain --count 16000 --ack 20 --prefetch 500 >/dev/null &
        load confirm-latency --rate 2000 --secs 8
        wait $! || true
        stop
    done
fi

if wants queues; then
    for round in 1 2 3; do
        say "1 queue and 1000 queues, round $round"
        fresh
        load fill --count $((1000000 * scale)) --size 1024 --confirm 1000
        stop
        fresh
        load fill --count 1000 --size 1024 --confirm 1000 --queues 1000 >/dev/null
        load fill --count $((1000000 * scale)) --size 1024 --confirm 1000 --queues 1000
        stop
    done
fi

restart() { # name of the scenario
    stop KILL
    say "$1: kill -9 and restart"
    begun=$(date +%s%N)
    start
    printf '{"ready_ms":%d}\n' $((($(date +%s%N) - begun) / 1000000))
    rss "after the restart"
}

if wants backlog2m; then
    say "backlog of 2 million persistent 1 KiB messages"
    fresh && sleep 2
    rss idle
    load fill --count 2000000 --size 1024 --confirm 1000
    restart "backlog of 2 million"
    load drain --count 2000000
    stop
fi

if wants backlog10m; then
    say "backlog of 10 million persistent 100 B messages"
    fresh && sleep 2
    rss idle
    load fill --count 10000000 --size 100 --confirm 10000
    sleep 2
    printf '{"extents_bytes":%d,"messages_left_in_log_too":true}\n' "$(du -sb "$data/extents" | cut -f1)"
    restart "backlog of 10 million"
    sleep 2 && rss "2 s later"
    load drain --count 10000000
    sleep 3
    printf '{"extents_left":%d}\n' "$(find "$data/extents" -type f | wc -l)"
    stop
    say "the same speed of draining from memory alone"
    fresh --set store.recent_bytes=8GiB
    load fill --count 2000000 --size 100 --confirm 10000 --transient --prefix memory
    load drain --count 2000000 --prefix memory
    stop
fi

if wants idle; then
    say "idle queues"
    fresh && sleep 2
    load fill --count 1 --queues 10000 >/dev/null && sleep 12 && rss "10000 queues"
    load fill --count 1 --queues 50000 >/dev/null && sleep 12 && rss "50000 queues"
    say "one live message in each of 10000 queues, then 3 GiB through another"
    load fill --count 10000 --queues 10000 --size 100 --confirm 1000 >/dev/null
    load fill --count 3000000 --size 1024 --confirm 1000 --prefix other >/dev/null
    printf '{"log_bytes":%d}\n' "$(du -sb "$data/log" | cut -f1)"
    restart "10000 queues with a message each"
    stop
fi

if wants stuck; then
    say "one unsettled message in a queue that flows: disk use every 5 s"
    fresh --set store.recent_bytes=1MiB
    load hold --count 1 --size 1024 --prefix flow &
    holder=$!
    sleep 1
    for _ in $(seq "${STUCK_ROUNDS:-12}"); do
        load fill --count 400000 --size 1024 --confirm 1000 --prefix flow >/dev/null
        load drain --count 400000 --prefix flow >/dev/null
        sleep 2
        printf '{"extents":%d,"extents_bytes":%d,"log_bytes":%d}\n' "$(find "$data/extents" -type f | wc -l)" \
            "$(du -sb "$data/extents" | cut -f1)" "$(du -sb "$data/log" | cut -f1)"
    done
    kill "$holder"
    stop
fi
