package main

import "nymffi/go-nym/bindings"

func main() {
	// bindings.NewProxyClient(a, b) was here
	bindings.NewProxyClient("2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh", "127.0.0.1", "8085", 60, nil, 2)
	go bindings.RunProxyClient()
	bindings.NewProxyServer("127.0.0.1:3000", "/srv/nym", nil, nil)
}
