"""Recordings of the real code at work, and the comparison of the model with them."""
