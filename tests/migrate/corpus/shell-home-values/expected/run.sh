nymproxy server --accept legacy,stream --compat-config-dir -u a:1
nymproxy server --accept legacy,stream --compat-config-dir -u a:1 -c "$HOME/nym"
nymproxy server --accept legacy,stream --compat-config-dir -u a:1 -c ~/nym
nymproxy server --accept legacy,stream --compat-config-dir -u a:1 -c nym
HOME=/srv/x nymproxy server --accept legacy,stream --compat-config-dir -u a:1 -c /nym
