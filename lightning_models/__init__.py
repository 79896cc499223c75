"""What is learned: one folder per system, and the parts that they share."""
