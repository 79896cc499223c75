"""How time, memory and disk of each system grow, and what that comes to where data are large."""
