sudo -u nym nym-proxy-server -u a:1 -c /keys
su - nym -c "nym-proxy-server -u a:1 -c /keys"
gosu root nym-proxy-server -u a:1 -c /keys
runuser -u nym -- nym-proxy-server -u a:1 -c /keys
