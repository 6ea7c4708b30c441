module example.org/wallet-agent

go 1.22

require nymffi/go-nym v0.0.0
