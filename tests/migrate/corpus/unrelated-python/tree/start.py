import subprocess
subprocess.run(["./client", "--server-address", host])
subprocess.Popen(["/srv/anonymizer/server", "-u", "127.0.0.1:80"])
subprocess.run(f"{BIN} --server-address {host}", shell=True)
