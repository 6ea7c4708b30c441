#!/bin/sh
exec /usr/local/bin/nym-proxy-server -u "$UPSTREAM" -c /data
