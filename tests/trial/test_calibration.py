import re
from pathlib import Path

from masktune.trial.calibration import DID_NOT, HELPED, measured_in_words

PAGE = Path(__file__).resolve().parents[2] / "docs" / "results" / "verdict.md"


def test_what_is_told_beside_a_verdict_is_what_was_measured():
    rows = dict(re.findall(r"^\| (rose|did not) \| (\d+ \| \*\*\d+)", PAGE.read_text(), re.MULTILINE))
    for truth, counts in (("rose", HELPED), ("did not", DID_NOT)):
        trials, said = map(int, rows[truth].replace("*", "").split("|"))
        assert counts == (said, trials)


def test_in_words_with_exact_intervals():
    # Clopper and Pearson by hand: no hit in 72 has the upper end 1 - 0.025 ** (1 / 72).
    assert round(100 * (1 - 0.025 ** (1 / 72))) == 5
    assert measured_in_words() == (
        "how far this verdict can be trusted: on digits and made images whose groups it did not see it found "
        "30 of 39 true gains in the worst group (77 %, 61 to 89), and called 0 of 72 trials without one "
        "helped (0 %, 0 to 5)"
    )
