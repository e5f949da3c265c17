"""The store: SQL and nothing else. What may be written, and when, is for `rules` to say."""
