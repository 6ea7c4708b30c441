nym-proxy-server -u a:1
