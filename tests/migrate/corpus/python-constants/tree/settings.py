NYM_BINARY = "nym-proxy-client"
"""Starts nym-proxy-client."""
