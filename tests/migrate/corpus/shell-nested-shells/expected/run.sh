bash -c "nymproxy client -s 2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh"
sh -ec 'exec nymproxy server --accept legacy,stream --compat-config-dir -u a:1 -c /x'
ssh host 'nymproxy server --accept legacy,stream --compat-config-dir -u a:1 -c "/x"'
su nym -c "nymproxy client -s 2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh"
sudo -u nym bash -c 'nymproxy server --accept legacy,stream --compat-config-dir -u a:1 -c /x'
