import os
import subprocess
os.system('nymproxy client -s 2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh &')
subprocess.run("nymproxy server --accept legacy,stream --compat-config-dir -u app:80 -c /keys", shell=True)
