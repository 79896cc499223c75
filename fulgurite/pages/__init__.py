"""Pages that hold all they need: a report of one run, a comparison of several. One look, one way of writing them."""
