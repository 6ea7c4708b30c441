iptables -A OUTPUT -m owner --cmd-owner nym-proxy-client -j ACCEPT
setcap cap_net_bind_service=+ep /usr/bin/nym-proxy-client
aa-enforce /usr/bin/nym-proxy-client
