"""Whether there is anything to be tested on: asked of every data module, also of one that a user has written."""

from lightning.pytorch.core.hooks import DataHooks

from datamodules.protocols import KnowsTest


def can_test(data: object) -> bool:
    """Tell whether a data module has anything to be tested on.

    One that does not say so itself has, unless it defines no ``test_dataloader``.
    """
    if isinstance(data, KnowsTest):
        return data.can_test
    return getattr(type(data), "test_dataloader", None) is not DataHooks.test_dataloader
