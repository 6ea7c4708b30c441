nym-proxy-client --server-address=2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh --listen-port=9000 --env-path="$ENV_FILE"
nym-proxy-server --upstream-tcp-address=db:5432 --config-dir=/srv/nym
nym-proxy-server --upstream-tcp-address=db:5432 --config-dir="$DATA"
