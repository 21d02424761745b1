#!/usr/bin/env bash
# Ends the private PostgreSQL as a crash would (`stop`), starts it again on its port and data and waits until
# it answers (`start`), or does both (`restart`, or no argument).
set -eu
cd "$(dirname "$0")"
. ./settings

stop() {
    if control status; then
        control -m immediate stop
    fi
}

# To restart a server that is down is to start it with the options it was started with before.
start() {
    control -w -t 60 -l "$PWD/log" restart
}

control() {
    as_its_user "$BIN/pg_ctl" -D "$PWD/data" "$@" >/dev/null
}

as_its_user() {
    if [ "$(id -u)" -eq 0 ]; then
        runuser -u postgres -- "$@"
    else
        "$@"
    fi
}

case ${1-restart} in
stop) stop ;;
start) start ;;
restart)
    stop
    start
    ;;
*)
    echo "usage: $0 [stop|start|restart]" >&2
    exit 2
    ;;
esac
