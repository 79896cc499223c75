"""What ``lightning doctor`` looks at. Every part works where other packages are broken: it imports them as it goes."""
