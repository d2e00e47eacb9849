"""Training from the start weights by an objective of a method's own; what ERM does by the mean loss."""

from dataclasses import replace

from torch import nn

from masktune.data.base import Dataset
from masktune.methods.base import Fitted, Task
from masktune.methods.groups import check_selection
from masktune.models.classifier import Classifier
from masktune.models.weights import load_weights
from masktune.training.checkpoints import TrainState
from masktune.training.loop import Work
from masktune.training.objective import Objective
from masktune.training.resume import train_to_end
from masktune.training.selection import score_by
from masktune.training.together import predict_all
from masktune.types import InputSpec, Selection


def state_of_outputs(
    module: nn.Module, spec: InputSpec, names: tuple[str, ...], task: Task, nets: int = 1
) -> TrainState:
    """The state of training a module that takes images in [0, 1] and normalises them itself.

    To the loop it is a classifier of as many classes as it has outputs.

    Args:
        module: what is trained.
        spec: of the images.
        names: of its outputs.
        task: whose optimiser and device.
        nets: how many nets an image goes through.
    """
    plain = replace(spec, mean=(0.0,), std=(1.0,))
    both = Classifier(module, plain, names).to(task.here.device)
    return TrainState(both, task.training.make_optimizer(both.parameters()), nets=nets)


def trained_by(
    objective: Objective,
    name: str,
    task: Task,
    method: object,
    *,
    selection: Selection,
    data: Dataset | None = None,
    twins: tuple[TrainState, Classifier] | None = None,
    spent: int = 0,
) -> Fitted:
    """Train, or go on from what an earlier run of the task left there; the weights of the chosen epoch count.

    Args:
        objective: what is made small, and in which order images come.
        name: of the method: its folder, and part of the seeds.
        task: with the group labels that the method declares, and no others.
        method: its settings, which a state that is gone on from must have been made with.
        selection: the rule that chooses the epoch.
        data: images to train on; those of the task if not given.
        twins: the state of two nets that are trained at once, and the one of them that is scored and given;
            the task's classifier if not given.
        spent: images of the task's budget that an earlier training of the method has read.

    Raises:
        InputError: the rule needs group labels that validation does not have.
        TrainingDiverged: see `train_to_end`.
    """
    check_selection(selection, task.validation, name)
    state = task.fresh_state() if twins is None else twins[0]
    result = state.classifier if twins is None else twins[1]
    state.objective = objective
    data = task.train if data is None else data
    training = task.training_within(objective.length(len(data)) * state.nets, spent=spent)

    def score(_: Classifier) -> float:
        what = f"{name}, validating"
        said = predict_all(result, task.validation, here=task.here, what=what, progress=task.progress)
        return score_by(selection, said)

    train_to_end(
        state,
        data,
        training,
        Work(task.seed, name, here=task.here, progress=task.progress),
        path=task.file(name, "state.pt"),
        score=None if selection == "last" else score,
        method=method,
    )
    if state.best is not None:
        load_weights(state.classifier, state.best.weights)
    return Fitted(result, selection, training.epochs, state.seconds, state.samples)
