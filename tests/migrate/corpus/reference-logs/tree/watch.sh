journalctl -t nym-proxy-server -f
journalctl _COMM=nym-proxy-client
journalctl -u nym-proxy-server -f
