#!/bin/sh
# Start the server by hand, with the settings of this machine.
set -eu
. "${NYM_PROXY_SETTINGS:-/etc/nym-proxy/settings.env}"

# The old binary puts $HOME in front of the config directory.
exec nym-proxy-server \
    --upstream-tcp-address "$UPSTREAM" \
    --config-dir "$CONFIG_DIR" \
    --env-path "$NETWORK_ENV"
