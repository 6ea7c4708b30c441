nym-socks5-client init --id a --provider b
nym-socks5-client run --id a
nym-client run --id b
