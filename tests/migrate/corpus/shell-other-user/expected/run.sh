sudo -u nym nymproxy server --accept legacy,stream --compat-config-dir -u 127.0.0.1:80 -c /data
sudo -u nym -H nymproxy server --accept legacy,stream --compat-config-dir -u 127.0.0.1:80
