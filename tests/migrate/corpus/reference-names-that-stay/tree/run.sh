systemctl restart nym-proxy-server
service nym-proxy-client stop
docker logs nym-proxy-client
mkdir -p /var/lib/nym-proxy-server
chown nym: /var/lib/nym-proxy-server
echo nym-proxy-client -s A
