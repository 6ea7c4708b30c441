docker run --rm --entrypoint nym-proxy-client -v a:b image -s 2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh
sudo podman run --entrypoint=/usr/bin/nym-proxy-server image:1 -u a:1
docker run --entrypoint sh image -c ls
