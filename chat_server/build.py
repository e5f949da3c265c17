"""The build that runs: compiled by mypyc, or pure Python, both from the same sources (see setup.py)."""

from importlib.machinery import EXTENSION_SUFFIXES

from chat_server import errors

# `errors` is one of the modules that the compiled build compiles.
BUILD = "compiled" if str(errors.__file__).endswith(tuple(EXTENSION_SUFFIXES)) else "pure Python"
