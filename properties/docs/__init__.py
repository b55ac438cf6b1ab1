"""The documentation, derived from docstrings, citations and catalogues: nothing is written twice."""
