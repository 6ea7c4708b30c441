[ -x /usr/bin/nym-proxy-client ] || exit 1
command -v nym-proxy-server >/dev/null || exit 1
if [[ -f /opt/nym-proxy-client && -n "$X" ]]; then echo; fi
test -x /opt/nym-proxy-server
nym-proxy-client -s 2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh
