"""Numbers as text; what is undefined is a dash."""

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
    return DASH if low is None or high is None else f"{number(low)} to {number(high)}"


def p_value(value: float | None) -> str:
    """Two digits; very small ones as a bound."""
    if value is None or value != value:
        return DASH
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def points(share: float) -> str:
    """A difference of shares as percentage points, with its sign: "+2.5"."""
    return f"{100 * share:+.1f}".replace("-", "−")


def percent(share: float, digits: int = 0) -> str:
    """A share as per cent: "12 %"."""
    return f"{100 * share:.{digits}f} %".replace("-", "−")
