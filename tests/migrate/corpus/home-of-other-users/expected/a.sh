sudo -u nym nymproxy server --accept legacy,stream --compat-config-dir -u a:1 -c /keys
su - nym -c "nymproxy server --accept legacy,stream --compat-config-dir -u a:1 -c /keys"
gosu root nymproxy server --accept legacy,stream --compat-config-dir -u a:1 -c /keys
runuser -u nym -- nymproxy server --accept legacy,stream --compat-config-dir -u a:1 -c /keys
