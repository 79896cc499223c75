"""Where data comes from, and the form in which it travels."""
