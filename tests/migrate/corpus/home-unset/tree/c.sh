set -u
HOME=$(mktemp -d)
nym-proxy-server -u a:1 -c "/$NAME"
