from hypothesis import settings

# The first call of a checked function is slow, on a busy machine too slow for hypothesis.
settings.register_profile("masktune", deadline=None, max_examples=25)
settings.load_profile("masktune")
