unset HOME
nym-proxy-server -u a:1 -c /keys
