nymproxy client "-s" '2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh'
nymproxy client --server-address "$ADDRESS" --env-path '/etc/a b.env'
nymproxy client -s "${ADDRESS:-2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh}"
nymproxy server --accept legacy,stream --compat-config-dir -u 'a:1' -c '/x'
nymproxy server --accept legacy,stream --compat-config-dir -u a:1 -c "/x y"
nymproxy server --accept legacy,stream --compat-config-dir -u a:1 -c /x\ y
nymproxy server --accept legacy,stream --compat-config-dir -u a:1 -c $'/x\ty'
nymproxy server --accept legacy,stream --compat-config-dir -u a:1 -c "$DATA"/keys
