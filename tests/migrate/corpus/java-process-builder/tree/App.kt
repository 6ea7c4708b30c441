ProcessBuilder("nym-proxy-client", "-s", address).start()
