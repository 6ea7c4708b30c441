"""Uses nym-proxy-client -s A."""
import subprocess

NAMES = ["nym-proxy-client", "nym-proxy-server"]
print("nym-proxy-client -s A")
subprocess.run(["systemctl", "restart", "nym-proxy-client"])
subprocess.run(["proxy_server", "--config", "nginx.conf"])
