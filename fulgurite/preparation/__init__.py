"""What ``lightning prepare`` does before a first run: unpack, recognise, open, show. The data modules read the data."""
