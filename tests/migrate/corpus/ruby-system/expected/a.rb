system("nymproxy", "client", "--wire", "legacy", "-s", address)
system("nymproxy client --wire legacy -s #{address}")
out = `nymproxy server --accept legacy,stream --compat-config-dir -u a:1`
puts "nym-proxy-client -s A"
