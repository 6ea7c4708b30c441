nymproxy server --accept legacy,stream --compat-config-dir -u 127.0.0.1:80 -g 4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh
./proxy_server -u 127.0.0.1:80 -g gateway-1
