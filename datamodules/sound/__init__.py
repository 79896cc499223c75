"""Sound with the pictures that follow it: pairs, their cache, pieces, the embedded music."""
