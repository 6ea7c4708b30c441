"""Rewrites: from what was judged to byte edits. Nothing here reads or writes files."""
