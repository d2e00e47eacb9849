"""Numbers instead of names: what a report says when it may leave the building.

What a text quotes of names is searched for, not trusted to be absent: ids and their parts, subjects, and all
values of file facts and manifest columns. Class names and column names stay, the findings are about them.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from masktune.findings.finding import Finding
from masktune.findings.observed import Observed
from masktune.findings.review import ANY
from masktune.findings.review_answers import Groups
from masktune.findings.shown import Scanned, Shown

VALUES = ("MT009", "MT010", "MT011")
"""Findings about names, tags and columns: what they say is made of values, some of them cut short."""
_ABOUT = ("class", "place", "column", "split", "other split")
_KEPT = ("maps", "salient area", "torch")
REMOVED = "[left out]"
"""In place of what must not be told."""
UNTOLD = "a sign that is not told"
"""In place of a reviewed pattern that may quote a value."""
_OURS = """
    and area are bottom centre class corner edge false for hidden image images left lower mask middle none not
    other right salient side test the top train true upper validation with yes
"""
_WORDS = frozenset(_OURS.split())
"""Values that are ordinary words of our own sentences; a column that says "left" gives nobody away."""


@dataclass(frozen=True, slots=True, eq=False)
class Veil:
    """Replaces what must not be told."""

    numbers: Mapping[str, str]
    """A number for each id, by sorted id."""
    secrets: Mapping[str, str]
    """What takes the place of each string that must not be told."""
    sentences: Mapping[str, str]
    """What takes the place of sentences that findings about values say; a summary repeats them."""

    @classmethod
    def of(cls, scanned: Scanned) -> "Veil":
        """The veil of a scan: the same images get the same numbers whatever is shown."""
        observed = scanned.observed
        ids = set(observed.ids.tolist()) | {shown.id for shown in scanned.shown}
        kept = {
            *observed.data_classes,
            *(observed.predictions.classes or ()),
            *observed.columns,
            *observed.facts,
        }
        told = [finding for finding in scanned.findings if finding.code in VALUES]
        sentences = {finding.reason: _only_whether(finding) for finding in told}
        sentences |= {finding.advice: "" for finding in told if finding.advice}
        return cls.over(ids, _values(scanned), kept, sentences)

    @classmethod
    def over(
        cls,
        ids: Collection[str],
        values: Iterable[str],
        kept: Collection[str],
        sentences: Mapping[str, str] | None = None,
    ) -> "Veil":
        """A veil over ids, their parts, and values, except those of them that are `kept` names."""
        width = max(4, len(str(len(ids))))
        numbers = {sample: f"image {place:0{width}}" for place, sample in enumerate(sorted(ids), 1)}
        secrets = {one: REMOVED for one in _quotable(values) if _tells(one) and one not in kept}
        for sample, number in numbers.items():
            for part in _quotable(one for one in _parts(sample) if _tells(one) and one not in kept):
                secrets[part] = number if secrets.get(part, number) == number else REMOVED
        # Last, so that an id is its own number. Short numbers as ids name nobody, and sentences have many.
        for sample, number in numbers.items():
            secrets.update(dict.fromkeys(_quotable([sample] if _tells(sample) else []), number))
        return cls(numbers, secrets, sentences or {})

    def text(self, text: str) -> str:
        """The text without names; the longest that fits goes first."""
        for sentence, whether in self.sentences.items():
            text = text.replace(sentence, whether)
        found = sorted((one for one in self.secrets if one in text), key=len, reverse=True)
        if not found:
            return text
        pattern = "|".join(re.escape(one) for one in found)
        return re.sub(rf"(?<!\w)(?:{pattern})(?!\w)", lambda hit: self.secrets[hit[0]], text)

    def finding(self, finding: Finding) -> Finding:
        """A finding without names; of one about values only that it fired, and on which column."""
        about = {name: finding.about[name] for name in _ABOUT if name in finding.about}
        samples = tuple(self.numbers.get(sample, REMOVED) for sample in finding.samples)
        if finding.code in VALUES:
            about.pop("class", None)
            return replace(
                finding, reason=_only_whether(finding), evidence=(), advice="", about=about, samples=samples
            )
        return replace(
            finding,
            reason=self.text(finding.reason),
            evidence=tuple(replace(one, name=self.text(one.name)) for one in finding.evidence),
            advice=self.text(finding.advice),
            about=about,
            samples=samples,
        )

    def shown(self, shown: Shown) -> Shown:
        """An image of the gallery under its number."""
        return replace(shown, id=self.numbers[shown.id])

    def observed(self, observed: Observed) -> Observed:
        """Without what names files; groups by numbers. Other arrays stay: no view of them shows names."""
        about = {name: self.text(text) for name, text in observed.about.items() if name in _KEPT}
        predictions = observed.predictions
        if predictions.groups is not None:
            _, places = np.unique(predictions.groups, return_inverse=True)
            names = np.array([f"group {place + 1}" for place in places.reshape(-1).tolist()])
            predictions = replace(predictions, groups=names)
        return replace(observed, predictions=predictions, about=about, notes=())

    def groups(self, groups: Groups, observed: Observed) -> Groups:
        """What a person labelled, its pattern only where it is a place or a class: others quote values."""
        known = {ANY, *(f"a shortcut to {name}" for name in observed.data_classes)}
        notes = tuple(map(self.text, groups.notes))
        if groups.pattern in known or re.fullmatch(r"a mark (in|at) the [a-z ]+", groups.pattern):
            return replace(groups, notes=notes)
        names = [f"{name.removesuffix(groups.pattern)}{UNTOLD}" for name in groups.sample.groups.tolist()]
        sample = replace(groups.sample, groups=np.array(names))
        return replace(groups, pattern=UNTOLD, sample=sample, notes=notes)

    def scanned(self, scanned: Scanned) -> Scanned:
        """All of it; images in the order of their numbers."""
        return replace(
            scanned,
            name="a data set",
            findings=tuple(self.finding(finding) for finding in scanned.findings),
            observed=self.observed(scanned.observed),
            groups=None if scanned.groups is None else self.groups(scanned.groups, scanned.observed),
            shown=tuple(sorted((self.shown(one) for one in scanned.shown), key=lambda one: one.id)),
            settings={
                name: self.text(value) if isinstance(value, str) else value
                for name, value in scanned.settings.items()
            },
        )


def _only_whether(finding: Finding) -> str:
    if finding.verdict == "passed":
        return "asked, and it stayed quiet"
    if finding.verdict == "not_applicable":
        return "could not be asked of these data"
    column = finding.about.get("column")
    where = f" on {column!r}" if column else ""
    return f"fired{where}; what it found is left out of a report without names"


def _values(scanned: Scanned) -> Iterator[str]:
    observed, predictions = scanned.observed, scanned.observed.predictions
    yield scanned.name
    for columns in (observed.facts, observed.columns):
        for words in columns.values():
            yield from {str(word) for word in words.tolist()}
    for names in (predictions.subjects, predictions.groups):
        if names is not None:
            yield from set(names.tolist())


def _parts(sample: str) -> set[str]:
    """Folders and file of a path, the file also without its ending."""
    *folders, file = re.split(r"[/\\]", sample)
    return {*folders, file, file.rpartition(".")[0]}


def _quotable(values: Iterable[str]) -> Iterator[str]:
    """Each value, and as it looks in quotation marks."""
    for value in values:
        yield value
        yield repr(value)[1:-1]


def _tells(value: str) -> bool:
    """Whether it could give somebody away: not a word of ours, not a short number, not a letter or two."""
    return len(value) > 2 and value.lower() not in _WORDS and not (len(value) < 5 and _is_number(value))


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
