"""From what the command line is given to a classifier that fits the data, or one line why not."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from masktune.errors import InputError
from masktune.models.assembly import Assembled, assemble
from masktune.models.classifier import Classifier
from masktune.models.heads import Head, fresh_head, keep_logit
from masktune.models.named import NamedNet
from masktune.models.specs import InputOverrides
from masktune.models.target import target_index
from masktune.models.weight_files import WeightFile
from masktune.seeds import seed_of
from masktune.types import InputSpec, check_choice

HeadChoice = Literal["as_is", "fresh"]

_FRESH = "fresh head"


@final
@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A classifier that is ready for the data, and how it came about."""

    classifier: Classifier
    """In eval mode, on the CPU, in float32."""
    weight_file: WeightFile | None
    """Where its weights come from and how to write them back; None where they are random or in code."""
    spec: InputSpec
    """What it wants as input: the same as the classifier's."""
    notes: tuple[str, ...]
    """Sentences for a person: what was taken from where, what was left out, what was made anew."""
    fresh: bool = False
    """Whether its head, or all of it, has random weights: it has learnt nothing of these classes yet."""


def load_classifier(
    name: str,
    *,
    weights: Path | str | None = None,
    classes: tuple[str, ...] | None = None,
    head: HeadChoice = "as_is",
    target: int | str | None = None,
    overrides: InputOverrides = InputOverrides(),  # noqa: B008 - it is frozen.
    seed: int = 0,
    allow_download: bool = False,
    random_ok: bool = False,
) -> LoadedModel:
    """Build a net by name, load its weights with every key in its place, and fit its head to the data.

    Args:
        name: `timm:NAME`, `torchvision:NAME`, `hf:DIR`, `package.module:function`, `file.py:function`.
        weights: a file of weights; `hf:` brings its own, and so may a function.
        classes: names of the data's classes in the order of its labels; the net's own without.
        head: `fresh` replaces a head that has another number of logits than the data has classes.
        target: of several logits the one that makes the two-class head [0, z], by number or by the net's own
            name.
        overrides: what to change in the input that the model's config asks for.
        seed: of random weights; the global generators stay as they were.
        allow_download: timm's and torchvision's own weights, or a model of the hub, may be fetched.
        random_ok: a net of timm or torchvision without weights is wanted.

    Raises:
        InputError: what is asked for does not fit together; the message says what would.
        DataNotFound: no such file, folder or module.
        DataDamaged: the file of weights is damaged, or something else.
        MissingExtra: a library is not installed.
    """
    check_choice("head", head, ("as_is", "fresh"))
    _check_classes(classes, head, target)
    made = assemble(
        name,
        weights=None if weights is None else Path(weights),
        classes=None if classes is None else len(classes),
        overrides=overrides,
        seed=seed,
        allow_download=allow_download,
        random_ok=random_ok,
    )
    names, notes = _fit_head(made, _Wish(classes, head, target, seed))
    classifier = Classifier(made.named.net.float(), made.spec, names).eval()
    # Whether what a function builds has been trained nobody knows; without a file of weights it is rarely so.
    random = made.weight_file is None and (not made.named.trained or made.named.scheme == "function")
    fresh = random or any(note.startswith(_FRESH) for note in notes)
    return LoadedModel(classifier, made.weight_file, made.spec, (*made.notes, *notes), fresh)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the head should be."""

    classes: tuple[str, ...] | None
    head: HeadChoice
    target: int | str | None
    seed: int


def _check_classes(classes: tuple[str, ...] | None, head: HeadChoice, target: int | str | None) -> None:
    if head == "fresh" and classes is None:
        raise InputError("expected the names of the classes for a fresh head; pass --classes a,b,c")
    if target is None:
        return
    if head == "fresh":
        raise InputError("expected --target or a fresh head, got both: a fresh head has the data's classes")
    if classes is not None and len(classes) != 2:
        raise InputError(f"--target makes a head of two classes, but the data have {len(classes)}")


def _fit_head(made: Assembled, wish: _Wish) -> tuple[tuple[str, ...], list[str]]:
    """Give the net the head that the data need; the names of its classes, and what was done."""
    named, head = made.named, made.head
    _check_missing(named, head, wish)
    wanted = len(wish.classes) if wish.classes else head.logits
    if wish.target is not None:
        return _one_logit(made, wish)
    if wish.head == "fresh" and (named.missing or made.headless or head.logits not in _serving(wanted)):
        fresh_head(named.net, head, wanted, seed_of(wish.seed, "fresh head"))
        before = "none" if made.headless or named.missing else str(head.logits)
        return _names(wish.classes, wanted, None), [f"{_FRESH}: {before} -> {wanted} classes"]
    if made.headless:
        raise InputError(f"{named} has no head, only features; pass weights with a head")
    if named.multi_label and head.logits > 1 and wanted == 2:
        raise InputError(
            f"{named} answers {head.logits} separate questions (multi-label), and the data have two classes; "
            f"pass --target with one of {_listed(named, head)}"
        )
    if head.logits in _serving(wanted):
        return _names(wish.classes, max(head.logits, 2), named.classes), _order_note(named, wish.classes)
    return _other_count(named, head, wish)


def _serving(classes: int) -> tuple[int, ...]:
    """The numbers of logits that serve so many classes; one logit serves two."""
    return (1, 2) if classes == 2 else (classes,)


def _check_missing(named: NamedNet, head: Head, wish: _Wish) -> None:
    """What the net's own weights lack may be its head, where a fresh one is wanted, and nothing else."""
    others = [key for key in named.missing if not any(key.startswith(f"{path}.") for path in head.paths)]
    if others or (named.missing and wish.head != "fresh"):
        first = (others or named.missing)[0]
        hint = "" if others else "; they are those of the head, which a fresh one could replace in training"
        raise InputError(f"the weights of {named} lack {len(named.missing)} keys (first: {first}){hint}")


