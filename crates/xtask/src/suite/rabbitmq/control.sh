#!/usr/bin/env bash
# Ends the private RabbitMQ as a crash would (`stop`), starts it again on its ports and data and waits until
# it answers (`start`), or does both (`restart`, or no argument). Makes it short of memory (`block`), so that it
# takes no publishes, and gives it its memory back (`unblock`).
set -eu
cd "$(dirname "$0")"
. ./settings

stop() {
    touch down
    [ -e pid ] || return 0
    node=$(cat pid)
    rm pid
    kill -KILL "$node"
    while kill -0 "$node" 2>/dev/null; do
        sleep 0.05
    done
}

start() {
    rm -f down
    for _ in {1..300}; do
        if answers 2>/dev/null; then
            return 0
        fi
        sleep 0.2
    done
    echo "RabbitMQ does not answer after its restart; see $PWD/log" >&2
    exit 1
}

# The header of AMQP 0-9-1 is answered by a node that has started.
answers() (
    exec 3<>"/dev/tcp/127.0.0.1/$RABBITMQ_NODE_PORT" || exit 1
    printf 'AMQP\0\0\11\1' >&3
    read -r -t 5 -n 1 <&3
)

memory() {
    "$(dirname "$SERVER")/rabbitmqctl" --quiet set_vm_memory_high_watermark absolute "$1"
}

case ${1-restart} in
stop) stop ;;
start) start ;;
restart)
    stop
    start
    ;;
block) memory 1MB ;;
unblock) memory 1GB ;;
*)
    echo "usage: $0 [stop|start|restart|block|unblock]" >&2
    exit 2
    ;;
esac
