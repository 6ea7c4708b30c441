/opt/nym/nym-socks5-client run --id x
/opt/nym/client run --id x
/opt/nym/server start -c x
