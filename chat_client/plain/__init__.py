"""The front end of one column, for pipes and scripts."""
