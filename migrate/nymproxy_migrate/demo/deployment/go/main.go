// Carries the wallet's connections to its node.
package main

import (
	"fmt"
	"net"
	"os"

	"nymffi/go-nym/bindings"
)

func main() {
	env := "/etc/nym-proxy/mainnet.env"
	bindings.InitLogging()
	if err := bindings.NewProxyClient(os.Getenv("SERVER_ADDRESS"), "127.0.0.1", "8085", 60, &env, 4); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go bindings.RunProxyClient()
	connection, err := net.Dial("tcp", "127.0.0.1:8085")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	defer connection.Close()
	fmt.Fprintln(connection, "status")
}
