rem nym-proxy-client
C:\nym\nym-proxy-client.exe -s %A%
