git clone https://github.com/nymtech/standalone-tcp-proxies
cargo run --bin proxy_server -- --upstream-tcp-address 127.0.0.1:80
cargo run --release --bin proxy_client -- --server-address "$A"
cargo run --bin client -- --addr "$A"
