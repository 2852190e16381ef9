# shellcheck shell=bash
# shellcheck disable=SC2034 # used by those who source this
# Sourced by install, hadoop-local and kafka-local.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
HOME_DIR=${HADOOP_LOCAL_HOME:-$HOME/.cache/hadoop-local}
LIB=$HOME_DIR/lib

log() { printf '%s\n' "$*" >&2; }
die() {
  log "${0##*/}: $*"
  exit 1
}

# need PROGRAM PACKAGE WHAT: the program is there, or the Debian package that
# brings it is named.
need() {
  command -v "$1" >/dev/null || die "$3 is missing ($1): apt-get install $2"
}

# need_tools: what every command here uses beside Java.
need_tools() {
  need curl curl "curl"
  need openssl openssl "OpenSSL"
  need setsid util-linux "util-linux"
  need flock util-linux "util-linux"
  need awk mawk "awk"
  need find findutils "find"
  need cmp diffutils "cmp"
}

now_ms() {
  local t=${EPOCHREALTIME/[.,]/}
  echo $((t / 1000))
}
seconds_since() {
  local d=$(($(now_ms) - $1))
  printf '%d.%d s' $((d / 1000)) $((d % 1000 / 100))
}

# Sets JAVA_HOME and JAVA to a Java that Hadoop 3.4 runs on (8 to 17).
find_java() {
  local home java major
  for home in "${HADOOP_LOCAL_JAVA_HOME:-}" "${JAVA_HOME:-}" path; do
    case $home in
      '') continue ;;
      path) java=$(command -v java || true) ;;
      *) java=$home/bin/java ;;
    esac
    [[ -x $java ]] || continue
    java=$(readlink -f "$java")
    # The release file saves starting a Java only to ask its version.
    major=$(sed -n 's/^JAVA_VERSION="\(1\.\)\?\([0-9]*\).*/\2/p' "${java%/bin/java}/release" 2>/dev/null || true)
    if [[ -n $major ]] && ((major >= 8 && major <= 17)); then
      JAVA=$java JAVA_MAJOR=$major
      JAVA_HOME=${java%/bin/java}
      export JAVA_HOME
      return
    fi
  done
  # Debian's Java 17 may stand beside a newer one that is the default.
  for home in /usr/lib/jvm/java-17-* /usr/lib/jvm/java-11-*; do
    [[ -x $home/bin/java ]] || continue
    JAVA=$home/bin/java JAVA_MAJOR=${home#*/java-} JAVA_HOME=$home
    JAVA_MAJOR=${JAVA_MAJOR%%-*}
    export JAVA_HOME
    return
  done
  die "Java 17 is missing (Hadoop runs on 8 to 17): apt-get install openjdk-17-jdk-headless, or set HADOOP_LOCAL_JAVA_HOME"
}

# classpath DIR: the jars of DIR in a fixed order.
classpath() {
  local jars=("$1"/*.jar)
  local IFS=:
  echo "${jars[*]}"
}

# ---- daemons ---------------------------------------------------------------
# A daemon NAME of the cluster in $DIR has run/NAME.pid and logs/NAME.log. Its
# command line carries the pid file's path, by which a pid used again by some
# other process is told apart.

pid_file() { echo "$DIR/run/$1.pid"; }
log_file() { echo "$DIR/logs/$1.log"; }

# daemon_pid NAME: prints the pid if the daemon runs.
daemon_pid() {
  local file pid
  file=$(pid_file "$1")
  [[ -s $file ]] || return 1
  pid=$(<"$file")
  grep -qzF -- "$file" "/proc/$pid/cmdline" 2>/dev/null || return 1
  echo "$pid"
}
running() { daemon_pid "$1" >/dev/null; }

# spawn NAME COMMAND...: starts a daemon in its own session, its output in its
# log, none of this script's file descriptors held.
spawn() {
  local name=$1
  shift
  printf '==== %s start %s\n' "$(date '+%F %T')" "$name" >>"$(log_file "$name")"
  stat -c %s "$(log_file "$name")" >"$DIR/run/$name.from"
  setsid "$@" </dev/null >>"$(log_file "$name")" 2>&1 9>&- &
  echo $! >"$(pid_file "$name")"
  disown $!
}

# logged NAME PATTERN: the daemon's log has it since its last start.
logged() {
  local from
  from=$(<"$DIR/run/$1.from")
  grep -q -- "$2" < <(tail -c "+$((from + 1))" "$(log_file "$1")")
}

log_tail() {
  log "---- last lines of $(log_file "$1")"
  tail -n "${2:-25}" "$(log_file "$1")" >&2 || true
  log "----"
}

# wait_until SECONDS "WHAT" "DAEMON..." COMMAND...: runs COMMAND until it
# succeeds; fails at once when one of the daemons has died.
wait_until() {
  local limit=$1 what=$2 daemons=$3 end name
  shift 3
  end=$(($(now_ms) + limit * 1000))
  until "$@"; do
    for name in $daemons; do
      if ! running "$name"; then
        log_tail "$name"
        die "$name died while waiting for $what"
      fi
    done
    if (($(now_ms) > end)); then
      for name in $daemons; do log_tail "$name"; done
      die "waited $limit s for $what; logs are in $DIR/logs"
    fi
    sleep 0.1
  done
}

# gone NAME...: none of the daemons runs.
gone() {
  local name
  for name in "$@"; do
    if running "$name"; then return 1; fi
  done
}

# stop_daemons SECONDS NAME...: asks them to end, all at once; kills what is
# left after the time.
stop_daemons() {
  local limit=$1 name pid end
  shift
  for name in "$@"; do
    if pid=$(daemon_pid "$name"); then kill "$pid" 2>/dev/null || true; fi
  done
  end=$(($(now_ms) + limit * 1000))
  until gone "$@" || (($(now_ms) > end)); do sleep 0.1; done
  for name in "$@"; do kill_daemon "$name"; done
}

# kill_daemon NAME: SIGKILL, and waits until it is gone.
kill_daemon() {
  local pid end
  if pid=$(daemon_pid "$1"); then
    kill -KILL "$pid" 2>/dev/null || true
    end=$(($(now_ms) + 5000))
    until gone "$1"; do
      (($(now_ms) < end)) || die "$1 (pid $pid) survives SIGKILL"
      sleep 0.02
    done
  fi
  rm -f "$(pid_file "$1")"
}

# resume_daemon NAME: lets a daemon go on that was paused.
resume_daemon() {
  local pid
  if pid=$(daemon_pid "$1"); then kill -CONT "$pid" 2>/dev/null || true; fi
}

# lock: one command at a time changes the cluster in $DIR.
lock() {
  exec 9>"$DIR/.lock"
  flock -w 300 9 || die "another command works on $DIR"
}

# status_line NAME ADDRESS STATE
status_line() {
  local pid
  if pid=$(daemon_pid "$1"); then
    printf '%-6s %-8s %-12s %4s M  %s\n' "$1" "$pid" "$2" "$(rss_mb "$pid")" "$3"
  else
    printf '%-6s %-8s %-12s %6s  %s\n' "$1" - "$2" - down
    return 1
  fi
}
paused() {
  local pid
  pid=$(daemon_pid "$1") && [[ $(sed -n 's/^State:[[:space:]]*//p' "/proc/$pid/status") == T* ]]
}

# rss_mb PID
rss_mb() {
  local kb
  kb=$(sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$1/status" 2>/dev/null || true)
  echo $((${kb:-0} / 1024))
}

# port_open HOST PORT
port_open() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }
