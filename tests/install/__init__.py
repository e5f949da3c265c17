"""Tests of what is installed: the Debian package, on a machine of its own. `make test-install` runs them, as root."""
