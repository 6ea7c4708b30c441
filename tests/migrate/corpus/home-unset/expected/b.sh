env -i PATH=/bin nymproxy server --accept legacy,stream --compat-config-dir -u a:1 -c /keys
env -u HOME nymproxy server --accept legacy,stream --compat-config-dir -u a:1
HOME= nymproxy server --accept legacy,stream --compat-config-dir -u a:1
