. ./settings.env
nymproxy client --wire legacy --server-address "$SERVER" --listen-port 8080
