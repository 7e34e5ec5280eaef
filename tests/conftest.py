"""Settings that every test shares: the same examples on every run, and no clock."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "tamecheck",
    derandomize=True,
    deadline=None,
    print_blob=True,
    max_examples=40,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tamecheck")
