"""The callback for Hugging Face's Trainer, in the Trainer itself. Models are built from a config."""

import copy
import json
import shutil
from functools import partial
from types import SimpleNamespace

import pytest
import torch

pytest.importorskip("transformers")
pytest.importorskip("accelerate")
pytestmark = [
    pytest.mark.usefixtures("no_network"),
    pytest.mark.filterwarnings("ignore:.*pin_memory"),
    pytest.mark.filterwarnings("ignore:.*masks hide nothing"),  # Untrained nets have evidence for nothing.
]

from transformers import (  # noqa: E402
    ResNetConfig,
    ResNetForImageClassification,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    ViTConfig,
    ViTForImageClassification,
)

from integrations import import_without, pictures, same, tiny_net  # noqa: E402
from masktune import LayerCAM, Masker, MeanPlusStd, XGradCAM  # noqa: E402
from masktune.errors import DataNotFound, InputError, MasktuneWarning, MissingExtra  # noqa: E402
from masktune.integrations.transformers import FILE, MaskPixelValues  # noqa: E402

THRESHOLD = MeanPlusStd(1.0)


def resnet():
    torch.manual_seed(0)
    config = ResNetConfig(
        embedding_size=6, hidden_sizes=[6, 8], depths=[1, 1], layer_type="basic", num_labels=2
    )
    return ResNetForImageClassification(config)


def vit():
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=12,
        patch_size=4,
        num_labels=2,
        hidden_dropout_prob=0.2,
    )
    return ViTForImageClassification(config)


class Pictures(torch.utils.data.Dataset):
    def __init__(self, name="pixel_values"):
        self.name = name
        self.images, self.labels = pictures()

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return {self.name: self.images[index], "labels": self.labels[index]}


class Watched(Trainer):
    """Somebody's Trainer; it keeps what it gives to the model, and what arrives behind the model's door."""

    def __init__(self, model, **more):
        super().__init__(model, **more)
        self.given, self.seen, self.evaluated = [], [], []

        def arrives(module, args, kwargs):
            if module is model.base_model:  # The masker's copy has a base model of its own.
                images = kwargs.get("pixel_values", args[0] if args else None)
                (self.seen if module.training else self.evaluated).append(images.detach().clone())

        model.base_model.register_forward_pre_hook(arrives, with_kwargs=True)

    def compute_loss(self, model, inputs, **more):
        if model.training:
            self.given.append(inputs["pixel_values"].clone())
        return super().compute_loss(model, inputs, **more)


def trainer(folder, model, *callbacks, epochs=1, data=None, **changed):
    arguments = {
        "output_dir": str(folder),
        "num_train_epochs": epochs,
        "per_device_train_batch_size": 4,
        "learning_rate": 0.05,
        "use_cpu": True,
        "report_to": [],
        "save_strategy": "no",
        "logging_strategy": "epoch",
        "disable_tqdm": True,
    }
    return Watched(
        model,
        args=TrainingArguments(**arguments | changed),
        train_dataset=data or Pictures(),
        eval_dataset=Pictures(),
        callbacks=list(callbacks),
    )


def expected(net, batches):
    masker = Masker(net, threshold=THRESHOLD)
    return [masker(batch) for batch in batches]


def equal(first, second):
    torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.mark.parametrize("build", [resnet, vit])
def test_each_epoch_trains_on_what_the_start_weights_look_at(build, tmp_path):
    model, callback = build(), MaskPixelValues(threshold=THRESHOLD)
    start = copy.deepcopy(model)
    done = trainer(tmp_path, model, callback, epochs=2)
    done.train()
    assert len(done.seen) == 4
    equal(done.seen, expected(start, done.given))
    assert not torch.equal(torch.cat(done.seen), torch.cat(done.given))
    assert not same(start.state_dict(), model.state_dict())
    assert callback.masker.statistics.n == 16


