"""The words that an agent of a W&B sweep types: values as Python writes them, and perhaps switches without one.

``${args}`` gives ``--model.flow_width=None`` and ``--model.frequency_split=True``; ``${args_no_boolean_flags}`` the
switch alone, ``--model.frequency_split``, and nothing where it is off.
"""

import os
from collections.abc import Sequence
from itertools import pairwise

SWEEP = "WANDB_SWEEP_ID"
"""Variable of the environment that an agent sets for the commands it starts."""
OF_PYTHON = {"None": "null", "True": "true", "False": "false"}


def of_agent(words: Sequence[str]) -> list[str]:
    """Return the words of a verb as a person would type them; without an agent they are that already.

    Args:
        words: verb and options.
    """
    if SWEEP not in os.environ:
        return list(words)
    done = []
    for word, after in pairwise([*words, "--"]):
        option, equals, value = word.partition("=")
        is_setting = option.startswith("--") and "." in option
        if is_setting and not equals and after.startswith("--"):
            word = f"{option}=true"
        elif is_setting and value in OF_PYTHON:
            word = f"{option}={OF_PYTHON[value]}"
        done.append(OF_PYTHON.get(word, word))
    return done
