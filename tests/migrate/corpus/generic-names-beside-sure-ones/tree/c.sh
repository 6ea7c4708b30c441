server --port 80
./client -s "$X"
