#!/usr/bin/env bash
# Starts a session cluster on YARN, or attaches to one: yarn-session.sh -h.
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/config.sh"
exec "$FLINK" yarn-session "$@"
