nymproxy server --accept legacy,stream --compat-config-dir -u a:1
