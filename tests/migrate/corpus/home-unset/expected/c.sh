set -u
HOME=$(mktemp -d)
nymproxy server --accept legacy,stream --compat-config-dir -u a:1 -c "/$NAME"
