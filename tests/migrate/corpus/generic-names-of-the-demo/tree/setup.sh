git clone https://github.com/nymtech/nym-zcash-grpc-demo
cargo build --release
./target/release/server --upstream-address "zcash:9067" &
./target/release/client --server-address "$SERVER"
