nymproxy server --accept legacy,stream -u a:1 -c /x
