"""What holds for all tests."""

from hypothesis import settings

# How long one example takes says what else the machine does. What has a bound of ours has it in its test.
settings.register_profile("any machine", settings(), deadline=None)
settings.load_profile("any machine")
