# nym-proxy-client in a comment
system("nym-proxy-client", "-s", address)
