"""Reports of a scan, one module for each format."""
