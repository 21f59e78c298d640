#!/bin/sh
# Runs the programs of RabbitMQ's Java client against the broker at AMQP_URI, or at AMQP_HOST and AMQP_PORT.
#
#   run.sh [NAME...]     only the cases whose name contains one of the words
#
# Prints `ok NAME` or `FAIL NAME: reason` per case. Exit status: 0 all passed, 1 some failed,
# 77 a tool is missing. CONFORM_CACHE keeps the compiled classes between runs.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

skip() {
    echo "SKIP java: $1"
    exit 77
}

command -v java >/dev/null 2>&1 || skip "java is not installed"
command -v javac >/dev/null 2>&1 || skip "javac is not installed"
jars=/usr/share/java
[ -f "$jars/amqp-client.jar" ] || skip "librabbitmq-client-java is not installed"
[ -f "$jars/slf4j-api.jar" ] || skip "libslf4j-java is not installed"

classes=${CONFORM_CACHE:-"$here/../../../target/conform"}/java
mkdir -p "$classes"
class_path=$jars/amqp-client.jar:$jars/slf4j-api.jar:$jars/slf4j-nop.jar

# javac takes seconds, so it runs only when a source has changed.
sum=$(cat "$here"/*.java | cksum)
if [ "$sum" != "$(cat "$classes/compiled.sum" 2>/dev/null)" ]; then
    rm -f "$classes"/*.class "$classes/compiled.sum"
    if ! javac --release 17 -Xlint:all,-path -Werror -cp "$class_path" -d "$classes" "$here"/*.java \
        >"$classes/build.log" 2>&1; then
        echo "FAIL java/build: $(tr '\n' ' ' <"$classes/build.log")"
        exit 1
    fi
    echo "$sum" >"$classes/compiled.sum"
fi

exec java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx256m -cp "$classes:$class_path" Main "$@"
