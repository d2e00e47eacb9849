"""What a swap says: whether a place decides on a class, and whether it is a mark and not the object."""

from masktune.evaluation import Rate, t_interval
from masktune.findings.observed import Transplant

LEAST = 10
"""Images of the class and of others that must have been tried."""
GAIN = 0.15
"""A probability that a swapped place must carry along, at the lower end of its interval, for a problem."""
SLIGHT = 0.05
"""The same for a hint."""
MARK = 0.15
"""Above this correlation the class's images have the same thing there: two unrelated patches have none."""


def is_tried(one: Transplant) -> bool:
    """Whether there were images enough."""
    return min(len(one.gain), len(one.loss)) >= LEAST


def is_mark(one: Transplant) -> bool:
    """Whether the spot can be told from the object: off the centre, with the same thing in every image."""
    return one.spot.place != "centre" and one.recurs >= MARK and one.recurs > one.recurs_elsewhere


def gain_of(one: Transplant) -> Rate:
    """The probability that the class gains where the place comes from it."""
    return t_interval(one.gain.tolist())


def loss_of(one: Transplant) -> Rate:
    """The probability that the class loses where the place comes from others."""
    return t_interval(one.loss.tolist())


def decides(one: Transplant) -> bool:
    """Whether the class surely goes with the place, by much one way and by something both ways."""
    gain, loss = gain_of(one).low or 0.0, loss_of(one).low or 0.0
    return max(gain, loss) >= GAIN and gain > SLIGHT


def is_no_object(one: Transplant) -> bool:
    """Whether what goes along can hardly be the object: a mark, or a corner or a border, which hold none."""
    return is_mark(one) or one.spot.place == "border" or one.spot.place.endswith("corner")


def is_part_of(place: str, whole: str) -> bool:
    """Whether a place lies within another: a corner in its edges, all but the centre in the border."""
    if place == whole or (whole == "border" and place != "centre"):
        return True
    return whole.endswith("edge") and place.endswith("corner") and whole.split()[0] in place.split()
