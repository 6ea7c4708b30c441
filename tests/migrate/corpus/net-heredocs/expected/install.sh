cat > /opt/start.xyz <<EOF
program=/usr/bin/nym-proxy-client
EOF
cat <<EOF
Start nym-proxy-client -s A.
EOF
tee /etc/nym.conf <<EOF
[program:nym]
command=/usr/local/bin/nymproxy client -s 2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh
EOF
