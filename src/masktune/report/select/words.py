"""What a selection says, in sentences: is the vote worth its second model?"""

from masktune.abstention import ENSEMBLE, Areas, Selected
from masktune.evaluation import Rate
from masktune.report.select.tables import area, change, spread, worst_of


def verdict_of_select(selected: Selected) -> list[str]:
    """The vote against each model alone, two ordinary trainings and the controls' votes; groups."""
    vote, score = selected.headline, selected.settings.scores[0]
    n = len(selected.lines[0].test)
    seeds = f"{len(vote.seeds)} seeds" if len(vote.seeds) > 1 else f"seed {vote.seeds[0]}"
    where = f"{n:,} images of {selected.settings.test}, {seeds}"
    first = f"{vote.title}, scored by {score}: AURC {area(vote.mean[0])} % on {where}."
    held = [_held(vote, other) for other in _others(selected, vote, score)]
    return [first, *held, *_of_groups(selected)]


def _others(selected: Selected, vote: Areas, score: str) -> list[Areas]:
    """What a second model is worth nothing without beating: softmax response, two seeds, other votes."""
    base = selected.baseline
    alone = [one for one in selected.areas if one.key == (vote.key[0], "sr")]
    votes = [
        one
        for one in selected.areas
        if one.key[1] == score and one.key != vote.key and one.title != vote.title
    ]
    votes.sort(key=lambda one: one.key[0] != ENSEMBLE)
    return [base, *alone, *votes]


def _held(vote: Areas, other: Areas) -> str:
    rate = vote.against[other.key]
    what = f"{other.title} ({other.key[1]})"
    return f"Against {what}: {change(rate)} points of AURC: {_judged(rate)}."


def _judged(rate: Rate) -> str:
    if rate.low is None or rate.high is None:
        return "not known"
    if rate.high < 0:
        return "the vote is better"
    return "the vote is worse" if rate.low > 0 else "no difference that these images show"


def _of_groups(selected: Selected) -> list[str]:
    vote, base = selected.headline, selected.baseline
    parts = {one.key: worst_of(selected, one) for one in (base, vote)}
    if not parts[vote.key] or not parts[base.key]:
        return []
    kind, asked = selected.point
    at = f"coverage {asked:.0%}" if kind == "coverage" else f"a risk of {asked:.2%} ({kind})"
    told = []
    for one in (base, vote):
        worst = parts[one.key]
        names = ", ".join(dict.fromkeys(part.group for part in worst))
        gap = spread([part.gap for part in worst])
        told.append(
            f"{one.title} ({one.key[1]}): {spread([part.risk.value for part in worst])} % ({names}), {gap} "
            "points above what abstaining without regard to groups would give"
        )
    return [f"Wrong among answered in the worst group at {at}: {'; '.join(told)}."]
