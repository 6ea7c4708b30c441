nym-proxy-server -u [::1]:8080
nym-proxy-server --upstream-tcp-address '[2001:db8::1]:443' --config-dir "/nym six"
nym-proxy-client --server-address 2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh --listen-address ::1
