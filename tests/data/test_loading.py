import pickle

import numpy as np
import torch

from masktune.data import InMemory, Subset, WithoutGroups, loading
from masktune.data.loading import drawn, workers_of

CPU = torch.device("cpu")


def numbered(n=10, workers=None):
    images = torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).expand(n, 1, 2, 2).contiguous()
    data = InMemory(images, np.zeros(n, dtype=np.int64), np.array([f"{i}" for i in range(n)]), ("a", "b"))
    if workers is not None:
        data.workers = workers
    return data


def parts():
    return [
        torch.tensor([3, 1]),
        torch.tensor([9, 0, 2]),
        torch.tensor([], dtype=torch.int64),
        torch.tensor([5]),
    ]


def ids(batches):
    return [batch.ids for batch in batches]


EXPECTED = [("3", "1"), ("9", "0", "2"), (), ("5",)]


def test_in_the_order_of_the_work():
    assert ids(drawn(numbered(), parts(), CPU)) == EXPECTED


def test_read_ahead_is_the_same_and_never_more_than_two_ahead():
    read = []

    class Watched(InMemory):
        def __getitems__(self, positions):
            read.append(positions)
            return super().__getitems__(positions)

    data = numbered()
    data.__class__ = Watched
    found = loading._ahead(data, parts(), 2)
    assert next(found).ids == EXPECTED[0]
    assert len(read) <= 3
    assert ids(found) == EXPECTED[1:]


def test_processes_give_the_same_batches():
    data = numbered(workers=2)
    batches = list(drawn(data, parts(), CPU))
    assert ids(batches) == EXPECTED
    assert batches[1].images[:, 0, 0, 0].tolist() == [9, 0, 2]


def test_batches_can_be_made_by_spawned_processes():
    # What a DataLoader sends to a new interpreter, as on macOS.
    assert pickle.loads(pickle.dumps(loading._as_it_is)) is loading._as_it_is


def test_workers_are_found_through_wrappers():
    data = numbered(workers=3)
    assert workers_of(Subset(WithoutGroups(data), torch.arange(4))) == 3
    assert workers_of(numbered()) == 0
