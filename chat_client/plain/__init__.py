"""The front end in one column, for screen readers, pipes and scripts."""
