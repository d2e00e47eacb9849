"""How a training step runs fastest on this machine, and how close a whole epoch comes to the bare step.

    python benchmarks/training_speed.py

First part: one bare step of each net (forward, backward, optimiser) on tensors already in memory, in every
combination of threads, memory format, number type and `torch.compile`; median of the steps. The rule of
`training/execution.py` was settled by such tables. Second part: a whole epoch of `train` on 48,000 images in
memory beside the bare step of the same net in the same execution, interleaved.
"""

import argparse
import itertools
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from masktune import Classifier, InputSpec
from masktune.data import InMemory
from masktune.models import SmallCNN
from masktune.training import Execution, Training, TrainState, Work, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--compile", action="store_true", help="also compiled (minutes)")
    parser.add_argument(
        "--vision", action="store_true", help="also EfficientNet-Lite0 and ResNet-18 at 224 px"
    )
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    cpu = torch.cpu
    units = f"AMX {cpu._is_amx_tile_supported()}, AVX512-BF16 {cpu._is_avx512_bf16_supported()}"
    load = os.getloadavg()[0]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {units}, load {load:.1f}, torch {torch.__version__}\n"
    )
    print("| net | batch | threads | channels_last | bfloat16 | compiled | images/s | of the plain |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    bare_table("SmallCNN, 28 px", SmallCNN, 28, 128, args.steps, args.compile)
    if args.vision:
        import timm
        import torchvision

        bare_table("ResNet-18, 224 px", torchvision.models.resnet18, 224, 16, 5, False)
        lite = lambda: timm.create_model("tf_efficientnet_lite0")  # noqa: E731
        bare_table("EfficientNet-Lite0, 224 px", lite, 224, 16, 5, False)
    print()
    epoch_beside_step(args.rounds)


def bare_table(
    name: str, make: Callable[[], nn.Module], size: int, batch: int, steps: int, compiled: bool
) -> None:
    """Print one line a combination."""
    most = os.cpu_count() or 1
    plain = 0.0
    for threads, last, half, whole in itertools.product(
        sorted({most, 1}, reverse=True), (False, True), (False, True), (False, True) if compiled else (False,)
    ):
        torch.set_num_threads(threads)
        net = make()
        speed = bare_speed(net, size, batch, steps, Execution(bfloat16=half, channels_last=last), whole)
        plain = plain or speed
        words = " | ".join("yes" if on else "no" for on in (last, half, whole))
        print(f"| {name} | {batch} | {threads} | {words} | {speed:.0f} | {speed / plain:.2f} |", flush=True)
    torch.set_num_threads(most)


def bare_speed(
    net: nn.Module, size: int, batch: int, steps: int, execution: Execution, compiled: bool = False
) -> float:
    """Images a second of a step on tensors that lie ready in the right format."""
    execution.lay_out(net)
    step = bare_step(net, size, batch, execution, compiled)
    for _ in range(3):
        step()
    return batch / statistics.median(timed(step) for _ in range(steps))


def bare_step(
    net: nn.Module, size: int, batch: int, execution: Execution, compiled: bool = False
) -> Callable[[], None]:
    """Forward, backward, optimiser: nothing else."""
    training = Training()
    optimizer = training.make_optimizer(net.parameters())
    images, labels = torch.rand(batch, 3, size, size), torch.randint(0, 2, (batch,))
    if execution.channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    called = torch.compile(net) if compiled else net

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with execution.autocast(torch.device("cpu")):
            logits = called(images)
        cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    return step


def epoch_beside_step(rounds: int) -> None:
    """A whole epoch of our loop beside the bare step, A B A B."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (48_000, 3, 28, 28), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 2, (48_000,), generator=generator).numpy()
    data = InMemory(pixels, labels, torch.arange(48_000).numpy().astype(str), ("0", "1"))
    training = Training(epochs=1)
    execution = Execution.choose(training.precision, torch.device("cpu"))
    epochs, steps = [], []
    for _ in range(rounds):
        bare = SmallCNN()
        execution.lay_out(bare)
        step = bare_step(bare, 28, training.batch_size, execution)
        for _ in range(3):
            step()
        # As many steps as an epoch has, so that both see the same minute of a shared machine.
        steps.append(training.batch_size * 375 / timed(lambda step=step: [step() for _ in range(375)]))
        classifier = Classifier(SmallCNN(), InputSpec((28, 28)), data.classes)
        state = TrainState(classifier, training.make_optimizer(classifier.parameters()))
        (report,) = train(state, data, replace(training, epochs=1), Work(seed=0))
        epochs.append(report.images / report.seconds)
    ratio = statistics.median(epoch / step for epoch, step in zip(epochs, steps, strict=True))
    print(f"execution: {execution}, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}")
    print(f"whole epoch: {statistics.median(epochs):.0f} images/s")
    print(f"bare step:   {statistics.median(steps):.0f} images/s")
    print(f"epoch / bare step: {ratio:.2f} (median of {rounds} rounds)")


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