def test_evaluation_and_prediction_see_their_own_images(tmp_path):
    model = resnet()
    done = trainer(tmp_path, model, MaskPixelValues(threshold=THRESHOLD), epochs=2, eval_strategy="epoch")
    done.train()
    done.predict(Pictures())
    assert [len(images) for images in done.evaluated] == [8, 8, 8]
    for images in done.evaluated:
        equal(images, pictures()[0])


def test_from_epoch_takes_the_weights_of_that_epochs_beginning(tmp_path):
    kept = []

    class Keep(TrainerCallback):
        def on_epoch_begin(self, args, state, control, model=None, **others):
            kept.append(copy.deepcopy(model))

    done = trainer(tmp_path, resnet(), MaskPixelValues(from_epoch=1, threshold=THRESHOLD), Keep(), epochs=3)
    done.train()
    equal(done.seen[:2], done.given[:2])
    equal(done.seen[2:], expected(kept[1], done.given[2:]))
    assert not torch.equal(torch.cat(expected(kept[0], done.given[2:])), torch.cat(done.seen[2:]))


def test_masks_are_computed_in_float32_under_bfloat16_with_gradients_accumulated(tmp_path):
    model = resnet()
    start = copy.deepcopy(model)
    done = trainer(
        tmp_path,
        model,
        MaskPixelValues(threshold=THRESHOLD),
        bf16=True,
        gradient_accumulation_steps=2,
        per_device_train_batch_size=2,
    )
    done.train()
    assert done.state.global_step == 2
    equal(done.seen, expected(start, done.given))


def test_an_explainer_of_the_users_choice(tmp_path):
    model = resnet()
    start = copy.deepcopy(model)
    layer = "resnet.encoder.stages.0"
    callback = MaskPixelValues(explainer=partial(LayerCAM, layer=layer), threshold=THRESHOLD)
    done = trainer(tmp_path, model, callback)
    done.train()
    masker = Masker(start, explainer=LayerCAM(start, layer=layer), threshold=THRESHOLD)
    equal(done.seen, [masker(batch) for batch in done.given])


def test_images_of_another_name(tmp_path):
    class Renamed(Watched):
        def compute_loss(self, model, inputs, **more):
            return model(inputs["x"], labels=inputs["labels"]).loss

    model = resnet()
    start = copy.deepcopy(model)
    done = trainer(tmp_path, model, MaskPixelValues(threshold=THRESHOLD), data=Pictures("x"))
    done.__class__ = Renamed
    done.args.remove_unused_columns = False
    done.train()  # Given by position, images need no name.
    masked = Masker(start, threshold=THRESHOLD)(pictures()[0])
    assert all(any(torch.equal(image, one) for one in masked) for image in torch.cat(done.seen))


def test_inputs_without_images_are_refused(tmp_path):
    done = trainer(tmp_path, resnet(), MaskPixelValues(key="pixels"))
    with pytest.raises(InputError, match="images under 'pixels' among the model's inputs, got pixel_values"):
        done.train()


def checkpointed(folder, epochs, callback, resume=None):
    done = trainer(
        folder, resnet(), callback, epochs=epochs, save_strategy="epoch", lr_scheduler_type="constant"
    )
    done.train(resume_from_checkpoint=None if resume is None else str(resume))
    return done.model.state_dict()


def test_a_resumed_run_ends_with_the_same_bits(tmp_path):
    def masks(**more):
        return MaskPixelValues(threshold=THRESHOLD, **more)

    whole = checkpointed(tmp_path / "whole", 3, masks())
    checkpointed(tmp_path / "parts", 1, masks())
    saved = tmp_path / "parts" / "checkpoint-2"
    second = masks()
    assert same(whole, checkpointed(tmp_path / "parts", 3, second, saved))
    assert second.masker.statistics.n == 24  # Those before the break are counted.

    # Masks of the last weights instead of the first give another model.
    assert not same(whole, checkpointed(tmp_path / "parts", 3, masks(from_epoch=1), saved))

    # Elsewhere, and beside a checkpoint of the same number of another run.
    shutil.copytree(tmp_path / "whole" / "checkpoint-4", tmp_path / "other" / "checkpoint-2")
    with pytest.raises(DataNotFound, match=r"found those of another model.* from_epoch=1$"):
        checkpointed(tmp_path / "other", 3, masks(), saved)
    assert same(whole, checkpointed(tmp_path / "other", 3, masks(resume_from=saved), saved))


