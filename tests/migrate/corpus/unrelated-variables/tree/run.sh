"$BIN" --server-address "$HOST" --close-timeout 5
$X --upstream-tcp-address 10.0.0.1:80
