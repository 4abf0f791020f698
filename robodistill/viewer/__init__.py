"""The web viewer: results of every stage in a browser."""
