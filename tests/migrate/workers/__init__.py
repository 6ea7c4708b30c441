"""The worker processes of nymproxy-migrate."""
