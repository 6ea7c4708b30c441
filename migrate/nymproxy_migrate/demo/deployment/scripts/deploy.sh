#!/bin/bash
# Install the client on this machine, and start it with a pool for the nightly job.
set -euo pipefail
source "${NYM_PROXY_SETTINGS:-/etc/nym-proxy/settings.env}"

cargo install --git https://github.com/nymtech/standalone-tcp-proxies nym-proxy-client

mkdir -p "$HOME/log"
echo "starting nym-proxy-client for $(hostname)"
RUST_LOG=warn nohup nym-proxy-client -s "$SERVER_ADDRESS" --listen-port 8090 \
    --client-pool-reserve 16 -e "$NETWORK_ENV" >>"$HOME/log/nym-proxy-client.log" 2>&1 &
echo $! >"$HOME/nym-proxy-client.pid"
