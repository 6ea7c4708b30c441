#!/bin/bash
cat > /etc/systemd/system/nym.service <<EOF
[Service]
User=nym
ExecStart=/usr/local/bin/nymproxy server --accept legacy,stream --compat-config-dir -u $UPSTREAM -c /data
EOF
sudo tee /usr/local/bin/start.sh >/dev/null <<'EOF'
#!/bin/sh
exec nymproxy client -s "$ADDRESS"
EOF
bash <<'END'
nymproxy client -s 2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh
END
cat <<TEXT
Run nym-proxy-client -s ADDRESS by hand.
TEXT
