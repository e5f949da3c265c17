"""The whole server above the sockets in one thread, in virtual time, from a seed, with users who check what they see.

python -m tests.simulation 42    runs seed 42 once more, and prints what everybody said and saw
"""
