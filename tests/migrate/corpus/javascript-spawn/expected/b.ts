await execa("nym-proxy-server", ["-u", "a:1"]);
// spawn("nym-proxy-client")
await $`nymproxy client -s 2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh`;
