#!/bin/sh
# nym-proxy-client -s ADDRESS
echo nym-proxy-client -s ADDRESS
printf '%s\n' "nym-proxy-server -u a:1"
systemctl restart nym-proxy-server
docker run --name nym-proxy-client other/image
grep -r "nym-proxy-client -s" . || true
kill "$(pidof nym-proxy-client)"
log=nym-proxy-client
ls /opt/nym-proxy-server/config
journalctl -u nym-proxy-client -f
