"""Many runs by one command: which they are, what is left to do of each, and doing it."""
