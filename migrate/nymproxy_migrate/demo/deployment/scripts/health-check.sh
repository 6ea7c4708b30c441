#!/bin/sh
# The monitoring runs this: is the server up, and has it still the address that the sites know?
set -eu
. "${NYM_PROXY_SETTINGS:-/etc/nym-proxy/settings.env}"

address=$(journalctl -u nym-proxy-server --since today | grep 'Client created:' | tail -n 1 | sed 's/.*Client created: //')
if [ "$address" != "$SERVER_ADDRESS" ]; then
    echo "CRITICAL: nym-proxy-server has the address $address"
    exit 2
fi
echo "OK: nym-proxy-server has its address"
