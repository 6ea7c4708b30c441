nym-proxy-client -s 2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh  # nymproxy: ignore[NYM001]
nymproxy server --accept legacy,stream --compat-config-dir -u a:1 -c /x
true  # nymproxy: ignore[NYM002]
