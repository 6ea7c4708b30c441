import subprocess
BINARY = "/opt/nym/nym-proxy-client"

class Proxy:
    program = "nym-proxy-server"

    def start(self):
        subprocess.Popen([self.program, "-u", "a:1"])

subprocess.run([BINARY, "-s", address])
subprocess.run(["ssh", host, "nymproxy", "client", "-s", address])
