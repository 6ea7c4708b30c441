git clone https://github.com/nymtech/nym-zcash-grpc-demo
cargo build --release
nymproxy server --accept legacy,stream --compat-config-dir --upstream-tcp-address "zcash:9067" &
nymproxy client --server-address "$SERVER"
