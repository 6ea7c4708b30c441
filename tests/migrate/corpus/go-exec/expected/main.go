package main

func main() {
	// exec.Command("nym-proxy-client")
	cmd := exec.Command("nymproxy", "client", "-s", address, "--listen-port", strconv.Itoa(port))
	exec.Command("/usr/local/bin/nymproxy", "server", "--accept", "legacy,stream", "--compat-config-dir", "-u", "127.0.0.1:80").Run()
	exec.Command("sh", "-c", "nymproxy client -s $A &")
	exec.Command("nym-proxy-client", args...)
}
