# nym-proxy-client in a comment
system("nymproxy", "client", "--wire", "legacy", "-s", address)
