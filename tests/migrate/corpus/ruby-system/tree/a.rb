system("nym-proxy-client", "-s", address)
system("nym-proxy-client -s #{address}")
out = `nym-proxy-server -u a:1`
puts "nym-proxy-client -s A"
