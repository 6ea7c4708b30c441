nymproxy client --server-address 2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh --listen-address 0.0.0.0 --listen-port 8080 --close-timeout=60
nymproxy server --accept legacy,stream --compat-config-dir --upstream-tcp-address 127.0.0.1:80 --config-dir /x
nymproxy server --accept legacy,stream --compat-config-dir --upstream-tcp-address 127.0.0.1:80
