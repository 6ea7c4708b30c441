proxy_client --host example.org --port 80
./proxy_server -l 0.0.0.0:3128
python proxy_server.py -u a:1
client -c config.ini
