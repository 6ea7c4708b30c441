system("nymproxy", "client", "-s", address)
system("nymproxy client -s #{address}")
out = `nymproxy server --accept legacy,stream --compat-config-dir -u a:1`
puts "nym-proxy-client -s A"
