#!/bin/sh
# Starts nym-proxy-server and nym-proxy-client.
set -eu
nymproxy server --accept legacy,stream --compat-config-dir -u 127.0.0.1:8080 -c /nym/data &
nymproxy client -s 2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh --listen-port 8081
