"""Made sets with a column whose relation to the class and to the classifier is known."""

from dataclasses import dataclass

import numpy as np

from .observations import observed


def words(values):
    """As facts and columns come: strings, dtype object."""
    return np.array([str(value) for value in values], dtype=object)


@dataclass(frozen=True)
class Planted:
    """Two or more classes and a column that copies the label in `share` of the images.

    The margin is normal around 2; where `uses`, it is 3 lower on images whose column names another class.
    """

    n: int = 400
    classes: int = 2
    share: float = 0.95
    uses: bool = True
    seed: int = 0
    per_subject: int = 1

    @property
    def labels(self):
        return np.arange(self.n) // self.per_subject % self.classes

    @property
    def copied(self):
        """The class that each image's column names."""
        random = np.random.default_rng([self.seed, 1])
        units = np.arange(self.n) // self.per_subject
        kept = (random.random(self.n) < self.share)[units]
        other = (self.labels + random.integers(1, self.classes, self.n)[units]) % self.classes
        return np.where(kept, self.labels, other)

    @property
    def site(self):
        """The column: "site 0" for class 0."""
        return words(f"site {label}" for label in self.copied)

    def observed(self, **more):
        random = np.random.default_rng([self.seed, 2])
        margin = random.normal(2, 1, self.n) - 3 * (self.uses * (self.copied != self.labels))
        logits = np.zeros((self.n, self.classes))
        logits[np.arange(self.n), self.labels] = margin
        subjects = None if self.per_subject == 1 else np.arange(self.n) // self.per_subject
        return observed(self.labels, logits, **({"subjects": subjects} | more))


def chance(n, count, seed):
    """`count` columns that know nothing, numbers and words by turns; the words are in `columns`."""
    random = np.random.default_rng([seed, 3])
    numbers = {f"number {at}": random.normal(size=n) for at in range(count // 2)}
    named = {f"word {at}": words(random.integers(0, 4, n)) for at in range(count - count // 2)}
    return {"properties": numbers, "columns": named}
