# nym-proxy-client in a comment
system("nymproxy", "client", "-s", address)
