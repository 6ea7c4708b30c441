cargo install nym-sdk
git clone https://github.com/nymtech/standalone-tcp-proxies.git
curl -LO https://example.org/releases/nym-proxy-client
install -m 755 nym-proxy-client /usr/local/bin/nym-proxy-client
cargo install ripgrep
git clone https://example.org/other.git
