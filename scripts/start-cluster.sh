#!/usr/bin/env bash
# Starts a session cluster on this host: a JobManager for conf/masters, a
# TaskManager for each line of conf/workers.
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/config.sh"

case ${1:-} in
-h | --help)
  echo "Usage: start-cluster.sh [-Dkey=value …]    (the options go to the JobManager and all TaskManagers)"
  exit 0
  ;;
esac
echo "Starting cluster."
while read -r master; do
  if here "$master" conf/masters jobmanager.sh; then
    "$FLINK_BIN_DIR/jobmanager.sh" start "$@" </dev/null
  fi
done < <(hosts_of "$FLINK_CONF_DIR/masters" localhost)
while read -r worker; do
  if here "$worker" conf/workers taskmanager.sh; then
    "$FLINK_BIN_DIR/taskmanager.sh" start "$@" </dev/null
  fi
done < <(hosts_of "$FLINK_CONF_DIR/workers" localhost)
