"""What a migration meets on this machine: checks, each with a verdict, its cause and what to do.

Reading (files, sockets, the directory) is kept apart from judging, which is pure.
"""
