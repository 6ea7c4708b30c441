import subprocess

BIN = "nym-proxy-client"
subprocess.run([BIN, "-s", "A"])
subprocess.run(f"nym-proxy-server -u {UP}", shell=True)
subprocess.run(["nym-proxy-client", "-s", "A", *rest])
