. ./settings.env
./target/release/proxy_client --server-address "$SERVER" --listen-port 8080
