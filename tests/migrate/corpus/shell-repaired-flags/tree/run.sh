nym-proxy-client --server_address 2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh --listen_address 0.0.0.0 --listen_port 8080 --close_timeout=60
proxy_server --upstream_tcp_address 127.0.0.1:80 --config_dir /x
proxy_server --upstream-address 127.0.0.1:80
