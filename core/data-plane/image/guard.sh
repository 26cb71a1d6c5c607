#!/bin/sh
# Process 1 of a sidecar container: keeps the sidecar running and never lets it cut the application off.
#
# - The sidecar ends -> it is started again at once; it resumes from the configuration it saved in /run/meshdesk.
# - It ends 5 times within 30 s -> the redirect rules are removed, so that traffic goes straight to the application, and
#   a new try is made every 10 s. The control plane installs the rules again when the sidecar is back.
# - TERM or INT -> the sidecar is asked to end, then this ends.
#
# Only shell built-ins, sleep and rules.sh are used. As process 1 the shell also reaps orphans while it waits.
set -u
# One heap arena and one helper thread: several megabytes less, and there is nothing for more to do.
export MALLOC_ARENA_MAX=1 UV_THREADPOOL_SIZE=1
home=${MESHDESK_HOME:-/meshdesk}
node=${MESHDESK_NODE:-node}
max_deaths=5
window_s=30
pause_s=10

child=
ending=
deaths=

say() { printf 'guard: %s\n' "$*" >&2; }

on_term() {
  ending=1
  if [ -n "$child" ]; then kill -TERM "$child" 2>/dev/null || say "could not signal process $child"; fi
}
trap on_term TERM INT

# Seconds since the machine started; needs no program.
now_s() {
  read -r up _ </proc/uptime
  now=${up%%.*}
}

# Waits for $child to end, however often a signal interrupts the wait. Leaves the exit status in $code.
await_child() {
  wait "$child"
  code=$?
  while [ -d "/proc/$child" ]; do
    wait "$child"
    code=$?
  done
}

# Notes a death now and forgets those outside the window; true when there are too many.
too_many_deaths() {
  now_s
  kept=
  count=1
  for at in $deaths; do
    if [ $((now - at)) -le $window_s ]; then
      kept="$kept $at"
      count=$((count + 1))
    fi
  done
  deaths="$kept $now"
  [ "$count" -ge $max_deaths ]
}

while :; do
  # Small young generation, memory given back early, no helper threads: half the resident memory of the default.
  "$node" --max-semi-space-size=1 --max-old-space-size=128 --single-threaded --optimize-for-size "$home/sidecar.mjs" &
  child=$!
  # A signal between the loop's start and here found no child to pass itself on to.
  if [ -n "$ending" ]; then kill -TERM "$child" 2>/dev/null || say "could not signal process $child"; fi
  await_child
  child=
  if [ -n "$ending" ]; then
    say "ended"
    exit 0
  fi
  say "the sidecar ended with status $code"
  if too_many_deaths; then
    say "$max_deaths ends within $window_s s: removing the redirect rules, next try in $pause_s s"
    sh "$home/rules.sh" remove >&2 || say "the redirect rules could not be removed; the application may be unreachable"
    sleep $pause_s &
    child=$!
    await_child
    child=
    if [ -n "$ending" ]; then exit 0; fi
  fi
done
