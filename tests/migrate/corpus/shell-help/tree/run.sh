nym-proxy-client --help
nym-proxy-server -h
