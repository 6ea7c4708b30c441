env -i PATH=/bin nym-proxy-server -u a:1 -c /keys
env -u HOME nym-proxy-server -u a:1
HOME= nym-proxy-server -u a:1
