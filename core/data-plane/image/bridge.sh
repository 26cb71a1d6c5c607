#!/bin/sh
# Joins standard input and output to the sidecar's control socket: bridge.sh [SOCKET].
# The control plane runs this through the container engine, so that no port has to be opened.
socket=${1:-/run/meshdesk/sidecar.sock}
if command -v socat >/dev/null 2>&1; then
  exec socat - "UNIX-CONNECT:$socket"
fi
exec "${MESHDESK_NODE:-node}" --max-semi-space-size=1 "${MESHDESK_HOME:-/meshdesk}/bridge.mjs" "$socket"
