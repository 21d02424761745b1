#!/usr/bin/env bash
# Keeps a private RabbitMQ node running, with the epmd it needs, until the standard input ends. All of it
# is one process group. A killed node is started again, but not while the file `down` is there; a node that
# ends otherwise is a failure.
cd "$(dirname "$0")" || exit 1
. ./settings

# Whoever started this holds the other end of the standard input, and lets go of it when dying at the latest.
exec 3<&0 </dev/null
(
    read -r <&3
    kill -KILL 0
) &
exec 3<&-

epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 &
epmd=$!
until epmd -port "$ERL_EPMD_PORT" -names >/dev/null 2>&1; do
    kill -0 "$epmd" || exit 1
    sleep 0.1
done

while :; do
    if [ -e down ]; then
        sleep 0.1
        continue
    fi
    "$SERVER" &
    echo $! >pid
    wait $!
    [ $? -eq 137 ] || exit 1
done
