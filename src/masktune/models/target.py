"""Which of several logits is meant."""

from masktune.errors import InputError, near


def target_index(target: int | str | None, names: tuple[str, ...] | None, count: int) -> int:
    """The logit's place, from a number or from one of the net's own names of its classes.

    Raises:
        InputError: no such logit; near names are listed.
    """
    known = names if names is not None and len(names) == count else ()
    word = str(target).strip()
    if word in known:
        return known.index(word)
    if word.lstrip("-").isdigit():
        if 0 <= int(word) < count:
            return int(word)
        raise InputError(
            f"expected --target from 0 to {count - 1}, since the net has {count} logits, got {word}"
        )
    folded = [name.casefold() for name in known]
    if folded.count(word.casefold()) == 1:
        return folded.index(word.casefold())
    if not known:
        raise InputError(f"the net has no names for its logits; give --target by number, 0 to {count - 1}")
    raise InputError(f"the net has no class {word!r}{near(word, known)}; --target takes a number too")
