new ProcessBuilder("nymproxy", "server", "--accept", "legacy,stream", "--compat-config-dir", "-u", up).start();
