import re
if re.search("Starting session:", line): pass
