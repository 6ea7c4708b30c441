# nym-proxy-client
nym-proxy-client.exe -s $env:ADDRESS --listen-port 8080
& "C:\nym\nym-proxy-server.exe" -u 127.0.0.1:80
Start-Process nym-proxy-client.exe -ArgumentList "-s $a"
