"""A name and rates in, a Keras optimizer out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlkit.errors import UsageError, unknown_name

if TYPE_CHECKING:
    import keras

# Name as a person types it: the class in keras.optimizers, and which of momentum and
# nesterov its constructor takes. All take weight_decay. Held against Keras by a test.
OPTIMIZERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "adadelta": ("Adadelta", ()),
    "adafactor": ("Adafactor", ()),
    "adagrad": ("Adagrad", ()),
    "adam": ("Adam", ()),
    "adamax": ("Adamax", ()),
    "adamw": ("AdamW", ()),
    "ftrl": ("Ftrl", ()),
    "lamb": ("Lamb", ()),
    "lion": ("Lion", ()),
    "muon": ("Muon", ("momentum", "nesterov")),
    "nadam": ("Nadam", ()),
    "rmsprop": ("RMSprop", ("momentum",)),
    "schedulefreeadamw": ("ScheduleFreeAdamW", ()),
    "sgd": ("SGD", ("momentum", "nesterov")),
}
# "auto" is constant for what is new; what is pretrained is annealed by a callback.
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
        momentum: None where not given.
        nesterov: None where not given.
        schedule: One of SCHEDULES.
        warmup: Share of the steps, 0 to 0.9.

    Raises:
        UsageError: Says what is wrong.
    """
    if name.lower() not in OPTIMIZERS:
        error = unknown_name("optimizer", name, OPTIMIZERS)
        raise error
    takes = OPTIMIZERS[name.lower()][1]
    for option, value in (("momentum", momentum), ("nesterov", nesterov)):
        if value is not None and option not in takes:
            able = [known for known, entry in OPTIMIZERS.items() if option in entry[1]]
            raise UsageError(
                f"optimizer {name} takes no {option}; {', '.join(able)} do."
            )
    # Keras' own momentum is 0 for sgd, above 0 for muon.
    still = momentum == 0 or (momentum is None and name.lower() == "sgd")
    if nesterov and still:
        raise UsageError(
            f"nesterov does nothing without momentum: give {name} one above 0, "
            "such as momentum 0.9."
        )
    if warmup and schedule != "cosine":
        raise UsageError(f"warmup goes with schedule cosine, not with {schedule}.")


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
    """Make an optimizer.

    Args:
        name: One of OPTIMIZERS, in any case.
        lr: Learning rate, the highest one where a schedule lowers it.
        steps: Number of update steps of the whole training, at least 1.
        momentum: For those that take it; None leaves it to Keras.
        nesterov: Likewise.
        weight_decay: Decoupled weight decay; None leaves it to Keras.
        schedule: One of SCHEDULES: auto leaves the rate to a callback; cosine falls to
            0, exponential to a hundredth, and linear to 0 over all steps; onecycle
            rises evenly over a quarter of them from a 25th of the rate, and falls by
            cosine to a hundred thousandth; momentum stays as it is.
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
    if kind is None:
        raise UsageError(
            f"Keras {keras.__version__} has no optimizer {name}.",
            hint="A newer Keras has it; it may want a newer Python.",
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
        learning_rate=_rate(lr, steps, schedule, warmup), **arguments
    )
    return optimizer


def _rate(lr: float, steps: int, schedule: str, warmup: float) -> Any:
    """The rate as a number, or as a keras LearningRateSchedule."""
    from keras.optimizers import schedules

    rising = round(steps * warmup)
    if schedule == "auto":
        return lr
    if schedule == "cosine" and rising:
        return schedules.CosineDecay(
            0.0, steps - rising, warmup_target=lr, warmup_steps=rising
        )
    if schedule == "cosine":
        return schedules.CosineDecay(lr, steps)
    if schedule == "linear":
        return schedules.PolynomialDecay(lr, steps, 0.0)
    if schedule == "onecycle":
        return schedules.CosineDecay(
            lr * START,
            max(1, steps - round(RISE * steps)),
            alpha=END,
            warmup_target=lr,
            warmup_steps=max(1, round(RISE * steps)),
        )
    if schedule == "exponential":
        return schedules.ExponentialDecay(lr, steps, 0.01)
    return lr
