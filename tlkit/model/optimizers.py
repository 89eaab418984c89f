"""Keras optimizers by name, with their options and learning rate schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlkit.errors import UsageError, unknown_name

if TYPE_CHECKING:
    import keras

# By lower-case name: the class in keras.optimizers, and which of momentum and nesterov
# it takes. All take weight_decay. A test compares this with Keras.
_CLASSES = (
    *("Adadelta", "Adafactor", "Adagrad", "Adam", "Adamax", "AdamW", "Ftrl", "Lamb"),
    *("Lion", "Muon", "Nadam", "RMSprop", "ScheduleFreeAdamW", "SGD"),
)
_BOTH = ("momentum", "nesterov")
_TAKES = {"Muon": _BOTH, "RMSprop": ("momentum",), "SGD": _BOTH}
OPTIMIZERS = {name.lower(): (name, _TAKES.get(name, ())) for name in _CLASSES}
# "auto" is constant for new layers; for pretrained ones a callback anneals the rate.
SCHEDULES = ("auto", "constant", "cosine", "exponential", "linear", "onecycle")
# One cycle (Smith and Topin 2018, arXiv 1708.07120) with fastai's proportions.
RISE, START, END = 0.25, 1 / 25, 1e-5


def check(
    name: str,
    *,
    momentum: float | None,
    nesterov: bool | None,
    schedule: str = "constant",
    warmup: float = 0.0,
) -> None:
    """Refuse an unknown optimizer, and options that do not go together.

    Args:
        name: One of OPTIMIZERS, in any case.
        momentum: None if not given.
        nesterov: None if not given.
        schedule: One of SCHEDULES.
        warmup: Share of the steps, 0 to 0.9.

    Raises:
        UsageError: The name is unknown, or an option has no effect with the others.
    """
    if name.lower() not in OPTIMIZERS:
        error = unknown_name("optimizer", name, OPTIMIZERS)
        raise error
    takes = OPTIMIZERS[name.lower()][1]
    for option, value in (("momentum", momentum), ("nesterov", nesterov)):
        if value is not None and option not in takes:
            able = [known for known, entry in OPTIMIZERS.items() if option in entry[1]]
            raise UsageError(
                f"optimizer {name} takes no {option}.",
                hint=f"Remove {option}, or use {', '.join(able)}.",
            )
    # Keras' own momentum is 0 for sgd, above 0 for muon.
    still = momentum == 0 or (momentum is None and name.lower() == "sgd")
    if nesterov and still:
        raise UsageError(
            f"nesterov has no effect on {name} without momentum.",
            hint="Set momentum above 0, such as momentum 0.9.",
        )
    if warmup and schedule != "cosine":
        raise UsageError(
            f"warmup needs schedule cosine, got {schedule}.",
            hint="Remove warmup, or use schedule cosine.",
        )


def build(
    name: str,
    *,
    lr: float,
    steps: int,
    momentum: float | None = None,
    nesterov: bool | None = None,
    weight_decay: float | None = None,
    schedule: str = "constant",
    warmup: float = 0.0,
    ema: float | None = None,
) -> keras.optimizers.Optimizer:
    """Build an optimizer.

    Args:
        name: One of OPTIMIZERS, in any case.
        lr: Learning rate, the highest one of a schedule.
        steps: Number of update steps of the whole training, at least 1.
        momentum: For those that take it; None for Keras' default.
        nesterov: As momentum.
        weight_decay: Decoupled weight decay; None for Keras' default.
        schedule: One of SCHEDULES: auto leaves the learning rate to a callback; cosine
            falls to 0, exponential to a hundredth, and linear to 0 over all steps;
            onecycle rises linearly over a quarter of them from a 25th of the rate, and
            falls by cosine to a hundred thousandth, at constant momentum.
        warmup: Share of the steps, 0 to 0.9, over which the rate rises from 0.
        ema: Momentum of a running mean of the weights; None for none.

    Returns:
        A new optimizer.

    Raises:
        UsageError: As `check`, or the installed Keras does not have it.
    """
    import keras

    check(name, momentum=momentum, nesterov=nesterov, schedule=schedule, warmup=warmup)
    kind = getattr(keras.optimizers, OPTIMIZERS[name.lower()][0], None)
    if kind is None or not _works(name):
        raise UsageError(
            f"Keras {keras.__version__} has no optimizer {name} that works.",
            hint="Install a newer Keras; it may need a newer Python.",
        )
    given: dict[str, Any] = {
        "momentum": momentum,
        "nesterov": nesterov,
        "weight_decay": weight_decay,
    }
    arguments = {key: value for key, value in given.items() if value is not None}
    if ema is not None:
        arguments |= {"use_ema": True, "ema_momentum": ema}
    optimizer: keras.optimizers.Optimizer = kind(
        learning_rate=_learning_rate(lr, steps, schedule, warmup), **arguments
    )
    return optimizer


def _learning_rate(lr: float, steps: int, schedule: str, warmup: float) -> Any:
    """Return the learning rate as a number, or as a keras LearningRateSchedule."""
    from keras.optimizers import schedules

    rising = round(steps * warmup)
    if schedule == "cosine" and rising:
        return schedules.CosineDecay(
            0.0, steps - rising, warmup_target=lr, warmup_steps=rising
        )
    if schedule == "cosine":
        return schedules.CosineDecay(lr, steps)
    if schedule == "linear":
        return schedules.PolynomialDecay(lr, steps, 0.0)
    if schedule == "onecycle":
        rising = round(RISE * steps)
        return schedules.CosineDecay(
            lr * START,
            max(1, steps - rising),
            alpha=END,
            warmup_target=lr,
            warmup_steps=max(1, rising),
        )
    if schedule == "exponential":
        return schedules.ExponentialDecay(lr, steps, 0.01)
    return lr


def _works(name: str) -> bool:
    """Return False for muon of Keras 3.12, which fails on TensorFlow's variables."""
    import keras

    version = tuple(int(part) for part in keras.__version__.split(".")[:2])
    return name.lower() != "muon" or version >= (3, 13)
