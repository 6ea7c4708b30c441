nymproxy server --accept legacy,stream --config-dir "$HOME/tmp/nym-tcp-proxy-server" -u a:1
nymproxy server --accept legacy,stream -u a:1 -c "${HOME}$HOME/nym"
nymproxy server --accept legacy,stream -u a:1 -c "${HOME}$HOME/nym"
nymproxy server --accept legacy,stream -u a:1 -c "${HOME}nym"
HOME=/srv/x nymproxy server --accept legacy,stream -u a:1 -c /srv/x/nym
