#!/bin/sh
# Start a client by hand, with the settings of this machine.
set -eu
. "${NYM_PROXY_SETTINGS:-/etc/nym-proxy/settings.env}"

exec nym-proxy-client --server-address "$SERVER_ADDRESS" \
    --listen-address "$LISTEN_ADDRESS" --listen-port "$LISTEN_PORT" \
    --close-timeout 60 --env-path "$NETWORK_ENV"
