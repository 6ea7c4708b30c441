nymproxy client --help
nymproxy server -h
