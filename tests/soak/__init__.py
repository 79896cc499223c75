"""Promises about reliability, each tried many times: ``make soak`` tries all cases, ``make test`` a few of each."""
