mywrapper --log x nym-proxy-client -s 2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh
mywrapper nym-proxy-client
BIN=/opt/nym/nym-proxy-client
NAME=nym-proxy-client
