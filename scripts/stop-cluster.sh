#!/usr/bin/env bash
# Stops what start-cluster.sh started on this host: TaskManagers first.
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/config.sh"

case ${1:-} in
-h | --help)
  echo "Usage: stop-cluster.sh"
  exit 0
  ;;
esac
"$FLINK_BIN_DIR/taskmanager.sh" stop-all
"$FLINK_BIN_DIR/jobmanager.sh" stop-all
