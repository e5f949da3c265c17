"""What is of prompt_toolkit: kept thin."""
