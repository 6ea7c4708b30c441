package main

func main() {
	// exec.Command("nym-proxy-client")
	cmd := exec.Command("nym-proxy-client", "-s", address, "--listen-port", strconv.Itoa(port))
	exec.Command("/opt/nym/nym-proxy-server", "-u", "127.0.0.1:80").Run()
	exec.Command("sh", "-c", "nym-proxy-client -s $A &")
	exec.Command("nym-proxy-client", args...)
}
