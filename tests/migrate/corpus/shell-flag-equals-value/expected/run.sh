nymproxy client --server-address=2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh --listen-port=9000 --env-path="$ENV_FILE"
nymproxy server --accept legacy,stream --compat-config-dir --upstream-tcp-address=db:5432 --config-dir=/srv/nym
nymproxy server --accept legacy,stream --compat-config-dir --upstream-tcp-address=db:5432 --config-dir="$DATA"
