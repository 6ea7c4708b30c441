ProcessBuilder("nymproxy", "client", "-s", address).start()
