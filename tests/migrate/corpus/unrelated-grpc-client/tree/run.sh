./build/client --server_address localhost:50051
./client --server-address "$HOST:50051"
