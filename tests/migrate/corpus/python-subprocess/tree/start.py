"""Starts nym-proxy-client -s A."""
import asyncio
import os
import subprocess

client = subprocess.Popen(
    [
        "nym-proxy-client",  # the old one
        "-s",
        os.environ["ADDRESS"],
        "--listen_port=8080",
    ]
)
subprocess.run(["nym-proxy-server", "-u", "app:80", "-c", "/keys"], env={"HOME": "/srv/nym"})


async def main() -> None:
    await asyncio.create_subprocess_exec('nym-proxy-client', '-s', '2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh')
