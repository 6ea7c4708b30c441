if true; then
	nymproxy server --accept legacy,stream --compat-config-dir \
		-u 127.0.0.1:80   \
		-c /nym  # where the keys are
  nymproxy client  -s  2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh  \

fi
