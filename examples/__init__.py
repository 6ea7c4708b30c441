"""Examples; see README.md."""
