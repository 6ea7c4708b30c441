"""The demo: a whole migration of a copy of an old deployment, rewritten commands running."""
