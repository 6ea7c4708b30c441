"""Running proxies for years: one process, its forwards, and what it tells its operator."""
