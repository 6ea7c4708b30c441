@echo off
rem nym-proxy-client
start "nym" /b nym-proxy-client.exe -s %ADDRESS%
call C:\nym\nym-proxy-server.exe -u 127.0.0.1:80
