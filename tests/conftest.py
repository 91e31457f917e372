"""What all tests share: none asserts on time, so examples may take as long as a busy machine needs."""

import hypothesis

hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")
