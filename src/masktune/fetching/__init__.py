"""The official data sets from the network, and IN-9L from a user's own ImageNet.

Nothing else in masktune uses the network unasked; `masktune data get` is its only caller.
"""

from masktune.fetching.getting import Got, get
from masktune.fetching.imagenet9 import BuildIN9, BuiltIN9, build_in9
from masktune.fetching.measure import amount
from masktune.fetching.origins import ORIGINS, origin_of
from masktune.fetching.sources import Origin

__all__ = ["ORIGINS", "BuildIN9", "BuiltIN9", "Got", "Origin", "amount", "build_in9", "get", "origin_of"]
