#!/usr/bin/env bash
# Starts and stops a TaskManager on this host.
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/config.sh"

usage="Usage: taskmanager.sh (start|start-foreground|stop|stop-all) [-Dkey=value …]"
case ${1:-} in
start | start-foreground | stop | stop-all) daemon taskexecutor taskmanager "$@" ;;
-h | --help) echo "$usage" ;;
*)
  echo "$usage" >&2
  exit 1
  ;;
esac
