"""What the commands do, apart from reading their arguments; `properties.cli` reads those."""
