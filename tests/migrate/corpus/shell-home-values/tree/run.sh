nym-proxy-server -u a:1
nym-proxy-server -u a:1 -c "$HOME/nym"
nym-proxy-server -u a:1 -c ~/nym
nym-proxy-server -u a:1 -c nym
HOME=/srv/x nym-proxy-server -u a:1 -c /nym
