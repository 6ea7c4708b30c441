git clone https://github.com/nymtech/standalone-tcp-proxies
nymproxy server --accept legacy,stream --compat-config-dir --upstream-tcp-address 127.0.0.1:80
nymproxy client --server-address "$A"
cargo run --bin client -- --addr "$A"
