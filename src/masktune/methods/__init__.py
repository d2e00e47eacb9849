"""Methods: each turns training images into a classifier and declares which labels it reads; one file each."""

from masktune.methods.afr import AFR
from masktune.methods.base import Fitted, Method, Task
from masktune.methods.continue_erm import ContinueERM
from masktune.methods.cvar_dro import CVaRDRO
from masktune.methods.deep_gamblers import DeepGamblers
from masktune.methods.dfr import DFR, DFRTrain
from masktune.methods.erm import ERM
from masktune.methods.group_dro import GroupDRO
from masktune.methods.jtt import JTT
from masktune.methods.last_layer_balanced import LastLayerBalanced
from masktune.methods.least_salient_mask import LeastSalientMask
from masktune.methods.lff import LfF
from masktune.methods.masktune import MaskTune
from masktune.methods.osp import OSP
from masktune.methods.random_mask import RandomMask
from masktune.methods.resampling import RWG, RWY, SUBG, SUBY
from masktune.methods.sat import SAT
from masktune.methods.selectivenet import SelectiveNet
from masktune.methods.xrm import XRM

__all__ = [
    "AFR",
    "DFR",
    "ERM",
    "JTT",
    "OSP",
    "RWG",
    "RWY",
    "SAT",
    "SUBG",
    "SUBY",
    "XRM",
    "CVaRDRO",
    "ContinueERM",
    "DFRTrain",
    "DeepGamblers",
    "Fitted",
    "GroupDRO",
    "LastLayerBalanced",
    "LeastSalientMask",
    "LfF",
    "MaskTune",
    "Method",
    "RandomMask",
    "SelectiveNet",
    "Task",
]