def test_a_run_resumed_in_the_middle_of_an_epoch_ends_with_the_same_bits(tmp_path):
    ends = []
    for resume in (None, str(tmp_path / "checkpoint-1")):
        callback = MaskPixelValues(threshold=THRESHOLD)
        done = trainer(tmp_path, resnet(), callback, epochs=2, save_strategy="steps", save_steps=1)
        done.train(resume_from_checkpoint=resume)
        ends.append(done.model.state_dict())
        assert callback.masker.statistics.n == 16
    assert same(*ends)
    assert len(done.seen) == 3  # Of the four batches one was trained on before.


def test_a_checkpoint_without_masks_is_refused_where_they_had_begun(tmp_path):
    with pytest.warns(MasktuneWarning, match="begins with epoch 1, .* ended after 1; .* from_epoch=0$"):
        checkpointed(tmp_path, 1, MaskPixelValues(from_epoch=1))
    with pytest.raises(
        DataNotFound, match=r"checkpoint-2.masktune.safetensors, found none; .* from_epoch=1$"
    ):
        checkpointed(tmp_path, 2, MaskPixelValues(), tmp_path / "checkpoint-2")


def test_a_run_that_did_not_mask_is_resumed_with_masks_of_its_last_weights(tmp_path):
    with pytest.warns(MasktuneWarning, match="begins with epoch 1, .* ended after 1; .* from_epoch=0$"):
        checkpointed(tmp_path, 1, MaskPixelValues(from_epoch=1))
    saved = tmp_path / "checkpoint-2"
    assert not (saved / FILE).exists()
    before = ResNetForImageClassification.from_pretrained(saved)
    done = trainer(tmp_path, resnet(), MaskPixelValues(from_epoch=1, threshold=THRESHOLD), epochs=2)
    done.train(resume_from_checkpoint=str(saved))
    equal(done.seen, expected(before, done.given))


def test_what_is_saved_is_the_model_alone(tmp_path):
    model = resnet()
    done = trainer(tmp_path, model, MaskPixelValues(threshold=THRESHOLD), save_strategy="epoch")
    done.train()
    assert (tmp_path / "checkpoint-2" / FILE).exists()
    done.save_model(str(tmp_path / "final"))
    assert FILE not in {path.name for path in (tmp_path / "final").iterdir()}
    for folder in ("checkpoint-2", "final"):
        loaded, found = ResNetForImageClassification.from_pretrained(
            tmp_path / folder, output_loading_info=True
        )
        assert not found["missing_keys"]
        assert not found["unexpected_keys"]
        assert same(dict(loaded.state_dict()), dict(model.state_dict()))
        assert not loaded._forward_pre_hooks


class Reporter(TrainerCallback):
    """As TensorBoard's: it comes first, and it keeps what it is told."""

    def __init__(self):
        self.told = []

    def on_log(self, args, state, control, logs=None, **others):
        self.told.append(dict(logs))


def test_what_is_hidden_is_logged(tmp_path):
    model, reporter = resnet(), Reporter()
    start = copy.deepcopy(model)
    done = trainer(tmp_path, model, reporter, epochs=2, save_strategy="epoch", eval_strategy="epoch")
    callback = MaskPixelValues(threshold=THRESHOLD).add_to(done)
    assert done.callback_handler.callbacks[0] is callback.add_to(done)
    assert done.callback_handler.callbacks.count(callback) == 1
    done.train()
    share = Masker(start, threshold=THRESHOLD).hidden(pictures()[0]).float().mean().item()
    assert 0.01 < share < 0.5
    for logs in (reporter.told, done.state.log_history):
        assert [one["masktune/hidden_share"] for one in logs if "loss" in one] == pytest.approx([share] * 2)
        assert not any("masktune/hidden_share" in one for one in logs if "loss" not in one)
    state = json.loads((tmp_path / "checkpoint-2" / "trainer_state.json").read_text())
    assert state["log_history"][0]["masktune/hidden_share"] == pytest.approx(share)


