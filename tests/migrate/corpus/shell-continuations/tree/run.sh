if true; then
	nym-proxy-server \
		-u 127.0.0.1:80   \
		-c /nym  # where the keys are
  nym-proxy-client  -s  2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh  \

fi
