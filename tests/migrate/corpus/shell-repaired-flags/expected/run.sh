nymproxy client --wire legacy --server-address 2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh --listen-address 0.0.0.0 --listen-port 8080 --close-timeout=60
nymproxy server --accept legacy,stream --upstream-tcp-address 127.0.0.1:80 --config-dir "$HOME/x"
nymproxy server --accept legacy,stream --config-dir "$HOME/tmp/nym-tcp-proxy-server" --upstream-tcp-address 127.0.0.1:80
