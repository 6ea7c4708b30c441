#!/bin/sh
pkill -f nym-proxy-client
killall nym-proxy-server
kill $(pidof nym-proxy-server)
ps aux | grep [n]ym-proxy-client
ps -C nym-proxy-client
