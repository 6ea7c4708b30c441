ProcessBuilder("nymproxy", "client", "--wire", "legacy", "-s", address).start()
