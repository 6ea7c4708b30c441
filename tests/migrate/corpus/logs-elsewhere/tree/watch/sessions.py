import re
if re.search('Starting session:', line):
    count += 1
