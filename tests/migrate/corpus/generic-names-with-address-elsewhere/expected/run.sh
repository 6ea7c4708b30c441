. ./settings.env
nymproxy client --server-address "$SERVER" --listen-port 8080
