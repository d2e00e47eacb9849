from masktune.bench import estimate


def test_an_estimate_counts_what_a_run_consists_of(recipe):
    one, three = (estimate(recipe(seeds=seeds)) for seeds in ((0,), (0, 1, 2)))
    assert one.images == {"train": 256, "validation": 64, "raw": 120, "aligned": 120, "conflicting": 120}
    assert three.megabytes == 3 * one.megabytes
    # One seed: 2 + 1 epochs of 256 images; predictions of 64 in each epoch and of 64 + 360 for each of two
    # methods; maps of 256.
    expected = 256 * 3 / one.training_speed + (64 * 2 + (64 + 360) * 2 + 256) / one.prediction_speed
    assert abs(one.seconds - expected) < 1e-9