def test_in_the_list_of_callbacks_it_still_reaches_the_history(tmp_path):
    done = trainer(tmp_path, resnet(), MaskPixelValues(threshold=THRESHOLD))
    done.train()
    assert 0 < done.state.log_history[0]["masktune/hidden_share"] < 0.5


def test_no_hook_is_left_behind(tmp_path):
    model = resnet()
    trainer(tmp_path, model, MaskPixelValues(threshold=THRESHOLD)).train()
    assert not model._forward_pre_hooks


def test_a_broken_run_leaves_no_second_masking(tmp_path):
    class Breaks(TrainerCallback):
        def on_step_end(self, args, state, control, **others):
            raise RuntimeError("broken on purpose")

    model = resnet()
    broken = MaskPixelValues(threshold=THRESHOLD)
    with pytest.raises(RuntimeError, match="broken on purpose"):
        trainer(tmp_path, model, broken, Breaks()).train()
    assert len(model._forward_pre_hooks) == 1
    start = copy.deepcopy(model)
    done = trainer(tmp_path, model, MaskPixelValues(threshold=THRESHOLD))
    done.train()
    equal(done.seen, expected(start, done.given))
    assert not model._forward_pre_hooks


def test_remove_and_copies_of_the_model(tmp_path):
    copies = []

    class Averages(TrainerCallback):
        def on_step_begin(self, args, state, control, model=None, **others):
            copies.append(copy.deepcopy(model))

    model, callback = resnet(), MaskPixelValues(threshold=THRESHOLD)
    trainer(tmp_path, model, callback, Averages()).train()
    copied = copies[-1].train()
    assert copied._forward_pre_hooks
    before = callback.masker.statistics
    copied(pixel_values=pictures()[0])
    assert callback.masker.statistics == before  # A moving average is no business of ours.
    callback.remove()  # Once more does no harm.
    assert not model._forward_pre_hooks


def arguments(**changed):
    return SimpleNamespace(**{"fsdp": None, "deepspeed": None, "n_gpu": 1, "torch_compile": False} | changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"fsdp": ["full_shard"]}, "leave out fsdp and deepspeed"),
        ({"deepspeed": "zero.json"}, "leave out fsdp and deepspeed"),
        ({"n_gpu": 2}, "expected one GPU a process, got 2"),
        ({"torch_compile": True}, "compiled code ignores hooks"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(changed, message):
    with pytest.raises(InputError, match=message):
        MaskPixelValues().on_train_begin(arguments(**changed), SimpleNamespace(epoch=0), None, model=resnet())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"from_epoch": -1}, "expected from_epoch of at least 0, got -1"),
        ({"std": (0.5,)}, "expected mean and std together"),
        ({"explainer": XGradCAM(tiny_net())}, "of another net; pass explainer=XGradCAM"),
    ],
)
def test_options_are_refused_at_once(options, message):
    with pytest.raises(InputError, match=message):
        MaskPixelValues(**options)


def test_normalised_images_without_mean_and_std_are_refused(tmp_path):
    data = Pictures()
    data.images = data.images * 4 - 2
    with pytest.raises(InputError, match="pass Masker\\(net, mean="):
        trainer(tmp_path, resnet(), MaskPixelValues(), data=data).train()


def test_without_transformers_the_line_to_type_is_said(monkeypatch):
    with pytest.raises(MissingExtra, match=r"needs transformers; type: pip install transformers accelerate$"):
        import_without(monkeypatch, "masktune.integrations.transformers", "transformers")
