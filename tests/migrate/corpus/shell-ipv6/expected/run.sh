nymproxy server --accept legacy,stream --compat-config-dir -u [::1]:8080
nymproxy server --accept legacy,stream --compat-config-dir --upstream-tcp-address '[2001:db8::1]:443' --config-dir "/nym six"
nymproxy client --server-address 2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh --listen-address ::1
