"""Results as one page for a browser: tables, plots, and where all of it comes from."""
