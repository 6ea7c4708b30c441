new ProcessBuilder("nym-proxy-server", "-u", up).start();