def _one_logit(made: Assembled, wish: _Wish) -> tuple[tuple[str, ...], list[str]]:
    """Cut the head down to the logit that is asked for."""
    named, head = made.named, made.head
    index = target_index(wish.target, named.classes, head.logits)
    if head.logits > 1:
        keep_logit(named.net, head, index)
    name = named.classes[index] if named.classes and head.logits > 1 else f"logit {index}"
    names = wish.classes or (f"not {name}", name)
    note = f"logit {index} of {head.logits} ({name}) alone is used: above 0 is {names[1]!r}"
    return names, [note]


def _other_count(named: NamedNet, head: Head, wish: _Wish) -> tuple[tuple[str, ...], list[str]]:
    """More logits than classes: the net's own classes stay, so that its predictions can still be masked."""
    wanted = len(wish.classes or ())
    if head.logits < wanted:
        raise InputError(
            f"{named} has {head.logits} logits and the data have {wanted} classes; pass the --classes "
            "that the net was trained on, or other weights"
        )
    note = f"the net has {head.logits} logits and the data have {wanted} classes: the net's own classes stay"
    return _names(None, head.logits, named.classes), [note]


def _names(wanted: tuple[str, ...] | None, count: int, own: tuple[str, ...] | None) -> tuple[str, ...]:
    """The data's names, else the net's own, else numbers."""
    if wanted is not None and len(wanted) == count:
        return wanted
    if own is not None and len(own) == count:
        return own
    return tuple(f"class {place}" for place in range(count))


def _order_note(named: NamedNet, classes: tuple[str, ...] | None) -> list[str]:
    """A net that names the data's classes in another order was trained with other labels."""
    if classes is None or named.classes is None or len(named.classes) != len(classes):
        return []
    own = [name.casefold() for name in named.classes]
    here = {name.casefold(): name for name in classes}
    if sorted(own) != sorted(here) or own == list(here):
        return []
    order = ",".join(here[name] for name in own)
    return [f"the net names its classes in another order than the data; pass --classes {order}"]


def _listed(named: NamedNet, head: Head) -> str:
    """The first of the logits' names, or their numbers."""
    if named.classes is None or len(named.classes) != head.logits:
        return f"0 to {head.logits - 1}"
    more = ", ..." if head.logits > 6 else ""
    return ", ".join(repr(name) for name in named.classes[:6]) + more
