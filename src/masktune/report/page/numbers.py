"""Numbers as text; what is undefined is a dash."""

from collections.abc import Callable

DASH = "–"


def number(value: float | None) -> str:
    """Three decimals, or three digits where that is more: 0.042, 12.3, 1234."""
    if value is None or value != value:
        return DASH
    if value == int(value) and abs(value) >= 10:
        return f"{value:.0f}"
    size = abs(value)
    return f"{value:.{3 if size < 10 else 1 if size < 1000 else 0}f}".replace("-", "−")


def interval(low: float | None, high: float | None) -> str:
    """Both ends, or a dash where one is missing."""
    return _ends(low, high, number)


def p_value(value: float | None) -> str:
    """Two digits; very small ones as a bound."""
    if value is None or value != value:
        return DASH
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def points(share: float | None) -> str:
    """A difference of shares as percentage points, with its sign: "+2.5"."""
    if share is None or share != share:
        return DASH
    return f"{100 * share:+.1f}".replace("-", "−")


def points_between(low: float | None, high: float | None) -> str:
    """Both ends of such a difference: "−0.5 to +5.5"."""
    return _ends(low, high, points)


def change_in_words(value: float | None, low: float | None, high: float | None) -> str:
    """Such a difference with its interval: "+2.5 points (−0.5 to +5.5)"."""
    return f"{points(value)} points ({points_between(low, high)})"


def percent(share: float | None, digits: int = 0) -> str:
    """A share as per cent: "12 %"."""
    if share is None or share != share:
        return DASH
    return f"{100 * share:.{digits}f} %".replace("-", "−")


def percent_between(low: float | None, high: float | None) -> str:
    """Both ends of a share in per cent: "74.1 to 85.0"."""
    return _ends(low, high, lambda share: f"{100 * share:.1f}")


def rate_in_words(value: float | None, low: float | None, high: float | None) -> str:
    """A share with its interval: "80.0 % (74.1 to 85.0)"."""
    return f"{percent(value, 1)} ({percent_between(low, high)})"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, two digits or more: "9.5 s", "12 min"."""
    for size, word in ((3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.{1 if seconds < 10 * size else 0}f} {word}"
    return f"{seconds:.{1 if 0 < seconds < 10 else 0}f} s"


def _ends(low: float | None, high: float | None, text: Callable[[float], str]) -> str:
    if low is None or high is None or low != low or high != high:
        return DASH
    return f"{text(low)} to {text(high)}"
