/srv/anonymizer/client -s host
anonymous/bin/server -u 127.0.0.1:80
/opt/synonyms/proxy_client --server-address "$HOST"
