"""The profile of hypothesis for all tests.

`unit` tries the same examples every time, so that a run that was green is green again. `thorough` (`make test-all`) and
`deep` look further, at random.
"""

import os

from hypothesis import HealthCheck, settings

_CHECKS = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture)

settings.register_profile(
    "unit", deadline=None, max_examples=25, derandomize=True, database=None, suppress_health_check=_CHECKS
)
settings.register_profile("thorough", deadline=None, max_examples=200, database=None, suppress_health_check=_CHECKS)
settings.register_profile("deep", deadline=None, max_examples=2000, database=None, suppress_health_check=_CHECKS)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unit"))
