"""Starts nym-proxy-client -s A."""
import asyncio
import os
import subprocess

client = subprocess.Popen(
    [
        "nymproxy", "client",  # the old one
        "-s",
        os.environ["ADDRESS"],
        "--listen-port=8080",
    ]
)
subprocess.run(["nymproxy", "server", "--accept", "legacy,stream", "--compat-config-dir", "-u", "app:80", "-c", "/keys"], env={"HOME": "/srv/nym"})


async def main() -> None:
    await asyncio.create_subprocess_exec('nymproxy', 'client', '-s', '2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh')
