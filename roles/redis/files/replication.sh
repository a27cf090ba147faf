#!/usr/bin/env bash
# Write whom a new server copies to begin with: replication.sh FILE PORT USER ME FIRST PEER...
# The peers know better than the inventory who is primary, if they have been at work for longer.
set -euo pipefail
file=$1 port=$2 user=$3 me=$4 primary=$5

for peer in "${@:6}"; do
  answer=$(printf 'ROLE\nDBSIZE\n' | timeout 5 redis-cli -h "$peer" -p "$port" --user "$user") || continue
  mapfile -t lines <<<"$answer"
  case ${lines[0]} in
    slave) said=${lines[1]} ;;
    master) said=$peer ;;
    *) continue ;;
  esac
  # An empty one may have begun a moment ago, like this one.
  if [ "${lines[-1]}" = 0 ]; then continue; fi
  if [ "$said" = "$me" ]; then
    echo "$peer holds data and copies this host, which is empty: it would lose them. Have Sentinel make another the" \
      "primary first, by: redis-cli -p 26379 SENTINEL FAILOVER <name>" >&2
    exit 1
  fi
  primary=$said
done

if [ "$primary" = "$me" ]; then line=; else line="replicaof $primary $port"; fi
install -o redis -g redis -m 0640 /dev/stdin "$file" <<<"$line"
