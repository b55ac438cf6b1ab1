"""Hypothesis profiles: `ci`, the same examples every time, and `long`, by HYPOTHESIS_PROFILE=long."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "ci", derandomize=True, deadline=None, database=None, max_examples=60, suppress_health_check=(HealthCheck.too_slow,)
)
settings.register_profile("long", deadline=None, max_examples=5000, suppress_health_check=(HealthCheck.too_slow,))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
