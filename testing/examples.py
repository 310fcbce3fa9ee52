"""A pytest plugin: Hypothesis draws the same examples everywhere, however slow the machine is.

Whoever looks for others runs a test's long form, which draws many more, and others each time.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "suite", deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile("suite")
