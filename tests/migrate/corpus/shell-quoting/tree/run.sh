'nym-proxy-client' "-s" '2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh'
"nym-proxy-client" --server-address "$ADDRESS" --env-path '/etc/a b.env'
nym-proxy-client -s "${ADDRESS:-2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh}"
nym-proxy-server -u 'a:1' -c '/x'
nym-proxy-server -u a:1 -c "/x y"
nym-proxy-server -u a:1 -c /x\ y
nym-proxy-server -u a:1 -c $'/x\ty'
nym-proxy-server -u a:1 -c "$DATA"/keys
