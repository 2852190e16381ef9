#!/usr/bin/env bash
# What the launchers share; they source it. Folders, as in Flink: FLINK_CONF_DIR,
# FLINK_LOG_DIR, FLINK_PID_DIR, FLINK_IDENT_STRING.
set -euo pipefail

FLINK_BIN_DIR=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
FLINK_HOME=$(dirname "$FLINK_BIN_DIR")
FLINK=$FLINK_BIN_DIR/flink
# In the repository the launchers also stand in scripts/, beside bin/.
[[ -x $FLINK ]] || FLINK=$FLINK_HOME/bin/flink
if [[ ! -x $FLINK ]]; then
  echo "$(basename "$0"): $FLINK is missing: make build" >&2
  exit 1
fi

: "${FLINK_CONF_DIR:=$FLINK_HOME/conf}"
: "${FLINK_LOG_DIR:=$FLINK_HOME/log}"
: "${FLINK_PID_DIR:=/tmp}"
: "${FLINK_IDENT_STRING:=$(id -un)}"
export FLINK_CONF_DIR FLINK_LOG_DIR
HOST=$(hostname)

# hosts_of FILE DEFAULT: the hosts in a file such as conf/workers, one a line.
hosts_of() {
  if [[ -f $1 ]]; then
    sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^[[:space:]]*$/d' "$1"
  else
    echo "$2"
  fi
}

# here HOST WHAT: whether HOST is this one. Daemons are started on this host
# only; for others it says how.
here() {
  local name=${1%%:*}
  case $name in
  localhost | 127.* | ::1 | "$HOST" | "${HOST%%.*}") return 0 ;;
  esac
  echo "$(basename "$0"): $2 names $name, which is not this host: run bin/$3 start there." >&2
  return 1
}

# running FILE: the process ids in a pid file that are still ours.
running() {
  local pid
  [[ -f $1 ]] || return 0
  while read -r pid; do
    if [[ $pid =~ ^[0-9]+$ && $(readlink "/proc/$pid/exe" 2>/dev/null) == */flink* ]]; then
      echo "$pid"
    fi
  done <"$1"
}

# wait_end PID SECONDS: waits for the end of a process that is no child.
wait_end() {
  local i
  for ((i = 0; i < $2 * 10; i++)); do
    kill -0 "$1" 2>/dev/null || return 0
    sleep 0.1
  done
  return 1
}

# daemon NAME ROLE start|start-foreground|stop|stop-all [arguments]: what
# jobmanager.sh and taskmanager.sh do. NAME is Flink's for files and messages.
daemon() {
  local name=$1 role=$2 command=$3
  shift 3
  local pids=$FLINK_PID_DIR/flink-$FLINK_IDENT_STRING-$name.pid
  mkdir -p "$FLINK_PID_DIR" "$FLINK_LOG_DIR"
  case $command in
  start-foreground)
    exec "$FLINK" "$role" --configDir "$FLINK_CONF_DIR" "$@"
    ;;
  start) start_daemon "$name" "$role" "$pids" "$@" ;;
  stop) stop_daemon "$name" "$pids" 1 ;;
  stop-all) stop_daemon "$name" "$pids" all ;;
  esac
}

start_daemon() {
  local name=$1 role=$2 pids=$3 number=0 live pid
  shift 3
  exec 9>>"$pids.lock"
  flock 9
  live=$(running "$pids")
  if [[ -n $live ]]; then
    number=$(wc -l <<<"$live")
    echo "[INFO] $number instance(s) of $name are already running on $HOST."
  fi
  export FLINK_LOG_PREFIX=$FLINK_LOG_DIR/flink-$FLINK_IDENT_STRING-$name-$number-$HOST
  echo "Starting $name daemon on host $HOST."
  "$FLINK" "$role" --configDir "$FLINK_CONF_DIR" "$@" >"$FLINK_LOG_PREFIX.out" 2>&1 </dev/null 9>&- &
  pid=$!
  { [[ -z $live ]] || echo "$live"; echo "$pid"; } >"$pids"
  flock -u 9
  sleep 0.3
  if ! kill -0 "$pid" 2>/dev/null; then
    echo "$(basename "$0"): the $name daemon ended at once: $FLINK_LOG_PREFIX.out says:" >&2
    tail -n 20 "$FLINK_LOG_PREFIX.out" >&2
    return 1
  fi
  disown "$pid"
}

# stop_daemon NAME FILE 1|all: ends the newest instance, or all.
stop_daemon() {
  local name=$1 pids=$2 live pid stop
  exec 9>>"$pids.lock"
  flock 9
  live=$(running "$pids")
  if [[ -z $live ]]; then
    echo "No $name daemon to stop on host $HOST."
    rm -f "$pids"
    return 0
  fi
  if [[ $3 == all ]]; then stop=$(tac <<<"$live"); else stop=$(tail -n 1 <<<"$live"); fi
  for pid in $stop; do
    echo "Stopping $name daemon (pid: $pid) on host $HOST."
    kill "$pid" 2>/dev/null || true
    if ! wait_end "$pid" 15; then
      echo "$(basename "$0"): the $name daemon (pid: $pid) did not end within 15 s: killing it." >&2
      kill -9 "$pid" 2>/dev/null || true
    fi
    live=$(grep -vx "$pid" <<<"$live" || true)
  done
  if [[ -n $live ]]; then echo "$live" >"$pids"; else rm -f "$pids"; fi
}
