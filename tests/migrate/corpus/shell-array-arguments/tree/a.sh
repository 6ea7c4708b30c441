#!/bin/bash
ARGS=(-s A)
ARGS+=(--listen-port 80)
nym-proxy-client "${ARGS[@]}"
nym-proxy-server "$@"
