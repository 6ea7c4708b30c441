sudo -u nym nym-proxy-server -u 127.0.0.1:80 -c /data
sudo -u nym -H nym-proxy-server -u 127.0.0.1:80
