# shellcheck shell=bash
# What every script in bin/ starts with: where things are, and how it speaks.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=$repo/.cache
logs=$cache/logs
mkdir -p "$logs"
cd "$repo" || exit

export PATH=$repo/.venv/bin:$PATH
export PYTHONDONTWRITEBYTECODE=1
# The hosts' addresses are of this machine's own engine, so no other will do.
export DOCKER_HOST=unix:///var/run/docker.sock
unset DOCKER_CONTEXT

trap 'jobs -p | xargs --no-run-if-empty kill 2>/dev/null || true' EXIT

die() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# The comment at the head of a script is its help.
usage() {
  sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
}

as_root() {
  if [ "$EUID" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# quietly LOG command...: what the command says goes to the log; a dot now and then says that it lives.
# Leaves its exit status in $status. Not to be used in a condition: there, `set -e` would not hold within.
quietly() {
  local log=$1 work ticker
  shift
  ("$@") >"$log" 2>&1 </dev/null &
  work=$!
  while sleep 5; do printf '.'; done &
  ticker=$!
  status=0
  wait "$work" || status=$?
  kill "$ticker"
  wait "$ticker" 2>/dev/null || true
}

# step "What is done" command...: one line with the time it took, and the end of the log if it fails.
step() {
  local title=$1 log start=$SECONDS status
  shift
  log=$logs/$(tr -cs '[:alnum:]' '-' <<<"${title,,}" | sed 's/-$//').log
  printf '%s ' "$title"
  quietly "$log" "$@"
  if [ "$status" -ne 0 ]; then
    printf 'failed after %s s\n' "$((SECONDS - start))"
    tail -n 20 "$log" | sed 's/^/    /' >&2
    die "'$title' failed, ${log#"$repo/"} has all of its output."
  fi
  printf '%s s\n' "$((SECONDS - start))"
}
