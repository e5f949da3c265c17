"""The store: SQL and nothing else. The rules decide what is written, and when."""
